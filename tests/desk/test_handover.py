from datetime import timedelta

import pytest

from mxtvhf.desk.burst_list import burst_lines
from mxtvhf.desk.files import DeskFiles
from mxtvhf.desk.handover import handover
from mxtvhf.desk.render import render_handover
from support.desk import BURST, HOSTILE, NOW, release_of, run

HOUR = timedelta(hours=1)


@pytest.fixture
def shift_of(settings):
    """Put the hand-over of some hours together."""

    def put_together(runs, since, until, asked=()):
        files = DeskFiles(settings)
        lines = burst_lines(runs, {}, asked, files)
        return handover(lines, files, since=since, until=until)

    return put_together


def test_the_hand_over_lists_a_burst_with_its_decision_and_comments(settings, put, shift_of):
    put(f"{BURST}__1")
    release_of(settings)
    DeskFiles(settings).comments.add(BURST, "VT sees it fade.", author="bob", now=NOW + HOUR)
    shift = shift_of([run()], NOW - HOUR, NOW + 2 * HOUR)
    (entry,) = shift.entries
    assert [one.choice for one in entry.decisions] == ["approve"]
    assert [release.number for release, _ in entry.announcements] == [1]
    assert [one.text for one in entry.comments] == ["VT sees it fade."]
    html = render_handover(shift, base="/mxtvhf")
    assert HOSTILE not in html
    assert "announcement 1, sent" in html
    assert f"approved by ann, 2026-02-28 12:00:00: {HOSTILE}" in shift.text
    assert "announcement 1, sent, 2026-02-28 12:00:00" in shift.text
    assert "bob, 2026-02-28 13:00:00: VT sees it fade." in shift.text


def test_events_of_another_shift_are_left_out(settings, put, shift_of):
    put(f"{BURST}__1")
    release_of(settings)
    later = NOW + timedelta(days=3)
    assert shift_of([run()], later, later + HOUR).entries == ()
    assert "No bursts in this shift." in render_handover(shift_of([run()], later, later + HOUR), base="")


def test_an_open_question_is_handed_over_whatever_its_age(put, shift_of):
    put(f"{BURST}__1")
    later = NOW + timedelta(days=3)
    shift = shift_of([run()], later, later + HOUR, asked={f"{BURST}__1"})
    assert [entry.line.burst_id for entry in shift.open] == [BURST]
    assert "1 burst, 1 open" in shift.text


def test_a_comment_on_an_old_burst_adds_it_to_the_hand_over(settings, put, shift_of):
    put(f"{BURST}__1")
    later = NOW + timedelta(days=3)
    DeskFiles(settings).comments.add(BURST, "host found", author="bob", now=later)
    (entry,) = shift_of([run()], later, later + HOUR).entries
    assert (entry.decisions, len(entry.comments)) == ((), 1)
