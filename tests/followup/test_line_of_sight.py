from datetime import UTC, datetime

import pytest

from mxtvhf.analysis import galactic_map
from mxtvhf.catalogues.columns import Choice
from mxtvhf.catalogues.ingest import add_catalogue
from mxtvhf.catalogues.model import SourceClass
from mxtvhf.catalogues.store import CatalogueStore
from mxtvhf.catalogues.version import data_file
from mxtvhf.errors import InvalidInput
from mxtvhf.followup.line_of_sight import line_of_sight
from support.catalogues import write_csv

NOW = datetime(2026, 2, 28, 12, 0, tzinfo=UTC)
CRAB = 83.6331, 22.0145


def add(tmp_path, name, *rows, contains=()):
    path = write_csv(tmp_path / f"{name}.csv", "name,ra,dec,r90,class", *rows)
    add_catalogue(
        tmp_path / "store",
        path,
        name,
        Choice(columns={"name": "name", "ra": "ra", "dec": "dec", "error": "r90", "class": "class"},
               units={"ra": "deg", "dec": "deg", "error": "arcsec"}, error_kind="r90"),
        contains=contains,
        confirmed=True,
    )  # fmt: skip
    return CatalogueStore(tmp_path / "store")


def classes(store, ra=10.0, dec=20.0, **more):
    sight = line_of_sight(ra, dec, NOW, catalogues=store, **more)
    return {one.source_class: one for one in sight.sources}


def test_the_bright_sources_of_the_package_are_known_without_any_catalogue(tmp_path):
    found = classes(CatalogueStore(tmp_path), *CRAB)[SourceClass.X_RAY]
    assert (found.checked, found.count, found.nearest.name) == (True, 1, "Crab")
    assert found.nearest.separation_arcsec == pytest.approx(0.0, abs=0.1)


def test_a_class_without_a_catalogue_is_not_checked(tmp_path):
    found = classes(CatalogueStore(tmp_path))
    galaxies = found[SourceClass.GALAXIES]
    assert (galaxies.checked, galaxies.count) == (False, 0)
    assert galaxies.reason.endswith("add one with mxtvhf catalogue add --contains galaxies")
    assert found[SourceClass.X_RAY].checked
    assert None not in found


def test_a_catalogue_of_one_class_is_of_this_class_as_a_whole(tmp_path):
    store = add(
        tmp_path,
        "hosts",
        "A,10.01,20.0,1,star",
        "B,10.05,20.0,1,",
        "C,11.0,20.0,1,",
        contains=[SourceClass.GALAXIES],
    )
    galaxies = classes(store)[SourceClass.GALAXIES]
    assert (galaxies.checked, galaxies.count, galaxies.nearest.name) == (True, 2, "A")
    assert galaxies.nearest.separation_arcsec == pytest.approx(33.8, abs=0.1)
    assert galaxies.reason is None


def test_a_searched_class_without_a_source_is_checked(tmp_path):
    store = add(tmp_path, "hosts", "C,11.0,20.0,1,", contains=[SourceClass.GALAXIES])
    galaxies = classes(store)[SourceClass.GALAXIES]
    assert (galaxies.checked, galaxies.count, galaxies.nearest) == (True, 0, None)


def test_the_classifications_decide_in_a_mixed_catalogue(tmp_path):
    store = add(
        tmp_path, "mixed",
        "S1,10.01,20.0,1,Seyfert_1", "S2,10.02,20.0,1,flare star", "S3,10.03,20.0,1,Galaxy",
        "S4,10.04,20.0,1,HMXB_pulsar", "S5,10.05,20.0,1,unknown object", "S6,10.06,20.0,1,QSO",
    )  # fmt: skip
    found = classes(store)
    assert {one: found[one].count for one in found} == {
        SourceClass.X_RAY: 1, SourceClass.AGN_AND_STARS: 3, SourceClass.GALAXIES: 1, None: 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("classification", "expected"),
    [
        ("Starburst galaxy", SourceClass.GALAXIES),
        ("radio_galaxy", SourceClass.AGN_AND_STARS),
        ("V*", SourceClass.AGN_AND_STARS),
        ("Sy1", SourceClass.AGN_AND_STARS),
        ("G", SourceClass.GALAXIES),
        ("GRB", None),
        ("LMXB", SourceClass.X_RAY),
    ],
)
def test_object_types_of_simbad_have_their_class(tmp_path, classification, expected):
    store = add(tmp_path, "mixed", f"S1,10.01,20.0,1,{classification}")
    assert [one for one, known in classes(store).items() if known.count] == [expected]


def test_a_damaged_catalogue_is_not_checked_with_the_reason(tmp_path):
    store = add(tmp_path, "hosts", "A,10.01,20.0,1,", contains=[SourceClass.GALAXIES])
    path = data_file(store.folder, "hosts", 1)
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-512])
    galaxies = classes(store)[SourceClass.GALAXIES]
    assert not galaxies.checked
    assert galaxies.reason.startswith("hosts: ")
    assert "damaged" in galaxies.reason


def test_the_field_is_the_error_circle_but_at_least_10_arcmin_and_at_most_a_degree(tmp_path):
    store = add(tmp_path, "hosts", "A,10.0,20.5,1,", contains=[SourceClass.GALAXIES])
    for r90, radius, count in ((None, 600.0, 0), (60.0, 600.0, 0), (2000.0, 2000.0, 1), (1e5, 3600.0, 1)):
        galaxies = classes(store, r90_arcsec=r90)[SourceClass.GALAXIES]
        assert (galaxies.radius_arcsec, galaxies.count) == (radius, count)


def test_missing_maps_and_ephemerides_are_named_and_the_rest_is_there(monkeypatch):
    monkeypatch.setattr(galactic_map, "find_spec", lambda _: None)
    galactic_map._cells.cache_clear()
    found = line_of_sight(10.0, 20.0, datetime(2200, 1, 1, tzinfo=UTC))
    assert (found.extinction, found.nh_cm2, found.sun_deg, found.moon_deg) == (None, None, None, None)
    assert len(found.not_checked) == 3
    assert found.galactic_latitude_deg == pytest.approx(-42.7, abs=0.2)
    assert found.sources == ()


@pytest.mark.parametrize("place", [(0.0, 90.0), (0.0, -90.0), (359.9999, 0.0)])
def test_poles_and_the_origin_are_valid(place, tmp_path):
    found = line_of_sight(*place, NOW, catalogues=CatalogueStore(tmp_path))
    assert found.not_checked == ()
    assert len(found.sources) == 3


def test_an_invalid_position_is_refused():
    with pytest.raises(InvalidInput, match="line of sight: invalid position"):
        line_of_sight(360.0, 0.0, NOW)
