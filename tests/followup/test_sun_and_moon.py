"""Sun and Moon against astropy's own coordinates."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from astropy import units as u
from astropy.coordinates import BarycentricTrueEcliptic, SkyCoord, get_body, get_sun
from astropy.time import Time
from astropy.utils import iers

from mxtvhf.errors import InvalidInput
from mxtvhf.followup.sun_and_moon import ecliptic_latitude_deg, illuminated_fraction, sun_and_moon_deg
from mxtvhf.followup.visibility import visibility

NOW = datetime(2026, 2, 28, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize("now", [NOW, datetime(2027, 9, 3, 23, 59, 30, tzinfo=UTC)])
def test_sun_and_moon_are_where_astropy_has_them(now):
    with iers.conf.set_temp("auto_download", False):
        moment = Time(now)
        expected = [get_sun(moment), get_body("moon", moment)]
    for found, known in zip(sun_and_moon_deg(now), expected, strict=True):
        place = SkyCoord(known.ra, known.dec)
        assert SkyCoord(*found, unit="deg").separation(place) < 0.02 * u.deg


@pytest.mark.parametrize(("ra", "dec"), [(0.0, 0.0), (266.405, -28.936), (10.0, 90.0), (192.86, -90.0)])
def test_the_ecliptic_latitude_is_that_of_astropy(ra, dec):
    known = SkyCoord(ra, dec, unit="deg").transform_to(BarycentricTrueEcliptic(equinox="J2000"))
    assert ecliptic_latitude_deg(ra, dec) == pytest.approx(known.lat.deg, abs=0.01)


def test_the_full_moon_is_opposite_to_the_sun():
    assert illuminated_fraction(180 * 3600.0) == pytest.approx(1.0)
    assert illuminated_fraction(90 * 3600.0) == pytest.approx(0.5)


@pytest.mark.parametrize(
    "moment",
    [
        datetime(1899, 12, 31, tzinfo=UTC),
        datetime(2100, 1, 1, tzinfo=UTC),
        datetime(1900, 1, 1, tzinfo=timezone(timedelta(hours=14))),
        datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-14))),
    ],
)
def test_a_year_without_an_ephemeris_is_refused(moment):
    with pytest.raises(InvalidInput, match="no ephemeris of Sun and Moon; expected a year of 1900 to 2099"):
        sun_and_moon_deg(moment)
    with pytest.raises(InvalidInput, match="no ephemeris"):
        visibility(10.0, 20.0, moment)
