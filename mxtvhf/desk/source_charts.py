"""Charts of the light curve, the spectrum, and the position over the updates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mxtvhf.analysis.model import LightCurve, Measurement, RateBin, SpectralFit, measurement_text
from mxtvhf.desk.charts import Axis, Chart, Series, limits
from mxtvhf.models.angles import angle_text, radius_text, separation_arcsec
from mxtvhf.models.position import Position


def light_curve_chart(curve: LightCurve, earlier: Sequence[LightCurve] = ()) -> Chart:
    """Return the chart of the net rate against time: bins, Bayesian blocks and the fitted decay.

    Parameters
    ----------
    curve
        Light curve of the displayed report.
    earlier
        Light curves of other updates, newest first. Each is drawn only where no previous one covers the time,
        since an update usually contains all photons of the earlier ones.
    """
    bins = [(0.5 * (one.start_s + one.stop_s), one.rate) for one in curve.bins if one.rate is not None]
    older = [
        (0.5 * (one.start_s + one.stop_s), one.rate)
        for one in uncovered(curve, earlier)
        if one.rate is not None
    ]
    blocks = [
        ((one.start_s, one.rate.value), (one.stop_s, one.rate.value)) for one in curve.blocks if one.rate
    ]
    series = [_rates("bins", "c-data", bins)]
    if older:
        series.append(_rates("other updates", "c-older", older))
    series.append(Series("Bayesian blocks", "c-steps", lines=blocks))
    times = [time for one in curve.bins for time in (one.start_s, one.stop_s)] + [time for time, _ in older]
    low, high = limits(times, margin=0.02)
    if curve.decay is not None:
        series.append(Series(f"decay, index {curve.decay.index.value:.2f}", "c-model", lines=[_decay(curve)]))
    zero = "T0" if curve.zero_is_trigger else "the start of the GTI"
    rates = [end for _, rate in (*bins, *older) for end in _ends(rate)]
    return Chart(
        title="Light curve of the source",
        description=(
            f"Net rate of the source in {len(bins)} bins and {len(blocks)} Bayesian blocks; mean "
            f"{measurement_text(curve.mean, 'counts/s')}. The numbers follow below."
        ),
        across=Axis(f"Time since {zero} (s)", low, high),
        upward=Axis("Rate (counts/s)", *limits(rates, zero=True)),
        series=tuple(series),
    )


def uncovered(curve: LightCurve, earlier: Sequence[LightCurve]) -> list[RateBin]:
    """Return the bins of other updates at times that no newer curve covers, on the time axis of ``curve``."""
    covered = [(curve.bins[0].start_s, curve.bins[-1].stop_s)] if curve.bins else []
    found: list[RateBin] = []
    for other in earlier:
        shift = (other.zero - curve.zero).total_seconds()
        moved = [
            one.model_copy(update={"start_s": one.start_s + shift, "stop_s": one.stop_s + shift})
            for one in other.bins
        ]
        found += [
            one for one in moved if all(one.stop_s <= start or one.start_s >= stop for start, stop in covered)
        ]
        if moved:
            covered.append((moved[0].start_s, moved[-1].stop_s))
    return found


def spectrum_chart(fit: SpectralFit) -> Chart:
    """Return the chart of the net spectrum with the folded model, both axes logarithmic.

    A bin without positive net counts is drawn as the upper end of its error bar only.
    """
    middle = [(one.low_kev * one.high_kev) ** 0.5 for one in fit.bins]
    positive = [one.rate.value for one in fit.bins if one.rate.value > 0.0]
    model = [max(one.model, 1e-12) for one in fit.bins]
    low, high = 0.3 * min([*model, *positive]), 2.0 * max([*model, *(_ends(one.rate)[1] for one in fit.bins)])
    steps = [(kev, one.model) for one in fit.bins for kev in (one.low_kev, one.high_kev)]
    data = Series(
        "source region, net",
        "c-data",
        dots=[
            (kev, one.rate.value) for kev, one in zip(middle, fit.bins, strict=True) if one.rate.value > 0.0
        ],
        errors=[
            (kev, max(ends[0], low), ends[1])
            for kev, ends in zip(middle, (_ends(one.rate) for one in fit.bins), strict=True)
            if ends[1] > low
        ],
    )
    return Chart(
        title="Spectrum of the source",
        description=(
            f"Net counts per second and keV in {len(fit.bins)} bins with the folded absorbed power law: "
            f"photon index {measurement_text(fit.photon_index)}. The numbers follow below."
        ),
        across=Axis("Energy (keV)", fit.bins[0].low_kev, fit.bins[-1].high_kev, is_log=True),
        upward=Axis("Net counts / s / keV", low, high, is_log=True),
        series=(
            data,
            Series(f"absorbed power law, index {fit.photon_index.value:.2f}", "c-model", lines=[steps]),
        ),
    )


@dataclass(frozen=True)
class PositionOfUpdate:
    """Best position of an update."""

    sequence: int
    position: Position


def trend_chart(updates: Sequence[PositionOfUpdate]) -> Chart | None:
    """Return the chart of R90 and the offset from the newest position, by update.

    Parameters
    ----------
    updates
        Best positions of the updates, oldest first.

    Returns
    -------
    Chart or None
        None with fewer than two updates.
    """
    if len(updates) < 2:
        return None
    newest = updates[-1].position
    radii = [(float(one.sequence), one.position.r90_arcsec) for one in updates]
    known = [(number, radius) for number, radius in radii if radius is not None]
    offsets = [
        (
            float(one.sequence),
            separation_arcsec(one.position.ra_deg, one.position.dec_deg, newest.ra_deg, newest.dec_deg),
        )
        for one in updates
    ]
    numbers = [one.sequence for one in updates]
    shown = [(float(number), str(number)) for number in numbers[:: max(1, -(-len(numbers) // 12))]]
    return Chart(
        title="Position by update",
        description="; ".join(
            f"update {one.sequence}: {_radius(one.position)}{angle_text(offset)} from the newest position"
            for one, (_, offset) in zip(updates, offsets, strict=True)
        )
        + ".",
        across=Axis("Update", min(numbers) - 0.3, max(numbers) + 0.3, names=tuple(shown)),
        upward=Axis("R90, offset (arcsec)", *limits([y for _, y in (*known, *offsets)], zero=True)),
        series=(
            Series("R90", "c-data", dots=known, lines=[known] if len(known) > 1 else []),
            Series("offset from newest", "c-model", dots=offsets, lines=[offsets]),
        ),
    )


def _radius(position: Position) -> str:
    return "" if position.r90_arcsec is None else f"R90 {radius_text(position.r90_arcsec)}, "


def _rates(name: str, style: str, rates: Sequence[tuple[float, Measurement]]) -> Series:
    return Series(
        name,
        style,
        dots=[(time, rate.value) for time, rate in rates],
        errors=[(time, *_ends(rate)) for time, rate in rates],
    )


def _decay(curve: LightCurve) -> list[tuple[float, float]]:
    decay = curve.decay
    if decay is None:
        return []
    first, last = curve.bins[0].start_s, curve.bins[-1].stop_s
    times = [first + (last - first) * part / 100.0 for part in range(101)]
    return [
        (time, decay.rate_at_reference * (time / decay.reference_s) ** -decay.index.value)
        for time in times
        if time > 0.0
    ]


def _ends(one: Measurement) -> tuple[float, float]:
    return one.value - (one.error_low or 0.0), one.value + (one.error_high or 0.0)
