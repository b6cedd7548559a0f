import pytest

from mxtvhf.catalogues.bright import BRIGHT_XRAY
from mxtvhf.catalogues.ingest import add_catalogue
from mxtvhf.catalogues.removal import remove_catalogue, set_enabled
from mxtvhf.errors import InvalidInput
from support.catalogues import write_csv


@pytest.fixture
def twice(tmp_path, small):
    """Return a catalogue with two versions."""
    add_catalogue(small.folder, write_csv(tmp_path / "b.csv", "name,ra,dec,r90", "B,10,20,5"), "small")
    return small


def names(store):
    return [(answer.catalogue, answer.version) for answer in store.cone(10.0, 20.0, 5.0)[1:]]


def test_disabled_is_not_asked_but_can_be(twice):
    set_enabled(twice.folder, "small", is_enabled=False)
    assert names(twice) == []
    assert twice.is_disabled("small")
    assert twice.cone(10.0, 20.0, 5.0, catalogue="small")[0].sources[0].name == "B"
    for _ in range(2):
        set_enabled(twice.folder, "small", is_enabled=True)
    assert names(twice) == [("small", "2")]


def test_removing_one_version_brings_back_the_one_before(twice):
    assert remove_catalogue(twice.folder, "small@2") == [2]
    assert names(twice) == [("small", "1")]


def test_a_number_is_never_given_again(tmp_path, twice):
    """Reports cite catalogue and version, so a version number is never reused."""
    set_enabled(twice.folder, "small", is_enabled=False)
    assert remove_catalogue(twice.folder, "small") == [1, 2]
    assert (names(twice), twice.versions(), twice.unreadable()) == ([], (), ())
    file = write_csv(tmp_path / "c.csv", "name,ra,dec,r90", "C,10,20,5")
    assert add_catalogue(twice.folder, file, "small").version == 3
    assert names(twice) == [("small", "3")]


@pytest.mark.parametrize("wanted", ["other", "small@7", "small@x", BRIGHT_XRAY, "../small", ""])
def test_nothing_of_this_name(twice, wanted):
    with pytest.raises(InvalidInput, match="catalogue"):
        remove_catalogue(twice.folder, wanted)
    with pytest.raises(InvalidInput, match="catalogue"):
        set_enabled(twice.folder, wanted, is_enabled=False)
    assert names(twice) == [("small", "2")]


def test_a_version_cannot_be_disabled(twice):
    with pytest.raises(InvalidInput, match="without a version"):
        set_enabled(twice.folder, "small@1", is_enabled=False)
