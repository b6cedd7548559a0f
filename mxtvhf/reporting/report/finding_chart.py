"""The finding chart: error circles, credible regions and catalogue sources on a grid of the sky."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mxtvhf.catalogues.model import CatalogueAnswer
from mxtvhf.localisation.model import CredibleRegion
from mxtvhf.models.angles import angle_text, radius_text, separation_arcsec
from mxtvhf.models.position import Position, superseded
from mxtvhf.reporting.report.plots import GRID, INK, SOFT, Plot
from mxtvhf.reporting.report.sky_plot import LINES, SHADE, WIDEST_SKY_ARCMIN, regions_text

SIDE_INCH, BELOW_INCH, ROW_INCH, DPI = 7.0, 0.75, 0.19, 110
SMALLEST_HALF_ARCMIN = 2.0
MOST_NAMES = 12
"""Largest number of catalogue sources with their names."""


def finding_chart(
    burst_id: str,
    best: Position,
    positions: Sequence[Position],
    catalogues: Sequence[CatalogueAnswer] = (),
    regions: Sequence[CredibleRegion] = (),
) -> Plot:
    """Draw all positions, the regions of our posterior and the catalogue sources around the best position.

    Parameters
    ----------
    burst_id
        Title of the chart.
    best
        Centre of the chart (gnomonic projection, North up, East left).
    positions
        All positions; one whose circle extends more than 90 arcmin from the centre is only listed.
    catalogues
        Results of the catalogue searches.
    regions
        Credible regions of our posterior, the largest one last, which are outlined.
    """
    from astropy.visualization.wcsaxes import SphericalCircle
    from astropy.wcs import WCS
    from matplotlib.figure import Figure

    shown = [one for one in positions if _reach_arcmin(one, best) <= WIDEST_SKY_ARCMIN]
    half = 1.15 * max([SMALLEST_HALF_ARCMIN, *(_reach_arcmin(one, best) for one in shown)])
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = ["RA---TAN", "DEC--TAN"], [best.ra_deg, best.dec_deg]
    wcs.wcs.crpix, wcs.wcs.cdelt, wcs.wcs.radesys = [1.0, 1.0], [-1.0 / 60.0, 1.0 / 60.0], "ICRS"
    below = BELOW_INCH + ROW_INCH * (len(positions) + bool(regions) + 1)
    height = 0.88 * SIDE_INCH + below
    figure = Figure(figsize=(SIDE_INCH, height), dpi=DPI)
    axes: Any = figure.add_axes((0.14, below / height, 0.82, 0.82 * SIDE_INCH / height), projection=wcs)
    # A pixel is an arcmin; matplotlib counts them from 0 at the centre.
    axes.set(xlim=(-half, half), ylim=(-half, half), aspect="equal")
    axes.coords.grid(color=GRID, linestyle="-")
    for axis, name in zip(axes.coords, ("Right ascension (ICRS)", "Declination (ICRS)"), strict=True):
        axis.set_axislabel(name)
        axis.set_ticklabel(exclude_overlapping=True)
    icrs: dict[str, Any] = {"transform": axes.get_transform("icrs")}
    for outline in (outline for region in regions for outline in region.outlines):
        closed = [*outline, outline[0]]
        axes.plot(*zip(*closed, strict=True), color=SHADE, linewidth=1.0, zorder=1.5, **icrs)
    old = superseded(positions)
    for one in shown:
        style = _style(one, is_old=one.label in old)
        axes.plot(
            one.ra_deg, one.dec_deg, "+", markersize=8, color=style["edgecolor"], alpha=style["alpha"], **icrs
        )
        if one.r90_arcsec:
            place = _degrees(one.ra_deg, one.dec_deg)
            axes.add_patch(
                SphericalCircle(place, _degrees(one.r90_arcsec / 3600.0), resolution=180, **style, **icrs)
            )
    sources = {(one.name, one.ra_deg, one.dec_deg) for answer in catalogues for one in answer.sources}
    ordered = sorted(sources, key=lambda one: separation_arcsec(best.ra_deg, best.dec_deg, *one[1:]))
    near = [one for one in ordered if separation_arcsec(best.ra_deg, best.dec_deg, *one[1:]) / 60.0 < half]
    for number, (name, ra, dec) in enumerate(near):
        axes.plot(ra, dec, "s", markersize=7, fillstyle="none", color=SOFT, **icrs)
        if number < MOST_NAMES:
            axes.annotate(
                name, (ra, dec), xycoords=icrs["transform"], xytext=(6, 5), textcoords="offset points",
                fontsize=8, color=SOFT, annotation_clip=True, parse_math=False,
            )  # fmt: skip
    axes.set_title(
        f"{burst_id}   North up, East left   {angle_text(120.0 * half)} wide", fontsize=10, color=INK
    )
    outlined = [f"{regions_text(regions)}, outlined"] if regions else []
    rows = [*(_entry(one, one in shown) for one in positions), *outlined, _sources_entry(len(near))]
    colours = [*(LINES[one.origin][0] for one in positions), *([SHADE] if outlined else []), SOFT]
    for number, (colour, text) in enumerate(zip(colours, rows, strict=True)):
        row = (below - BELOW_INCH - ROW_INCH * (number + 0.5)) / height
        figure.text(0.14, row, text, fontsize=9, color=colour, va="center", parse_math=False)
    return Plot(f"{burst_id}, finding chart", f"90 % error circles: {'; '.join(rows)}.", figure)


def _degrees(value: float, other: float | None = None) -> Any:
    from astropy import units

    return (value if other is None else (value, other)) * units.deg


def _reach_arcmin(one: Position, best: Position) -> float:
    away = separation_arcsec(best.ra_deg, best.dec_deg, one.ra_deg, one.dec_deg)
    return (away + (one.r90_arcsec or 0.0)) / 60.0


def _style(one: Position, *, is_old: bool) -> dict[str, Any]:
    colour, dashes = LINES[one.origin]
    return {
        "edgecolor": colour,
        "facecolor": "none",
        "linestyle": dashes,
        "linewidth": 1.6,
        "alpha": 0.45 if is_old else 1.0,
    }


def _entry(one: Position, is_shown: bool) -> str:
    size = f"R90 {radius_text(one.r90_arcsec)}" if one.r90_arcsec else "no radius"
    place = " ".join(one.sexagesimal_text)
    return f"{one.name}: {place}, {size}{'' if is_shown else ', too large for this chart'}"


def _sources_entry(number: int) -> str:
    return f"{number or 'No'} catalogue source{'' if number == 1 else 's'} in the chart (squares)"
