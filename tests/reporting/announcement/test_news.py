"""What a new result changes against the announcement of the burst."""

import pytest

from mxtvhf.archive.products import product_folder
from mxtvhf.errors import NothingToDo
from mxtvhf.models.kept import parse_kept
from mxtvhf.models.position import Origin
from mxtvhf.reporting.announcement.change import change
from mxtvhf.reporting.announcement.deliveries import Channels
from mxtvhf.reporting.announcement.news import Result, changes_since, check_news
from mxtvhf.reporting.announcement.release import release
from support.announcements import BURST, DECIDED, ECLAIRS, T0, VHF, decision, report
from support.positions import localisation_of, place


@pytest.fixture
def out(tmp_path):
    """An announcement of our position, and one of the ECLAIRs position."""

    def announce(position=None):
        about = found()
        wanted = decision(about, position=position)
        return release(about, wanted, releases=tmp_path / "releases", channels=Channels(), now=DECIDED)

    return announce


def found(sequence=1, best=VHF, photons=300.0, **changes):
    localised = (
        localisation_of(best, n_source=photons) if best else localisation_of(None, **changes.pop("none"))
    )
    fields = {"positions": (ECLAIRS, *([best] if best else [])), "best_position": best or ECLAIRS}
    return report(sequence, localisation=localised.model_dump(), **(fields | changes))


def result(**changes):
    return parse_kept(found(2, **changes).to_json(), Result, name="report.json")


def moved(arcsec, r90=48.0):
    return place(VHF.ra_deg, VHF.dec_deg + arcsec / 3600.0, r90, label="photons", time=T0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ()),
        ({"best": moved(4.7), "photons": 329.0}, ()),
        ({"best": moved(5.0)}, ('position moved by 5.0"',)),
        ({"best": moved(0.0, 52.0)}, ()),
        ({"best": moved(0.0, 40.0)}, ('R90 40" (was 48")',)),
        ({"photons": 331.0}, ("331 source photons (were 300)",)),
        ({"verdict": "uncatalogued"}, ("verdict uncatalogued (was unclear)",)),
    ],
)
def test_a_change_counts_from_a_tenth_of_the_announced_value(out, changes, words):
    told = changes_since(out(), parse_kept(found().to_json(), Result, name="before"), result(**changes))
    assert [one.split(" apart")[0] for one in told] == list(words)


def test_without_a_source_the_upper_limit_counts(out):
    announced, before = out(), parse_kept(found().to_json(), Result, name="before")
    nothing = result(best=None, none={"upper_limit_photons": 19.0})
    assert "MXT source no longer detected" in changes_since(announced, before, nothing)
    assert changes_since(announced, nothing, before)[-1] == "MXT source detected"
    lower = result(best=None, none={"upper_limit_photons": 12.0})
    assert changes_since(announced, nothing, lower)[-1] == "upper limit 12 counts (was 19 counts)"


def test_another_announced_position_and_the_recommended_one_are_both_compared(out):
    """A better MXT position is news although the Burst Advocate chose to announce the ECLAIRs position."""
    announced, before = out(ECLAIRS.label), parse_kept(found().to_json(), Result, name="before")
    assert changes_since(announced, before, result()) == ()
    assert changes_since(announced, before, result(best=moved(0.0, 20.0))) == ('R90 20" (was 48")',)
    gone = result(positions=(VHF,))
    assert changes_since(announced, before, gone) == ("announced ECLAIRs: no position any more",)
    other = place(VHF.ra_deg, VHF.dec_deg, 48.0, Origin.VT, "vt")
    assert changes_since(announced, before, result(positions=(ECLAIRS, other), best_position=other))


@pytest.fixture
def checked(tmp_path):
    """Check whether there is news in a report."""

    def check(about):
        folder = product_folder(tmp_path / "products", BURST, about.run_id)
        folder.mkdir(parents=True)
        (folder / "report.json").write_bytes(about.to_json())
        check_news(tmp_path / "releases", tmp_path / "products", BURST, about.run_id)

    return check


def test_the_announced_result_is_not_asked_about_again(tmp_path, out, checked):
    """An update with the identical result asked "Announce this burst?" about what was announced."""
    checked(found(9, run_id=f"{BURST}__9"))
    announced = out()
    checked(found(1))
    checked(found(3, photons=400.0))
    with pytest.raises(NothingToDo, match="announcement 1 already has this result"):
        checked(found(2))
    retraction = decision(found(), action="retract", comment="A particle event.")
    where = {"releases": tmp_path / "releases", "channels": Channels(), "now": DECIDED}
    change(retraction, about=announced.ivorn, report=None, **where)
    checked(found(4))


def test_a_damaged_record_asks(tmp_path, out, checked):
    out()
    (tmp_path / "releases" / BURST / f"{BURST}__1" / "release.json").write_text("{")
    checked(found(2))
