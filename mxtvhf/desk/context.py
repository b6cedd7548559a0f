"""Facts about the direction of a burst that do not depend on the photons, for the context panel.

A provider yields rows for a position and a time; it is listed in ``PROVIDERS``. It must be fast and work
without network access, since every request of the page calls it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from math import asin, atan2, cos, degrees, radians
from urllib.parse import urlencode

import erfa

from mxtvhf.analysis.galactic_column import galactic_column
from mxtvhf.errors import InvalidInput
from mxtvhf.models.angles import separation_arcsec
from mxtvhf.models.base import Model
from mxtvhf.models.galactic import galactic_deg, galactic_text
from mxtvhf.models.position import Position
from mxtvhf.reporting.report.page import sky_links

PLANE_DEG = 10.0
"""Galactic latitude below which the panel warns of crowded fields and high absorption."""
SUN_LIMIT_DEG = 45.0
"""Elongation below which ground-based telescopes can hardly observe a position."""
MOON_LIMIT_DEG = 30.0
"""Angular distance below which the Moon brightens the sky around a position."""


class ContextRow(Model):
    """Row of the context panel."""

    label: str
    value: str
    """Value with its unit."""
    note: str = ""
    """Conclusion, or source of the number."""


Provider = Callable[[Position, datetime], Iterator[ContextRow]]
"""Function that yields rows for a position and a time (UTC)."""


def context_rows(position: Position, now: datetime) -> tuple[ContextRow, ...]:
    """Return the rows of all providers for a position and a time (UTC)."""
    return tuple(row for provider in PROVIDERS for row in provider(position, now))


def galactic_rows(position: Position, now: datetime) -> Iterator[ContextRow]:
    """Return the Galactic coordinates and the Galactic hydrogen column."""
    latitude = galactic_deg(position.ra_deg, position.dec_deg)[1]
    near = "Galactic plane" if abs(latitude) < PLANE_DEG else ""
    yield ContextRow(label="Galactic", value=galactic_text(position.ra_deg, position.dec_deg), note=near)
    try:
        column = galactic_column(position.ra_deg, position.dec_deg)
    except InvalidInput as error:
        yield ContextRow(label="Galactic N_H", value="unknown", note=str(error))
        return
    yield ContextRow(label="Galactic N_H", value=f"{column.nh_cm2:.1e} /cm2", note=column.source)


def sun_and_moon_rows(position: Position, now: datetime) -> Iterator[ContextRow]:
    """Return the angular distances of Sun and Moon, as seen from the centre of the Earth.

    In whole degrees, since the parallax of the Moon is up to 1 degree.
    """
    sun, moon = sun_and_moon_deg(now)
    away = separation_arcsec(position.ra_deg, position.dec_deg, *sun) / 3600.0
    note = "hardly observable from the ground" if away < SUN_LIMIT_DEG else ""
    yield ContextRow(label="Sun", value=f"{away:.0f} deg away", note=note)
    away = separation_arcsec(position.ra_deg, position.dec_deg, *moon) / 3600.0
    elongation = separation_arcsec(*sun, *moon) / 3600.0
    lit = f"{50.0 * (1.0 - cos(radians(elongation))):.0f} % illuminated"
    note = f"{lit}, close" if away < MOON_LIMIT_DEG else lit
    yield ContextRow(label="Moon", value=f"{away:.0f} deg away", note=note)


def sun_and_moon_deg(now: datetime) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return right ascension and declination of Sun and Moon from the centre of the Earth, degrees.

    Computed by ERFA's ``epv00`` and ``moon98``. UTC is used for TDB: in that minute the Moon moves 0.01 deg.
    """
    day = erfa.dtf2d("UTC", now.year, now.month, now.day, now.hour, now.minute, now.second)
    earth, _ = erfa.epv00(*day)
    return _direction([-float(one) for one in earth[0]]), _direction(
        [float(one) for one in erfa.moon98(*day)[0]]
    )


def _direction(place: Sequence[float]) -> tuple[float, float]:
    x, y, z = place
    distance = (x * x + y * y + z * z) ** 0.5
    return degrees(atan2(y, x)) % 360.0, degrees(asin(z / distance))


PROVIDERS: tuple[Provider, ...] = (galactic_rows, sun_and_moon_rows)
"""Providers in the order of their rows."""


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
