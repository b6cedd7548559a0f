"""Facts about the direction of a burst that do not depend on the photons, for the context panel."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

from mxtvhf.catalogues.model import SourceClass
from mxtvhf.followup.model import KnownSources, LineOfSight
from mxtvhf.models.angles import angle_text
from mxtvhf.models.base import Model
from mxtvhf.models.galactic import galactic_text
from mxtvhf.models.position import Position
from mxtvhf.reporting.report.page import sky_links

PLANE_DEG = 10.0
"""Galactic latitude below which the panel warns of crowded fields and high absorption."""
SUN_LIMIT_DEG = 45.0
"""Elongation below which ground-based telescopes can hardly observe a position."""
MOON_LIMIT_DEG = 30.0
"""Angular distance below which the Moon brightens the sky around a position."""

CLASSES = {
    SourceClass.X_RAY: "X-ray sources",
    SourceClass.AGN_AND_STARS: "AGN and stars",
    SourceClass.GALAXIES: "Galaxies",
    None: "Other sources",
}


class ContextRow(Model):
    """Row of the context panel."""

    label: str
    value: str
    """Value with its unit."""
    note: str = ""
    """Conclusion, or source of the number."""


def context_rows(sight: LineOfSight) -> tuple[ContextRow, ...]:
    """Return the rows of the panel from the line of sight to a position."""
    return (*_galactic_rows(sight), *_sun_and_moon_rows(sight), *map(_source_row, sight.sources))


def _galactic_rows(sight: LineOfSight) -> Iterator[ContextRow]:
    near = "Galactic plane" if abs(sight.galactic_latitude_deg) < PLANE_DEG else ""
    yield ContextRow(label="Galactic", value=galactic_text(sight.ra_deg, sight.dec_deg), note=near)
    latitude = round(sight.ecliptic_latitude_deg, 1) + 0.0
    yield ContextRow(label="Ecliptic", value=f"latitude {latitude:+.1f} deg")
    if (dust := sight.extinction) is None:
        yield _unknown("Extinction", sight, "Galactic extinction")
    else:
        plane = "uncertain in the Galactic plane; " if near else ""
        value = f"E(B-V) {dust.e_b_v_mag:.3f}, A_V {dust.a_v_mag:.2f} mag"
        yield ContextRow(label="Extinction", value=value, note=plane + dust.source)
    if sight.nh_cm2 is None:
        yield _unknown("Galactic N_H", sight, "Galactic column")
    else:
        value = f"{sight.nh_cm2:.1e} /cm2"
        yield ContextRow(label="Galactic N_H", value=value, note=sight.nh_source or "")


def _unknown(label: str, sight: LineOfSight, quantity: str) -> ContextRow:
    note = "; ".join(reason for reason in sight.not_checked if reason.startswith(quantity))
    return ContextRow(label=label, value="unknown", note=note)


def _sun_and_moon_rows(sight: LineOfSight) -> Iterator[ContextRow]:
    """Yield the distances in whole degrees, since the parallax of the Moon is up to 1 degree."""
    if sight.sun_deg is None or sight.moon_deg is None or sight.moon_illuminated is None:
        yield _unknown("Sun, Moon", sight, "time")
        return
    note = "hardly observable from the ground" if sight.sun_deg < SUN_LIMIT_DEG else ""
    yield ContextRow(label="Sun", value=f"{sight.sun_deg:.0f} deg away", note=note)
    lit = f"{100.0 * sight.moon_illuminated:.0f} % illuminated"
    note = f"{lit}, close" if sight.moon_deg < MOON_LIMIT_DEG else lit
    yield ContextRow(label="Moon", value=f"{sight.moon_deg:.0f} deg away", note=note)


def _source_row(known: KnownSources) -> ContextRow:
    label = CLASSES[known.source_class]
    if not known.checked:
        return ContextRow(label=label, value="not checked", note=known.reason or "")
    least = "at least " if known.is_lower_limit else ""
    value = f"{least}{known.count or 'none'} within {angle_text(known.radius_arcsec)}"
    if (near := known.nearest) is None:
        return ContextRow(label=label, value=value, note=_incomplete(known))
    kind = f", {near.classification}" if near.classification else ""
    note = f"nearest: {near.name}{kind} ({near.catalogue}), {angle_text(near.separation_arcsec)}"
    return ContextRow(label=label, value=value, note="; ".join(filter(None, (note, _incomplete(known)))))


def _incomplete(known: KnownSources) -> str:
    return f"not checked: {known.reason}" if known.reason else ""


def context_links(burst_id: str, position: Position) -> dict[str, str]:
    """Return name -> address of external services for a position.

    The search radius is R90, but at least 10 arcsec and at most 1 degree.
    """
    ra, dec = f"{round(position.ra_deg, 6) % 360.0:.6f}", f"{position.dec_deg:+.6f}"
    radius = min(max(position.r90_arcsec or 60.0, 10.0), 3600.0)
    cone = {"ra": ra, "decl": dec, "radius": f"{radius:.0f}", "coords_unit": "arcsec"}
    ned = {"search_type": "Near Position Search", "in_csys": "Equatorial", "in_equinox": "J2000.0"}
    near = {"lon": f"{ra}d", "lat": f"{dec}d", "radius": f"{radius / 60.0:.3f}"}
    legacy = {"ra": ra, "dec": f"{position.dec_deg:.6f}", "layer": "ls-dr10", "zoom": 14}
    return {
        "GCN": f"https://gcn.nasa.gov/circulars?{urlencode({'query': burst_id})}",
        "TNS": f"https://www.wis-tns.org/search?{urlencode(cone)}",
        "NED": f"https://ned.ipac.caltech.edu/cgi-bin/objsearch?{urlencode(ned | near)}",
        "VizieR": "https://vizier.cds.unistra.fr/viz-bin/VizieR-4?"
        + urlencode({"-c": f"{ra} {dec}", "-c.rs": f"{radius:.0f}"}),
        "Legacy Surveys": f"https://www.legacysurvey.org/viewer?{urlencode(legacy)}",
        **sky_links(position),
    }
