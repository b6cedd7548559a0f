"""The plots of the source: light curve and spectrum."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from mxtvhf.analysis.model import (
    DecayFit,
    LightCurve,
    Measurement,
    SourceAnalysis,
    SpectralFit,
    measurement_text,
)
from mxtvhf.models.arrays import Floats
from mxtvhf.reporting.report.plots import GRID, Plot, left_scale, lower_scale, panel, scales

if TYPE_CHECKING:
    from matplotlib.axes import Axes


DATA, STEPS, MODEL = "#0b62a8", "#b86e00", "#c0185f"
_HEIGHT_INCH, _BELOW_INCH = 2.9, 0.86


def source_plots(analysis: SourceAnalysis | None) -> dict[str, Callable[[], Plot]]:
    """Return name -> function that draws it, for the plots that have data."""
    plots: dict[str, Callable[[], Plot]] = {}
    if analysis is not None and analysis.light_curve is not None:
        plots["source_light_curve"] = partial(source_light_curve_plot, analysis.light_curve)
    if analysis is not None and analysis.spectrum is not None:
        plots["source_spectrum"] = partial(spectrum_plot, analysis.spectrum)
    return plots


def source_light_curve_plot(curve: LightCurve) -> Plot:
    """Draw the net rate: bins of equal width, Bayesian blocks and the fitted decay."""
    bins = [(one, one.rate) for one in curve.bins if one.rate is not None]
    middle = np.array([0.5 * (one.start_s + one.stop_s) for one, _ in bins])
    low, value, high = _ends([rate for _, rate in bins])
    blocks = [(one.start_s, one.stop_s, one.rate.value) for one in curve.blocks if one.rate is not None]
    figure, axes = panel(_HEIGHT_INCH, _BELOW_INCH)
    bottom, top = min(0.0, float(low.min())), float(high.max())
    axes.set(xlim=(curve.bins[0].start_s, curve.bins[-1].stop_s), ylim=(1.1 * bottom, 1.1 * top))
    zero = "the trigger T0" if curve.zero_is_trigger else "the start of the GTI"
    scales(axes, f"Time since {zero} (s)", "Rate (counts/s)", grid=True)
    axes.vlines(middle, low, high, color=DATA, linewidth=1.0)
    axes.plot(middle, value, "o", color=DATA, markersize=3.0, label="bins")
    starts, stops, rates = zip(*blocks, strict=True)
    axes.hlines(rates, starts, stops, color=STEPS, linewidth=2.0, label="Bayesian blocks")
    words = f"Net rate of the source, {len(curve.bins)} bins and {len(blocks)} Bayesian blocks"
    if curve.decay is not None:
        _decay(axes, curve.decay, curve.bins[0].start_s, curve.bins[-1].stop_s)
        words += f"; decay index {measurement_text(curve.decay.index)}"
    _legend(axes)
    return Plot(
        "Light curve of the source", f"{words}; mean {measurement_text(curve.mean, 'counts/s')}.", figure
    )


def _decay(axes: Axes, decay: DecayFit, first: float, last: float) -> None:
    time = np.linspace(first, last, 200)
    time = time[time > 0.0]
    rate = decay.rate_at_reference * (time / decay.reference_s) ** -decay.index.value
    label = f"decay, index {decay.index.value:.2f}"
    axes.plot(time, rate, color=MODEL, linewidth=1.4, linestyle=(0, (5, 2)), label=label)


def spectrum_plot(fit: SpectralFit) -> Plot:
    """Draw the net spectrum of the source region with the folded model, both axes logarithmic.

    A bin without positive net counts is drawn as the upper end of its error bar only.
    """
    edges = np.log10([fit.bins[0].low_kev, *(one.high_kev for one in fit.bins)])
    low, value, high = _ends([one.rate for one in fit.bins])
    model = np.array([one.model for one in fit.bins])
    floor = 0.3 * min(float(model.min()), float(value[value > 0.0].min(initial=np.inf)))
    figure, axes = panel(_HEIGHT_INCH, _BELOW_INCH)
    limits = np.log10([floor, 2.0 * max(float(high.max()), float(model.max()))])
    axes.set(xlim=(edges[0], edges[-1]), ylim=tuple(limits))
    _log_scales(axes, "Energy (keV)", "Net counts / s / keV")
    middle = 0.5 * (edges[1:] + edges[:-1])
    log_low, log_value, log_high = (np.log10(np.maximum(part, floor)) for part in (low, value, high))
    axes.vlines(middle, log_low, log_high, color=DATA, linewidth=1.0)
    shown = value > 0.0
    axes.plot(middle[shown], log_value[shown], "o", color=DATA, markersize=3.0, label="source region, net")
    axes.stairs(np.log10(np.maximum(model, floor)), edges, baseline=None, color=MODEL, linewidth=1.4,
                label=f"absorbed power law, index {fit.photon_index.value:.2f}")  # fmt: skip
    _legend(axes)
    return Plot(
        "Spectrum of the source",
        f"Net counts per second and keV in {len(fit.bins)} bins with the folded absorbed power law: "
        f"photon index {measurement_text(fit.photon_index)}, flux {measurement_text(fit.flux, 'erg/cm2/s')}.",
        figure,
    )


def _ends(measured: Sequence[Measurement]) -> tuple[Floats, Floats, Floats]:
    """Return lower ends, values and upper ends."""
    value = np.array([one.value for one in measured])
    low = np.array([one.error_low or 0.0 for one in measured])
    high = np.array([one.error_high or 0.0 for one in measured])
    return value - low, value, value + high


def _log_scales(axes: Axes, across: str, upward: str) -> None:
    """Draw axes and grid of a panel with logarithmic coordinates; the limits must be set."""
    columns, rows = log_ticks(*axes.get_xlim()), log_ticks(*axes.get_ylim())
    axes.vlines(list(columns), *axes.get_ylim(), color=GRID, linewidth=0.8, zorder=0)
    axes.hlines(list(rows), *axes.get_xlim(), color=GRID, linewidth=0.8, zorder=0)
    lower_scale(axes, columns, across)
    left_scale(axes, rows, upward)


def log_ticks(low: float, high: float) -> dict[float, str]:
    """Return round numbers between two decimal logarithms with their labels: 1, 2 and 5, or decades."""
    steps = (1.0, 2.0, 5.0) if high - low < 2.5 else (1.0,)
    decades = range(int(np.floor(low)), int(np.ceil(high)) + 1)
    values = [step * 10.0**decade for decade in decades for step in steps]
    return {float(np.log10(value)): f"{value:g}" for value in values if low <= np.log10(value) <= high}


def _legend(axes: Axes) -> None:
    axes.figure.legend(
        *axes.get_legend_handles_labels(), loc="lower center", ncols=3, fontsize=8, frameon=False,
        borderaxespad=0.2, handlelength=1.6, handletextpad=0.5, columnspacing=1.4,
    )  # fmt: skip
