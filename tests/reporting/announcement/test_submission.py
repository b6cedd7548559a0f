"""The number of the circular and the name of the event: checked, kept, and corrected without a loss."""

from datetime import timedelta

import pytest

from mxtvhf.errors import InvalidInput
from mxtvhf.reporting.announcement.deliveries import Channels
from mxtvhf.reporting.announcement.release import release
from mxtvhf.reporting.announcement.submission import event_of, name_event, record_submission, submission_of
from support.announcements import BURST, DECIDED, decision, report

LATER = DECIDED + timedelta(minutes=9)


@pytest.fixture
def releases(tmp_path):
    return tmp_path / "releases"


def released(releases, **changes):
    about = report(**changes)
    release(about, decision(about), releases=releases, channels=Channels(), now=DECIDED)
    return releases / BURST / about.run_id


def test_the_number_is_recorded_with_name_and_time(releases):
    folder = released(releases)
    assert submission_of(folder) is None
    record_submission(folder, 44454, by="Ada", at=LATER)
    found = submission_of(folder)
    assert (found.circular, found.recorded_by, found.recorded_at) == (44454, "Ada", LATER)


def test_a_corrected_number_keeps_the_first_one_in_the_archive(releases):
    folder = released(releases)
    record_submission(folder, 44454, by="Ada", at=LATER)
    record_submission(folder, 44455, by="Bob", at=LATER + timedelta(minutes=1))
    assert submission_of(folder).circular == 44455
    assert len(list((folder / "record").glob("submission-*.json"))) == 1


@pytest.mark.parametrize("number", [0, -1, 10_000_000, "x", 1.5, None])
def test_an_invalid_circular_number_is_refused(releases, number):
    with pytest.raises(InvalidInput, match="circular: "):
        record_submission(released(releases), number, by="Ada", at=LATER)


def test_only_what_was_released_is_submitted_and_no_test(releases):
    with pytest.raises(InvalidInput, match="nothing was released"):
        record_submission(releases / BURST / f"{BURST}__1", 44454, by="Ada", at=LATER)
    with pytest.raises(InvalidInput, match="tests are never submitted"):
        record_submission(released(releases, is_test=True), 44454, by="Ada", at=LATER)


@pytest.mark.parametrize("name", ["GRB 260511A", "EP260509a", "GRB260511B", " GRB 260511A ", "SGR 1935+2154"])
def test_names_of_events(tmp_path, name):
    name_event(tmp_path, BURST, name, by="Ada", at=LATER)
    assert event_of(tmp_path / BURST) == name.strip()


@pytest.mark.parametrize(
    "name",
    [
        *("", "grb", "<b>GRB</b>", "GRB 260511A: new", "GRB\n260511A", "G" * 60),
        *("GRB 251301A", "GRB 990511A", "GRB260518B"),
    ],
)
def test_an_invalid_event_name_is_refused(tmp_path, name):
    with pytest.raises(InvalidInput, match="name: "):
        name_event(tmp_path, BURST, name, by="Ada", at=LATER)
    assert event_of(tmp_path / BURST) is None


def test_a_new_name_keeps_the_old_one_in_the_archive(tmp_path):
    name_event(tmp_path, BURST, "GRB 260511A", by="Ada", at=LATER)
    name_event(tmp_path, BURST, "GRB 260511B", by="Ada", at=LATER + timedelta(minutes=1))
    assert event_of(tmp_path / BURST) == "GRB 260511B"
    assert len(list((tmp_path / BURST / "record").glob("event-*.json"))) == 1
