"""Data of the sky view for its script, in the tangent plane of the best position."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mxtvhf.catalogues.model import CatalogueAnswer
from mxtvhf.localisation.model import CredibleRegion, LocalisedSource
from mxtvhf.models.angles import separation_arcsec, tangent_offset_arcmin
from mxtvhf.models.base import Model
from mxtvhf.models.position import INSTRUMENTS, Origin, Position, superseded
from mxtvhf.reporting.report.sky_plot import WIDEST_SKY_ARCMIN

START_R90_ARCMIN = 30.0
"""A position with a larger R90 does not set the initial view, in which precise ones would be dots."""
SMALLEST_HALF_ARCMIN = 1.0
MARGIN = 1.25
"""Ratio of the width of a view to that of its content."""
OTHER_SOURCES = "sources"
"""Layer of the other sources in the VHF photons."""


class SkyCircle(Model):
    """Position or catalogue source with its 90 % error circle."""

    layer: str
    """Layer that shows or hides it: ``position <label>``, ``sources`` or ``catalogue <name>``."""
    label: str
    style: str
    """Style: the origin as a word, ``source`` or ``catalogue``."""
    ra_deg: float
    dec_deg: float
    x: float
    """Offset to the East of the centre, arcmin."""
    y: float
    """Offset to the North, arcmin."""
    r90_arcmin: float | None
    is_superseded: bool = False
    """True if a later position of the same origin replaces it; it is drawn pale."""


class SkyOutlines(Model):
    """Outlines of a credible region."""

    layer: str
    part: float
    outlines: tuple[tuple[tuple[float, float], ...], ...]
    """Offsets to the East and the North of the centre, arcmin."""
    sky_outlines: tuple[tuple[tuple[float, float], ...], ...]
    """Right ascension and declination, ICRS degrees."""


class SkyLayer(Model):
    """Line of the legend."""

    name: str
    style: str
    words: str


class SkyFrame(Model):
    """Square view of the tangent plane."""

    x: float
    """Offset of its centre to the East of the best position, arcmin."""
    y: float
    """Offset of its centre to the North, arcmin."""
    half: float
    """Half width, arcmin."""


class SkyView(Model):
    """Content of the sky view."""

    ra_deg: float
    """Right ascension of the centre of the tangent plane, the best position."""
    dec_deg: float
    start: SkyFrame
    """Initial view: all positions with their error circles, except the widest ones."""
    everything: SkyFrame
    circles: tuple[SkyCircle, ...]
    regions: tuple[SkyOutlines, ...]
    layers: tuple[SkyLayer, ...]
    """Layers that can be shown or hidden."""

    def draws(self, position: Position) -> bool:
        """Return True if a position is drawn."""
        return any(circle.layer == f"position {position.label}" for circle in self.circles)


def sky_view(
    best: Position,
    positions: Sequence[Position],
    regions: Sequence[CredibleRegion] = (),
    catalogues: Sequence[CatalogueAnswer] = (),
    others: Sequence[LocalisedSource] = (),
) -> SkyView:
    """Return the content of the sky view.

    Parameters
    ----------
    best
        Centre of the tangent plane (gnomonic projection, North up, East left).
    positions
        All positions; those too far away for the plane are not drawn.
    regions
        Credible regions of the position from the VHF photons.
    catalogues
        Results of the catalogue searches.
    others
        Other sources in the VHF photons.
    """
    replaced = superseded(positions)
    circles = [
        _circle(
            best,
            f"position {one.label}",
            f"{one.instrument} (superseded)" if one.label in replaced else one.instrument,
            origin_word(one.origin),
            one.ra_deg,
            one.dec_deg,
            one.r90_arcsec,
            is_superseded=one.label in replaced,
        )
        for one in positions
    ]
    circles += [
        _circle(best, OTHER_SOURCES, one.name, "source", place.ra_deg, place.dec_deg, place.r90_arcsec)
        for one in others
        for place in (one.position,)
    ]
    # A source within the cones of several positions is one source.
    sources = dict.fromkeys((source.catalogue, source.name, source.ra_deg, source.dec_deg, source.r90_arcsec)
                            for answer in catalogues for source in answer.sources)  # fmt: skip
    circles += [
        _circle(best, f"catalogue {catalogue}", name, "catalogue", ra, dec, r90)
        for catalogue, name, ra, dec, r90 in sources
    ]
    near = [circle for circle in circles if circle is not None]
    measured = [
        one for one in near if one.style != "catalogue" and (one.r90_arcmin or 0.0) <= START_R90_ARCMIN
    ]
    return SkyView(
        ra_deg=best.ra_deg,
        dec_deg=best.dec_deg,
        start=_frame(measured or near),
        everything=_frame(near),
        circles=tuple(near),
        regions=tuple(_region(best, region) for region in sorted(regions, key=lambda one: -one.part)),
        layers=tuple(_layers(near, positions, regions)),
    )


def _layers(
    circles: Sequence[SkyCircle], positions: Sequence[Position], regions: Sequence[CredibleRegion]
) -> Iterator[SkyLayer]:
    """Yield the layers, the positions first."""
    words = {f"position {one.label}": one.name for one in positions}
    words[OTHER_SOURCES] = f"{INSTRUMENTS[Origin.MXT_VHF]}, other sources"
    for name, style in dict.fromkeys((circle.layer, circle.style) for circle in circles):
        yield SkyLayer(name=name, style=style, words=words.get(name) or name.removeprefix("catalogue "))
    if regions:
        parts = " and ".join(f"{100.0 * region.part:g} %" for region in regions)
        yield SkyLayer(name="region", style="region", words=f"{INSTRUMENTS[Origin.MXT_VHF]}, {parts} region")


def _circle(
    best: Position,
    layer: str,
    label: str,
    style: str,
    ra_deg: float,
    dec_deg: float,
    r90_arcsec: float | None,
    *,
    is_superseded: bool = False,
) -> SkyCircle | None:
    """Return a circle in the plane; None if it is too far away."""
    radius = None if r90_arcsec is None else r90_arcsec / 60.0
    away = separation_arcsec(best.ra_deg, best.dec_deg, ra_deg, dec_deg) / 60.0
    if away + (radius or 0.0) > 2.0 * WIDEST_SKY_ARCMIN:
        return None
    x, y = _place(best, ra_deg, dec_deg)
    return SkyCircle(
        layer=layer,
        label=label,
        style=style,
        ra_deg=ra_deg,
        dec_deg=dec_deg,
        x=x,
        y=y,
        r90_arcmin=radius,
        is_superseded=is_superseded,
    )


def _frame(circles: Sequence[SkyCircle]) -> SkyFrame:
    """Return the square view around circles, with a margin for their names."""
    reaches = [(one.x, one.y, one.r90_arcmin or 0.0) for one in circles] or [(0.0, 0.0, 1.0)]
    west, east = min(x - r for x, _, r in reaches), max(x + r for x, _, r in reaches)
    south, north = min(y - r for _, y, r in reaches), max(y + r for _, y, r in reaches)
    half = max(0.5 * MARGIN * max(east - west, north - south), SMALLEST_HALF_ARCMIN)
    return SkyFrame(x=round(0.5 * (west + east), 5), y=round(0.5 * (south + north), 5), half=round(half, 5))


def _region(best: Position, region: CredibleRegion) -> SkyOutlines:
    return SkyOutlines(
        layer="region",
        part=region.part,
        outlines=tuple(tuple(_place(best, ra, dec) for ra, dec in outline) for outline in region.outlines),
        sky_outlines=region.outlines,
    )


def _place(best: Position, ra_deg: float, dec_deg: float) -> tuple[float, float]:
    east, north = tangent_offset_arcmin(ra_deg, dec_deg, best.ra_deg, best.dec_deg)
    return round(east, 5), round(north, 5)


def origin_word(origin: str) -> str:
    """Return an origin as a class name of the style sheet."""
    return origin.lower().replace(" ", "-")
