"""The rows and links of the context panel."""

from datetime import UTC, datetime
from urllib.parse import parse_qs, urlparse

import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from mxtvhf.catalogues.model import SourceClass
from mxtvhf.catalogues.store import CatalogueStore
from mxtvhf.desk.context import context_links, context_rows
from mxtvhf.followup.line_of_sight import line_of_sight
from mxtvhf.followup.model import KnownSources, NearSource
from mxtvhf.followup.sun_and_moon import sun_and_moon_deg
from mxtvhf.models.galactic import galactic_deg, galactic_text
from support.desk import position

NOW = datetime(2026, 2, 28, 12, 0, tzinfo=UTC)


def rows_at(ra, dec, now=NOW, **changes):
    sight = line_of_sight(ra, dec, now).model_copy(update=changes)
    return {row.label: row for row in context_rows(sight)}


@pytest.mark.parametrize(("ra", "dec"), [(0.0, 0.0), (266.405, -28.936), (359.9999, 89.9), (192.86, 27.13)])
def test_galactic_coordinates_are_those_of_astropy(ra, dec):
    longitude, latitude = galactic_deg(ra, dec)
    known = SkyCoord(ra, dec, unit="deg").galactic
    # Hipparcos defines the frame anew (ERFA); astropy turns FK5: 0.03 arcsec apart.
    assert SkyCoord(longitude, latitude, unit="deg", frame="galactic").separation(known) < 0.1 * u.arcsec


def test_a_longitude_that_rounds_to_a_full_turn_is_zero():
    assert galactic_text(266.404, -28.9391).startswith("l 0.00,")


def test_the_rows_have_values_with_units_and_say_what_to_conclude(tmp_path):
    rows = rows_at(266.4, -28.9)
    assert list(rows) == ["Galactic", "Ecliptic", "Extinction", "Galactic N_H", "Sun", "Moon"]
    assert rows["Galactic"].note == "Galactic plane"
    sight = line_of_sight(266.4, -28.9, NOW)
    assert rows["Galactic N_H"].value == f"{sight.nh_cm2:.1e} /cm2"
    assert rows["Extinction"].value.endswith(f"A_V {sight.extinction.a_v_mag:.2f} mag")
    assert rows["Extinction"].note.startswith("uncertain in the Galactic plane; SFD 1998")
    assert rows["Sun"].value.endswith(" deg away")
    assert "% illuminated" in rows["Moon"].note


def test_a_missing_map_is_unknown_with_its_reason_and_a_missing_ephemeris_as_well():
    rows = rows_at(
        10.0, 20.0, extinction=None, nh_cm2=None, sun_deg=None,
        not_checked=("Galactic extinction: no map", "Galactic column: no file", "time 2200: no ephemeris"),
    )  # fmt: skip
    for label, reason in (
        ("Extinction", "Galactic extinction: no map"),
        ("Galactic N_H", "Galactic column: no file"),
        ("Sun, Moon", "time 2200: no ephemeris"),
    ):
        assert (rows[label].value, rows[label].note) == ("unknown", reason)


def test_known_sources_are_counted_named_or_not_checked_but_never_silently_none(tmp_path):
    rows = {
        row.label: row
        for row in context_rows(line_of_sight(83.6331, 22.0145, NOW, catalogues=CatalogueStore(tmp_path)))
    }
    assert rows["X-ray sources"].value == "1 within 10.0'"
    assert rows["X-ray sources"].note == 'nearest: Crab, SNR_pulsar (bright-xray), 0.0"'
    assert rows["Galaxies"].value == "not checked"
    assert "mxtvhf catalogue add --contains galaxies" in rows["Galaxies"].note


def test_a_crowded_or_partly_searched_class_is_a_lower_limit():
    near = NearSource(name="G1", catalogue="hosts", classification=None, separation_arcsec=3.0)
    known = KnownSources(
        source_class=SourceClass.GALAXIES, radius_arcsec=600.0, checked=True, count=2000,
        is_lower_limit=True, reason="glade: damaged", nearest=near,
    )  # fmt: skip
    row = rows_at(10.0, 20.0, sources=(known,))["Galaxies"]
    assert row.value == "at least 2000 within 10.0'"
    assert row.note == 'nearest: G1 (hosts), 3.0"; not checked: glade: damaged'


def test_a_position_near_the_sun_is_hardly_observable():
    (ra, dec), _ = sun_and_moon_deg(NOW)
    rows = rows_at(ra, dec)
    assert (rows["Sun"].value, rows["Sun"].note) == ("0 deg away", "hardly observable from the ground")


def test_links_carry_the_position_and_a_cone_of_its_radius():
    links = context_links("sb26022802", position(ra=10.0, dec=-5.0, r90=90.0))
    assert {"GCN", "TNS", "NED", "VizieR", "SIMBAD", "Legacy Surveys"} <= links.keys()
    asked = parse_qs(urlparse(links["TNS"]).query)
    assert (asked["ra"], asked["decl"], asked["radius"]) == (["10.000000"], ["-5.000000"], ["90"])
    assert parse_qs(urlparse(links["GCN"]).query) == {"query": ["sb26022802"]}
    assert parse_qs(urlparse(links["VizieR"]).query)["-c"] == ["10.000000 -5.000000"]
