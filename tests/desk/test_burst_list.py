from datetime import timedelta

import pytest

from mxtvhf import __version__
from mxtvhf.archive.archive import Archive, Retraction
from mxtvhf.desk.burst_list import BurstLine, burst_lines, list_sections, verdict_words
from mxtvhf.desk.files import DeskFiles
from mxtvhf.desk.handover import handover
from mxtvhf.desk.render import Viewer, render_handover, render_list
from mxtvhf.desk.states import State
from mxtvhf.models.ids import RunKind
from mxtvhf.notices.voevent import read_alert
from support.desk import BURST, NOW, Elements, html_of, release_of, run


def test_the_list_has_one_line_per_burst_and_kind_open_decisions_first(settings, put):
    replay = f"{BURST}__1__replay_20260301T000000.000000Z"
    put(f"{BURST}__2")
    put(replay, is_replay=True)
    runs = [run(replay, minutes=60), run(f"{BURST}__2", minutes=2), run(minutes=1)]
    receiving = {"sb26022809": NOW + timedelta(days=1), BURST: NOW}
    lines = burst_lines(runs, receiving, {f"{BURST}__2"}, DeskFiles(settings))
    assert [(line.burst_id, line.kind, line.state) for line in lines] == [
        (BURST, RunKind.LIVE, State.AWAITING_DECISION),
        ("sb26022809", RunKind.LIVE, State.RECEIVING),
        (BURST, RunKind.REPLAY, State.FINAL),
    ]
    live = lines[0]
    assert (live.updates, live.address, live.verdict) == (2, BURST, "consistent")
    assert lines[2].address == f"{BURST}?run={replay}"
    assert 0.0 < live.latency_s < 600.0
    html = render_list(lines, quarantined=3, base="/mxtvhf", viewer=Viewer("ada", may_decide=True))
    assert "<title>(1) MXT-VHF desk</title>" in html
    assert "ada · MXT-VHF" in html
    page = Elements(html)
    rows = [row for row in page.named("tr") if "data-kind" in row]
    assert [("hidden" in row, row["data-kind"]) for row in rows] == [
        (False, "live"),
        (False, "live"),
        (True, "replay"),
    ]


def test_a_retracted_burst_needs_a_person_only_until_its_announcement_is_retracted(settings, put):
    put(f"{BURST}__1")
    Archive(settings.archive).mark_retracted(
        BURST, Retraction(ivorn="ivo://x/y#z", received=NOW), is_test=False
    )
    (line,) = burst_lines([run()], {}, (), DeskFiles(settings))
    assert (line.state, line.needs_you) == (State.RETRACTED, False)
    release_of(settings)
    (line,) = burst_lines([run()], {}, (), DeskFiles(settings))
    assert line.needs_you


def test_old_bursts_with_notices_only_are_folded_where_they_are_many():
    def waiting(number, hours):
        return BurstLine(
            burst_id=f"sb260228{number:02d}", kind=RunKind.LIVE, state=State.RECEIVING, address="x",
            since=NOW - timedelta(hours=hours), verdict="", verdict_words="", best=None, latency_s=None,
            updates=0,
            latest=NOW,
        )  # fmt: skip

    few, young = [waiting(number, 30) for number in range(5)], waiting(9, 1)
    assert list_sections(few, NOW).notices_only == ()
    many = [young, *few, waiting(6, 50)]
    divided = list_sections(many, NOW)
    assert divided.bursts == (young,)
    assert divided.notices_only == tuple(many[1:])


def test_a_test_without_a_report_is_a_test_by_its_alert(settings):
    by_hand = run(f"{BURST}__7", is_test=True)
    lines = burst_lines([by_hand, run()], {}, set(), DeskFiles(settings))
    assert [(line.kind, line.state) for line in lines] == [
        (RunKind.TEST, State.NO_PHOTONS),
        (RunKind.LIVE, State.NO_PHOTONS),
    ]
    assert "TEST" in html_of(settings, [by_hand])


def test_unreadable_inputs_are_counted():
    assert "1 unreadable input" in render_list([], quarantined=1, base="")
    assert "All inputs OK" in render_list([], quarantined=0, base="")


def test_a_retraction_marks_list_and_page(settings, put, processed):
    put(f"{BURST}__1")
    alert = read_alert((processed / "input" / "alert.xml").read_bytes())
    retraction = Retraction(ivorn=alert.ivorn, received=NOW)
    Archive(settings.archive).mark_retracted(BURST, retraction, is_test=False)
    (line,) = burst_lines([run()], {}, (), DeskFiles(settings))
    assert line.state is State.RETRACTED
    assert "RETRACTED by SVOM, received " in html_of(settings, [run()])


@pytest.mark.parametrize(
    ("headline", "verdict", "words"),
    [
        ("sb · R90 · consistent with ECLAIRs, 1.0' away", "", "consistent with ECLAIRs, 1.0' away"),
        ("sb · consistent with ECLAIRs", "consistent", "consistent with ECLAIRs"),
        ("sb · inconsistent with ECLAIRs · uncatalogued", "uncatalogued", "inconsistent with ECLAIRs"),
        ("sb · no MXT position · known source 4U 1", "known source", "4U 1; no MXT position"),
        ("sb · R90 · uncatalogued, no catalogue checked", "uncatalogued", "no catalogue checked"),
        (
            "sb · consistent with ECLAIRs (1.0' away), no",
            "consistent",
            "consistent with ECLAIRs (1.0' away), no",
        ),
    ],
)
def test_the_verdict_in_words(settings, put, headline, verdict, words):
    put(f"{BURST}__1", headline=headline, verdict=verdict)
    assert verdict_words(DeskFiles(settings).summary(BURST, f"{BURST}__1")) == words


def test_the_page_shows_the_version():
    assert f"MXT-VHF {__version__}" in render_list((), quarantined=0, base="/mxtvhf")


def test_a_run_without_a_readable_notice_has_no_t0_and_its_reason(settings):
    """The list and the hand-over gave the creation of the run as T0, and "failed" without a reason."""
    words = "reception_message: /inbox/nope.xml: No such file"
    files, failed = DeskFiles(settings), run(state="failed")
    lines = burst_lines([failed], {}, (), files, failures={failed.run_id: words})
    assert [(line.state, line.trigger_time, line.since) for line in lines] == [(State.FAILED, None, NOW)]
    html = render_list(lines, quarantined=0, base="")
    assert words in html
    assert "2026-02-28 12:00" not in html
    shift = handover(lines, files, since=NOW - timedelta(hours=1), until=NOW + timedelta(hours=1))
    assert "failed, T0 unknown" in shift.text
    assert "T0 unknown" in render_handover(shift, base="")
