"""The rows of the context panel, against astropy's own coordinates."""

from datetime import UTC, datetime
from urllib.parse import parse_qs, urlparse

import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord, get_body, get_sun
from astropy.time import Time
from astropy.utils import iers

from mxtvhf.analysis.galactic_column import galactic_column
from mxtvhf.desk.context import context_links, context_rows, sun_and_moon_deg
from mxtvhf.models.galactic import galactic_deg, galactic_text
from support.desk import position

NOW = datetime(2026, 2, 28, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize("now", [NOW, datetime(2027, 9, 3, 23, 59, 30, tzinfo=UTC)])
def test_sun_and_moon_are_where_astropy_has_them(now):
    with iers.conf.set_temp("auto_download", False):
        moment = Time(now)
        expected = [get_sun(moment), get_body("moon", moment)]
    for found, known in zip(sun_and_moon_deg(now), expected, strict=True):
        place = SkyCoord(known.ra, known.dec)
        assert SkyCoord(*found, unit="deg").separation(place) < 0.05 * u.deg


@pytest.mark.parametrize(("ra", "dec"), [(0.0, 0.0), (266.405, -28.936), (359.9999, 89.9), (192.86, 27.13)])
def test_galactic_coordinates_are_those_of_astropy(ra, dec):
    longitude, latitude = galactic_deg(ra, dec)
    known = SkyCoord(ra, dec, unit="deg").galactic
    # Hipparcos defines the frame anew (ERFA); astropy turns FK5: 0.03 arcsec apart.
    assert SkyCoord(longitude, latitude, unit="deg", frame="galactic").separation(known) < 0.1 * u.arcsec


def test_a_longitude_that_rounds_to_a_full_turn_is_zero():
    assert galactic_text(266.404, -28.9391).startswith("l 0.00,")


def test_the_rows_have_values_with_units_and_say_what_to_conclude():
    rows = {row.label: row for row in context_rows(position(ra=266.4, dec=-28.9), NOW)}
    assert list(rows) == ["Galactic", "Galactic N_H", "Sun", "Moon"]
    assert rows["Galactic"].note == "Galactic plane"
    column = galactic_column(266.4, -28.9)
    assert rows["Galactic N_H"].value == f"{column.nh_cm2:.1e} /cm2"
    assert rows["Sun"].value.endswith(" deg away")
    assert "% illuminated" in rows["Moon"].note


def test_a_position_near_the_sun_is_hardly_observable():
    (ra, dec), _ = sun_and_moon_deg(NOW)
    rows = {row.label: row for row in context_rows(position(ra=ra, dec=dec), NOW)}
    assert (rows["Sun"].value, rows["Sun"].note) == ("0 deg away", "hardly observable from the ground")


def test_links_carry_the_position_and_a_cone_of_its_radius():
    links = context_links("sb26022802", position(ra=10.0, dec=-5.0, r90=90.0))
    assert {"GCN", "TNS", "NED", "VizieR", "SIMBAD", "Legacy Surveys"} <= links.keys()
    asked = parse_qs(urlparse(links["TNS"]).query)
    assert (asked["ra"], asked["decl"], asked["radius"]) == (["10.000000"], ["-5.000000"], ["90"])
    assert parse_qs(urlparse(links["GCN"]).query) == {"query": ["sb26022802"]}
    assert parse_qs(urlparse(links["VizieR"]).query)["-c"] == ["10.000000 -5.000000"]
