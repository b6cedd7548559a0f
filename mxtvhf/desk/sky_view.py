"""What the sky view draws, as data for its script: places in the tangent plane of the best position."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mxtvhf.catalogues.model import CatalogueAnswer
from mxtvhf.desk.names import instrument_name, position_name, superseded
from mxtvhf.localisation.model import CredibleRegion, LocalisedSource
from mxtvhf.models.angles import separation_arcsec, tangent_offset_arcmin
from mxtvhf.models.base import Model
from mxtvhf.models.position import Position
from mxtvhf.reporting.report.sky_plot import WIDEST_SKY_ARCMIN

START_R90_ARCMIN = 30.0
"""A wider circle does not set the view at the beginning: the finer positions would be points in it."""
SMALLEST_HALF_ARCMIN = 1.0
MARGIN = 1.25
"""Width of a view over that of what it shows."""
OTHER_SOURCES = "sources"
"""Layer of the sources that the VHF photons show beside the burst."""


class SkyCircle(Model):
    """A position or a catalogue source with its 90 % circle."""

    layer: str
    """What shows and hides it: ``position <label>``, ``sources`` or ``catalogue <name>``."""
    label: str
    style: str
    """How it is drawn: the origin's name as a word, ``source`` or ``catalogue``."""
    ra_deg: float
    dec_deg: float
    x: float
    """To the East of the centre, arcmin."""
    y: float
    """To the North."""
    r90_arcmin: float | None
    is_superseded: bool = False
    """A later position of the same origin replaced it: it is drawn pale."""


class SkyOutlines(Model):
    """A credible region."""

    layer: str
    part: float
    outlines: tuple[tuple[tuple[float, float], ...], ...]
    """East and North of the centre, arcmin."""
    sky_outlines: tuple[tuple[tuple[float, float], ...], ...]
    """The same in degrees ICRS."""


class SkyLayer(Model):
    """A line of the legend."""

    name: str
    style: str
    words: str


class SkyFrame(Model):
    """A square of the tangent plane."""

    x: float
    """East of the best position, arcmin: of the middle."""
    y: float
    """North."""
    half: float
    """Half width, arcmin."""


class SkyView(Model):
    """All that is drawn."""

    ra_deg: float
    """Of the centre of the tangent plane, the best position."""
    dec_deg: float
    start: SkyFrame
    """What is shown at the beginning: every position with its circle, except the widest ones."""
    everything: SkyFrame
    circles: tuple[SkyCircle, ...]
    regions: tuple[SkyOutlines, ...]
    layers: tuple[SkyLayer, ...]
    """What can be shown and hidden."""

    def draws(self, position: Position) -> bool:
        """Tell whether a position is drawn."""
        return any(circle.layer == f"position {position.label}" for circle in self.circles)


def sky_view(
    best: Position,
    positions: Sequence[Position],
    regions: Sequence[CredibleRegion] = (),
    catalogues: Sequence[CatalogueAnswer] = (),
    others: Sequence[LocalisedSource] = (),
) -> SkyView:
    """Put the sky view together.

    Parameters
    ----------
    best
        The centre (gnomonic projection, North up, East left).
    positions
        All positions; those too far away to be drawn in a plane are left out.
    regions
        Credible regions of the VHF position.
    catalogues
        Answers of the catalogues that were asked.
    others
        Sources that the VHF photons show beside the burst.
    """
    replaced = superseded(positions)
    circles = [
        _circle(
            best,
            f"position {one.label}",
            f"{instrument_name(one.origin)} (superseded)"
            if one.label in replaced
            else instrument_name(one.origin),
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
    """List what can be shown and hidden, the positions first."""
    words = {f"position {one.label}": position_name(one) for one in positions}
    words[OTHER_SOURCES] = "MXT (VHF), other sources"
    for name, style in dict.fromkeys((circle.layer, circle.style) for circle in circles):
        yield SkyLayer(name=name, style=style, words=words.get(name) or name.removeprefix("catalogue "))
    if regions:
        parts = " and ".join(f"{100.0 * region.part:g} %" for region in regions)
        yield SkyLayer(name="region", style="region", words=f"MXT (VHF), {parts} region")


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
    """Place a circle; None where the plane does not show it."""
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
    """Return the square around some circles, with a margin for their names."""
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
    """Write an origin as a word for a style sheet."""
    return origin.lower().replace(" ", "-")
