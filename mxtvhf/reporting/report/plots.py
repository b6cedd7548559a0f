"""The plots of a report: detector and light curve; the sky is in ``sky_plot``.

Matplotlib is imported inside the functions, since the import takes about a second and most processes never
draw. Axes and the legend of the sky are drawn line by line, which takes about two thirds of the time of
matplotlib's own ones; the reports wait for the plots.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mxtvhf.events.model import LostGap
from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.constants import instrument, pixel_scale_arcsec
from mxtvhf.instrument.pixels import lines_text
from mxtvhf.instrument.time import met_from_utc
from mxtvhf.localisation.model import Localisation, LocalisedSource
from mxtvhf.models.position import Position
from mxtvhf.reporting.report.sources import other_sources

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SMOOTHING_PIXELS = 3.0
"""Sigma of the Gaussian smoothing that makes single photons visible, pixels."""

DPI = 110
WIDTH_INCH = 4.6
LEFT_INCH, RIGHT_INCH, TOP_INCH = 0.64, 0.18, 0.1
PANEL_INCH = WIDTH_INCH - LEFT_INCH - RIGHT_INCH
DETECTOR_BELOW_INCH = 1.36
"""Height below the detector for its axis, the colour bar and the legend."""
INK, SOFT, GRID, UNUSED = "#1f2933", "#5b6875", "#e3e8ed", "#2fd6c8"
TICKS: dict[str, Any] = {"color": SOFT, "linestyle": "none", "markersize": 3.5, "clip_on": False}


@dataclass(frozen=True)
class Picture:
    """Plot as a PNG file that contains its caption and description."""

    caption: str
    description: str
    """Text alternative for screen readers."""
    png: bytes
    size: tuple[int, int]
    """Width and height, px."""

    @classmethod
    def read(cls, png: bytes) -> Picture:
        """Read the PNG of ``Plot.png``."""
        from PIL import Image

        with Image.open(BytesIO(png)) as image:
            return cls(image.info["Title"], image.info["Description"], png, image.size)


@dataclass(frozen=True)
class Plot:
    """Drawn plot with its caption and description."""

    caption: str
    description: str
    """Text alternative for screen readers."""
    figure: Figure

    @cached_property
    def png(self) -> bytes:
        """Plot as PNG with caption and description; the same plot gives the same bytes."""
        file = BytesIO()
        words = {"Software": None, "Title": self.caption, "Description": self.description}
        # The report waits for this; a slightly larger file takes half the time.
        self.figure.savefig(file, format="png", metadata=words, pil_kwargs={"compress_level": 1})
        return file.getvalue()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, px."""
        return self.figure.canvas.get_width_height()

    @property
    def picture(self) -> Picture:
        """Plot as a picture."""
        return Picture(self.caption, self.description, self.png, self.size)


def detector_plot(photons: PhotonList, localisation: Localisation | None) -> Plot:
    """Draw the smoothed counts on the detector with the detected source.

    Parameters
    ----------
    photons
        The photons; at least one.
    localisation
        Result of the localisation; the source with its R90, the arms of the PSF and the excluded hot pixels
        are marked.
    """
    from matplotlib import colormaps
    from scipy.ndimage import gaussian_filter

    detector = instrument().detector
    columns, rows = detector.columns, detector.rows
    counts = np.zeros((rows, columns))
    np.add.at(counts, (photons.y, photons.x), 1.0)
    hot = localisation.hot_pixels if localisation else ()
    lines = (*localisation.noisy_lines, *localisation.dead_lines) if localisation else ()
    if localisation:
        counts[localisation.faults.mask()] = 0.0
    smooth = gaussian_filter(counts, SMOOTHING_PIXELS, mode="constant")
    figure, axes = panel(PANEL_INCH, DETECTOR_BELOW_INCH)
    brightest = max(float(smooth.max()), 1e-12)
    # One colour per detector pixel; imshow would compute it for every pixel of the picture.
    colours = colormaps["magma"](np.sqrt(smooth / brightest), bytes=True)
    axes.imshow(colours, origin="lower", interpolation="nearest")
    axes.autoscale(False)
    scales(axes, "Detector column (pixel)", "Detector row (pixel)", grid=False)
    _colour_bar(figure, brightest)
    words = f"Smoothed counts on the detector, {len(photons)} photons in total"
    if localisation and localisation.detector_x is not None and localisation.detector_y is not None:
        _source(axes, localisation.detector_x, localisation.detector_y, localisation.position)
        words += f"; source at column {localisation.detector_x:.1f}, row {localisation.detector_y:.1f}"
    if others := other_sources(localisation):
        _others(axes, others)
        words += f"; other sources {', '.join(source.name for source in others)}"
    if hot:
        axes.plot(*zip(*hot, strict=True), "x", color=UNUSED, markersize=6, label="hot pixels, excluded")
        words += f"; {len(hot)} hot pixels excluded"
    if lines:
        words += f"; {lines_text(lines)} excluded"
    _detector_legend(figure, axes)
    return Plot("Detector", f"{words}.", figure)


def detector_frame() -> tuple[float, float, float, float]:
    """Return the place of the detector in its plot: left, top, side of the square, width of the plot, px."""
    return DPI * LEFT_INCH, DPI * TOP_INCH, DPI * PANEL_INCH, DPI * WIDTH_INCH


def light_curve_plot(
    photons: PhotonList, start_met: float, *, is_trigger: bool, lost: Sequence[LostGap] = ()
) -> Plot:
    """Draw the counts of the whole detector per time bin; error bars are the square root of the counts.

    Parameters
    ----------
    photons
        The photons; at least one.
    start_met
        Zero of the time axis, MET, s.
    is_trigger
        True if that zero is T0, for the label of the axis.
    lost
        Time intervals with lost photons, which are shaded.
    """
    first, width, counts = binned(photons.time - start_met)
    edges = first + width * np.arange(len(counts) + 1)
    zero = "the trigger T0" if is_trigger else "the first photon"
    figure, axes = panel(2.9, 0.56)
    axes.stairs(counts, edges, fill=True, color="#cfe0ee")
    axes.stairs(counts, edges, color="#0b62a8", linewidth=1.3)
    error, middle = np.sqrt(counts), (edges[:-1] + edges[1:]) / 2
    axes.vlines(middle, counts - error, counts + error, color="#0b62a8", linewidth=1.0)
    for gap in lost:
        begin, end = (met_from_utc(moment) - start_met for moment in (gap.start, gap.stop))
        axes.axvspan(begin, end, color="#d9dde1", zorder=0)
    axes.set(xlim=(edges[0], edges[-1]), ylim=(0.0, 1.12 * float((counts + error).max())))
    scales(axes, f"Time since {zero} (s)", f"Photons per {width:g} s", grid=True)
    return Plot(
        "Light curve",
        f"Photons against time, {len(photons)} in total, {edges[0]:g} s to {edges[-1]:g} s since {zero}, "
        f"in bins of {width:g} s; at most {counts.max():g} in a bin."
        + (" Shaded: time intervals with lost photons." if lost else ""),
        figure,
    )


def binned(since: npt.NDArray[np.float64]) -> tuple[float, float, npt.NDArray[np.float64]]:
    """Return the start of the first bin, the bin width and the counts per bin.

    The width is a round number that gives about 30 bins of at least a detector frame.
    """
    span = float(np.ptp(since))
    frame = instrument().detector.frame_time_s
    # Up to the range of the on-board clock, since a photon with a wrong time must not stop the report.
    candidates = [factor * 10.0**power for power in range(-1, 9) for factor in (1.0, 2.0, 5.0)]
    width = next(one for one in candidates if one >= max(span / 30.0, frame))
    first = float(np.floor(since.min() / width) * width)
    index = np.floor((since - first) / width + 1e-9).astype(np.int64)
    return first, width, np.bincount(index).astype(np.float64)


def panel(height: float, below: float) -> tuple[Figure, Axes]:
    """Return a figure with one panel; panel height and space below it in inches."""
    from matplotlib.figure import Figure

    total = height + below + TOP_INCH
    figure = Figure(figsize=(WIDTH_INCH, total), dpi=DPI, facecolor="white")
    box = (LEFT_INCH / WIDTH_INCH, below / total, PANEL_INCH / WIDTH_INCH, height / total)
    axes = figure.add_axes(box)
    _frame(axes)
    return figure, axes


def _frame(axes: Axes) -> None:
    """Hide matplotlib's own axes except the frame."""
    axes.spines[:].set_color(SOFT)
    axes.xaxis.set_visible(False)
    axes.yaxis.set_visible(False)


def scales(axes: Axes, across: str, upward: str, *, grid: bool) -> None:
    """Draw ticks, labels and grid of both axes; the limits must be set."""
    (left, right), (lower, upper) = axes.get_xlim(), axes.get_ylim()
    columns, rows = ticks_of(left, right), ticks_of(lower, upper)
    if grid:
        axes.vlines(list(columns), lower, upper, color=GRID, linewidth=0.8, zorder=0)
        axes.hlines(list(rows), left, right, color=GRID, linewidth=0.8, zorder=0)
    lower_scale(axes, columns, across)
    left_scale(axes, rows, upward)


def ticks_of(first: float, last: float) -> dict[float, str]:
    """Return up to seven round numbers within two limits, with their labels."""
    from matplotlib.ticker import MaxNLocator

    low, high = sorted((first, last))
    places = MaxNLocator(6, steps=[1, 2, 5, 10]).tick_values(low, high)
    return {
        float(place): f"{place:.10g}".replace("-", "\N{MINUS SIGN}")
        for place in places
        if low <= place <= high
    }


def lower_scale(axes: Axes, ticks: Mapping[float, str], words: str) -> None:
    """Draw the axis below a panel."""
    where, inch = axes.get_xaxis_transform(), axes.figure.dpi / axes.bbox.height
    axes.plot(list(ticks), np.zeros(len(ticks)), marker=3, transform=where, **TICKS)
    number: dict[str, Any] = {"ha": "center", "va": "top", "fontsize": 9, "color": INK, "transform": where}
    for tick, text in ticks.items():
        axes.text(tick, -0.09 * inch, text, **number)
    axes.text(0.5, -0.27 * inch, words, ha="center", va="top", transform=axes.transAxes)


def left_scale(axes: Axes, ticks: Mapping[float, str], words: str) -> None:
    """Draw the axis to the left of a panel."""
    where, inch = axes.get_yaxis_transform(), axes.figure.dpi / axes.bbox.width
    axes.plot(np.zeros(len(ticks)), list(ticks), marker=0, transform=where, **TICKS)
    number: dict[str, Any] = {"ha": "right", "va": "center", "fontsize": 9, "color": INK, "transform": where}
    for tick, text in ticks.items():
        axes.text(-0.09 * inch, tick, text, **number)
    axes.text(-0.53 * inch, 0.5, words, ha="center", va="center", rotation=90, transform=axes.transAxes)


def _source(axes: Axes, column: float, row: float, position: Position | None) -> None:
    """Mark the fitted source: its R90 and, outside, the arms of the PSF."""
    from matplotlib.patches import Circle

    radius = 7.0
    if position is not None and position.r90_arcsec:
        radius = position.r90_arcsec / pixel_scale_arcsec()
    axes.add_patch(Circle((column, row), radius, fill=False, color="white", linewidth=1.4))
    ring: dict[str, Any] = {
        "color": "none",
        "markeredgecolor": "white",
        "markeredgewidth": 1.4,
        "markersize": 8,
    }
    axes.plot([], [], "o", label="source, R90", **ring)
    gap = max(radius, 4.0) + 3.0
    arms: dict[str, Any] = {"color": "white", "alpha": 0.6, "linewidth": 0.9, "linestyle": (0, (2, 4))}
    axes.plot([], [], label="arms of the PSF", **arms)
    for sign in (-1, 1):
        near, far = gap * sign, 1000.0 * sign
        axes.plot([column + near, column + far], [row, row], **arms)
        axes.plot([column, column], [row + near, row + far], **arms)


def _others(axes: Axes, sources: Sequence[LocalisedSource]) -> None:
    """Mark the other sources by dotted 90 % error circles with their names."""
    from matplotlib.patches import Circle

    for source in sources:
        column, row = source.detector_x, source.detector_y
        radius = max(source.position.r90_arcsec or 0.0, 1.0) / pixel_scale_arcsec()
        style: dict[str, Any] = {"fill": False, "color": "white", "linewidth": 1.2, "linestyle": ":"}
        axes.add_patch(Circle((column, row), radius, **style))
        above = row + radius + 4.0 < instrument().detector.rows - 8.0
        place: dict[str, Any] = {"ha": "center", "va": "bottom" if above else "top", "fontsize": 9}
        axes.text(
            column, row + (radius + 1.0 if above else -radius - 1.0), source.name, color="white", **place
        )
    ring: dict[str, Any] = {"color": "none", "markeredgecolor": "white", "markersize": 8}
    axes.plot([], [], "o", markeredgewidth=0.6, label="other source, R90", **ring)


def _colour_bar(figure: Figure, brightest: float) -> None:
    """Draw the colour bar below the detector: the square root of the counts up to the maximum."""
    from matplotlib import colormaps

    height = figure.get_figheight()
    axes = figure.add_axes((LEFT_INCH / WIDTH_INCH, 0.78 / height, PANEL_INCH / WIDTH_INCH, 0.11 / height))
    scale = colormaps["magma"](np.linspace(0.0, 1.0, 256), bytes=True)
    axes.imshow(scale[np.newaxis], aspect="auto", interpolation="nearest", extent=(0.0, 1.0, 0.0, 1.0))
    _frame(axes)
    ticks = {part**0.5: f"{part * brightest:.2g}" for part in (0.0, 0.1, 0.3, 0.6, 1.0)}
    lower_scale(axes, ticks, f"Counts per pixel, smoothed (Gaussian, sigma {SMOOTHING_PIXELS:g} pixels)")


def _detector_legend(figure: Figure, axes: Axes) -> None:
    """Draw the legend at the bottom, on the dark background of the marks."""
    marks, words = axes.get_legend_handles_labels()
    if marks:
        figure.legend(
            marks,
            words,
            loc="lower center",
            bbox_to_anchor=((LEFT_INCH + PANEL_INCH / 2) / WIDTH_INCH, 0.0),
            ncols=len(marks),
            fontsize=8,
            handlelength=1.6,
            facecolor="black",
            edgecolor="none",
            framealpha=1.0,
            labelcolor="white",
            borderaxespad=0.4,
            handletextpad=0.5,
            columnspacing=1.4,
        )
