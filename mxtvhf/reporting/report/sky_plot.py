"""The plot of the sky: 90 % error circles of all positions, and the credible regions of our posterior."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mxtvhf.localisation.model import CredibleRegion
from mxtvhf.models.angles import (
    radius_text,
    separation_arcsec,
    tangent_offset_arcmin,
)
from mxtvhf.models.position import Origin, Position
from mxtvhf.reporting.report.plots import INK, LEFT_INCH, PANEL_INCH, Plot, panel, scales

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINES: dict[Origin, tuple[str, Any]] = {
    Origin.ECLAIRS: ("#0b62a8", "-"),
    Origin.MXT_ONBOARD: ("#b86e00", (0, (5, 2.5))),
    Origin.MXT_VHF: ("#c0185f", "-"),
    Origin.GP: ("#00795a", (0, (1.2, 2))),
    Origin.VT: ("#6a3fc4", (0, (7, 2, 1.2, 2))),
    Origin.GRM: ("#5b6875", (0, (1, 4))),
    Origin.OTHER: ("#5b6875", (0, (4, 1, 1, 1, 1, 1))),
}
"""Colour and dash pattern of each origin; the pattern helps readers with colour blindness.

Our own line is solid like that of ECLAIRs, and thicker than all others.
"""

WIDEST_SKY_ARCMIN = 90.0
"""An error circle that extends farther is only listed in the legend (those of GRM have many degrees)."""

OTHER_SOURCE = "#8a3a5e"
"""Colour of the other sources in our photons; their error circles are dotted."""
SHADE = "#e0559a"
ROW_INCH = 0.19
"""Height of a row of the legend."""


def sky_plot(
    positions: Sequence[Position],
    best: Position,
    *,
    regions: Sequence[CredibleRegion] = (),
    sources: Sequence[Position] = (),
    half_width_arcmin: float | None = None,
) -> Plot:
    """Draw the 90 % error circles of all positions around the best one, North up, East left.

    Parameters
    ----------
    positions
        Positions in drawing order; one without a radius is drawn as a cross.
    best
        Centre of the tangent plane.
    regions
        Credible regions of our posterior, which are shaded.
    sources
        Other sources in our photons, labelled with their names.
    half_width_arcmin
        Half width of the view; None shows all error circles within ``WIDEST_SKY_ARCMIN``.
    """
    reaches = {position.label: _reach(position, best) for position in (*positions, *sources)}
    shown = [position for position in positions if reaches[position.label] <= WIDEST_SKY_ARCMIN]
    beside = [source for source in sources if reaches[source.label] <= WIDEST_SKY_ARCMIN]
    widest = max((reaches[position.label] for position in (*shown, *beside)), default=1.0)
    half = half_width_arcmin or 1.12 * widest
    place = " ".join(best.sexagesimal_text)
    figure, axes = panel(PANEL_INCH, 0.6 + ROW_INCH * (len(positions) + bool(regions) + bool(beside)))
    axes.set(xlim=(half, -half), ylim=(-half, half))
    scales(axes, f"East offset from {place} (arcmin)", "North offset (arcmin)", grid=True)
    _compass(axes)
    styles = _styles(shown)
    _shade(axes, regions, best)
    for position in shown:
        _circle(axes, position, best, styles[position.label])
    for source in beside:
        _circle(axes, source, best, _SOURCE_STYLE)
        _name(axes, source, best, half)
    _sky_legend(figure, positions, styles, regions, beside)
    circles = "; ".join(_entry(position, position in shown) for position in positions)
    if regions:
        circles += f". Shaded: {regions_text(regions)}"
    if beside:
        circles += f". {_sources_text(beside)}"
    return Plot(
        "Sky, 90 % error circles" if half_width_arcmin is None else "Sky, around the best position",
        f"Sky map {2 * half:.3g}' wide around {place}, North up, East left. 90 % error circles: {circles}.",
        figure,
    )


_SOURCE_STYLE: dict[str, Any] = {"color": OTHER_SOURCE, "linestyle": ":", "linewidth": 1.4, "alpha": 1.0}


def zoom_half_width_arcmin(positions: Sequence[Position], best: Position) -> float | None:
    """Return the half width of a closer view of the best position, arcmin; None if the full view suffices."""
    radius = (best.r90_arcsec or 0.0) / 60.0
    widest = max((reach for p in positions if (reach := _reach(p, best)) <= WIDEST_SKY_ARCMIN), default=0.0)
    return 3.0 * radius if radius > 0.0 and widest > 5.0 * radius else None


def _reach(position: Position, best: Position) -> float:
    """Return the largest offset of an error circle from the centre, arcmin; infinite far from the centre."""
    away = separation_arcsec(best.ra_deg, best.dec_deg, position.ra_deg, position.dec_deg) / 60.0
    if away > 2.0 * WIDEST_SKY_ARCMIN:
        return float("inf")
    return float(np.hypot(*_offset(position, best))) + (position.r90_arcsec or 0.0) / 60.0


def _offset(position: Position, best: Position) -> tuple[float, float]:
    return _place(position.ra_deg, position.dec_deg, best)


def _place(ra_deg: float, dec_deg: float, best: Position) -> tuple[float, float]:
    return tangent_offset_arcmin(ra_deg, dec_deg, best.ra_deg, best.dec_deg)


def _styles(positions: Sequence[Position]) -> dict[str, dict[str, Any]]:
    """Return the line style of each position by its label; superseded positions are pale."""
    latest = {position.origin: position.label for position in positions}
    return {
        position.label: {
            "color": LINES[position.origin][0],
            "linestyle": LINES[position.origin][1],
            "linewidth": 2.2 if position.origin is Origin.MXT_VHF else 1.5,
            "alpha": 1.0 if latest[position.origin] == position.label else 0.45,
        }
        for position in positions
    }


def _circle(axes: Axes, position: Position, best: Position, style: dict[str, Any]) -> None:
    from matplotlib.patches import Circle

    centre = _offset(position, best)
    if position.r90_arcsec:
        axes.add_patch(Circle(centre, position.r90_arcsec / 60.0, fill=False, **style))
    axes.plot(*centre, "+", color=style["color"], alpha=style["alpha"], markersize=7)


def _name(axes: Axes, source: Position, best: Position, half: float) -> None:
    """Draw the name of a source next to its error circle, if it is in the view."""
    east, north = _offset(source, best)
    if max(abs(east), abs(north)) < half:
        north += (source.r90_arcsec or 0.0) / 60.0 + 0.03 * half
        place: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 9, "color": OTHER_SOURCE}
        axes.text(east, north, source.label, clip_on=True, parse_math=False, **place)


def _shade(axes: Axes, regions: Sequence[CredibleRegion], best: Position) -> None:
    """Fill the regions, the smaller ones on top; holes stay empty."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    for region in sorted(regions, key=lambda region: -region.part):
        outlines = [[_place(ra, dec, best) for ra, dec in outline] for outline in region.outlines]
        path = Path.make_compound_path(*(Path(outline, closed=True) for outline in outlines))
        axes.add_patch(PathPatch(path, facecolor=SHADE, alpha=0.2, edgecolor="none", zorder=0.5))


def _compass(axes: Axes) -> None:
    """Draw arrows to the North (up) and the East (left) in the lower right corner."""
    x, y, length = 0.955, 0.04, 0.085
    style: dict[str, Any] = {"color": INK, "markersize": 4.5, "transform": axes.transAxes}
    axes.plot((x - length, x, x), (y, y, y + length), linewidth=1.0, **style)
    for words, marker, tip, far in (
        ("N", "^", (x, y + length), (x, y + length + 0.035)),
        ("E", "<", (x - length, y), (x - length - 0.03, y)),
    ):
        axes.plot(*tip, marker, **style)
        axes.text(*far, words, ha="center", va="center", color=INK, transform=axes.transAxes)


def _sky_legend(
    figure: Figure,
    positions: Sequence[Position],
    styles: dict[str, dict[str, Any]],
    regions: Sequence[CredibleRegion],
    sources: Sequence[Position],
) -> None:
    """Draw the legend below the panel: positions with their line styles, regions and sources."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Rectangle

    inches = figure.dpi_scale_trans
    place: dict[str, Any] = {"va": "center_baseline", "fontsize": 9, "transform": inches}
    if regions:
        shade: dict[str, Any] = {"facecolor": SHADE, "edgecolor": "none", "transform": inches}
        figure.add_artist(Rectangle((LEFT_INCH + 0.06, 0.08), 0.2, 0.1, alpha=0.36, **shade))
        figure.add_artist(Rectangle((LEFT_INCH + 0.26, 0.08), 0.2, 0.1, alpha=0.2, **shade))
        figure.text(LEFT_INCH + 0.55, 0.13, regions_text(regions), **place)
    below = int(bool(regions))
    if sources:
        y = 0.13 + ROW_INCH * below
        ends = (LEFT_INCH + 0.06, LEFT_INCH + 0.46)
        figure.add_artist(Line2D(ends, (y, y), transform=inches, **_SOURCE_STYLE))
        figure.text(LEFT_INCH + 0.55, y, _sources_text(sources), parse_math=False, **place)
        below += 1
    for row, position in enumerate(reversed(positions), start=below):
        y = 0.13 + ROW_INCH * row
        if position.label in styles:
            ends = (LEFT_INCH + 0.06, LEFT_INCH + 0.46)
            figure.add_artist(Line2D(ends, (y, y), transform=inches, **styles[position.label]))
        words = _entry(position, position.label in styles)
        figure.text(LEFT_INCH + 0.55, y, words, parse_math=False, **place)


def _entry(position: Position, shown: bool) -> str:
    size = f"R90 {radius_text(position.r90_arcsec)}" if position.r90_arcsec else "no radius"
    return f"{position.name}, {size}{'' if shown else ', too large for this view'}"


def regions_text(regions: Sequence[CredibleRegion]) -> str:
    """Return the fractions and the largest area of credible regions, the largest one last, for a legend."""
    parts = " and ".join(f"{100.0 * region.part:g} %" for region in regions)
    return f"MXT (VHF photons) {parts} region, {regions[-1].area_arcmin2:.3g} arcmin\N{SUPERSCRIPT TWO}"


def _sources_text(sources: Sequence[Position]) -> str:
    sizes = ", ".join(f"{one.label} R90 {radius_text(one.r90_arcsec or 0.0)}" for one in sources[:4])
    more = f" and {len(sources) - 4} more" if len(sources) > 4 else ""
    return f"MXT (VHF photons), other source{'s' if len(sources) > 1 else ''}: {sizes}{more}"
