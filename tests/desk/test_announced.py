"""What is announced: state, checklist, the circular for GCN's form, and the forms of its correction."""

import json
from datetime import timedelta

import pytest

from mxtvhf.archive.archive import Archive, Retraction
from mxtvhf.archive.products import product_folder
from mxtvhf.desk.announced import announced
from mxtvhf.desk.burst_list import burst_lines
from mxtvhf.desk.decision import AskedQuestion
from mxtvhf.desk.files import DeskFiles
from mxtvhf.desk.render import Viewer, render_burst, render_list
from mxtvhf.desk.states import State
from mxtvhf.models.kept import read_kept
from mxtvhf.reporting.announcement.change import change
from mxtvhf.reporting.announcement.deliveries import Channels
from mxtvhf.reporting.announcement.model import Decision
from mxtvhf.reporting.announcement.release import release
from mxtvhf.reporting.announcement.submission import name_event, record_submission
from mxtvhf.reporting.report.model import Report
from support.desk import BURST, HOSTILE, NOW, Elements, html_of, page_of, run

RUN = f"{BURST}__1"


def report_of(settings, run_id=RUN):
    return read_kept(product_folder(settings.products, BURST, run_id) / "report.json", Report)


def decision(run_id=RUN, **changes):
    fields = {
        "run_id": run_id,
        "burst_id": BURST,
        "choice": "approve",
        "decided_by": "ann",
        "decided_at": NOW,
    }
    return Decision.model_validate({**fields, **changes})


@pytest.fixture
def released(settings, put):
    """A burst whose announcement is out."""
    put(RUN)
    where = {"releases": settings.releases, "channels": Channels(), "now": NOW}
    return release(report_of(settings), decision(comment=HOSTILE), **where)


@pytest.fixture
def retracted(settings, released):
    wanted = decision(action="retract", comment="A particle event.", decided_by="bob")
    where = {"releases": settings.releases, "channels": Channels(), "now": NOW + timedelta(minutes=1)}
    return change(wanted, about=released.ivorn, report=None, **where)


def state(settings):
    page = page_of(settings, [run()])
    return page.state, page.state_words


def test_a_release_has_a_checklist_for_gcn(settings, released):
    html = html_of(settings, [run()])
    assert "Still to do by hand" in html
    links = [link["href"] for link in Elements(html).named("a") if "gcn.nasa.gov" in link.get("href", "")]
    assert any(link.startswith("https://gcn.nasa.gov/circulars/new?subject=") for link in links)
    assert "webhook: off (not configured)" in html
    assert HOSTILE not in html
    assert state(settings) == (State.RELEASED, "released, not sent")


def test_a_test_has_no_checklist(settings, put):
    put(f"{RUN}__test", is_test=True)
    about = report_of(settings, f"{RUN}__test")
    release(about, decision(about.run_id), releases=settings.releases, channels=Channels(), now=NOW)
    html = html_of(settings, [run(f"{RUN}__test")])
    assert "Announcement 1" in html
    assert "gcn.nasa.gov/circulars/new" not in html


def test_the_number_of_the_circular_is_the_state(settings, released):
    record_submission(settings.releases / BURST / RUN, 44454, by="ann", at=NOW)
    assert state(settings) == (State.SUBMITTED, "submitted, GCN 44454")
    html = html_of(settings, [run()])
    assert "Submitted as GCN 44454, recorded by ann" in html
    assert "submitted, GCN 44454</span>" in html


def test_the_name_of_the_event_comes_into_the_circular_that_is_submitted(settings, released):
    assert page_of(settings, [run()]).announcement.circular.subject.startswith(f"{BURST}: SVOM")
    name_event(settings.releases, BURST, "GRB 260228B", by="ann", at=NOW)
    box = page_of(settings, [run()]).announcement
    assert box.circular.subject.startswith("GRB 260228B: SVOM")
    assert box.event == "GRB 260228B"


def test_a_retraction_is_the_state_and_can_be_submitted_too(settings, retracted):
    assert state(settings)[0] is State.WITHDRAWN
    page = page_of(settings, [run()])
    assert [one.release.number for one in page.announcement.history] == [1, 2]
    html = html_of(settings, [run()])
    assert "It retracts announcement 1." in html
    assert "retraction of the SVOM/MXT result" in html
    assert 'id="retract-form"' not in html
    assert "Earlier announcements" in html


def test_after_a_retraction_by_svom_ours_is_prepared(settings, released):
    """The page said nothing of the announcement that was out, and no retraction was drafted."""
    retraction = Retraction(ivorn=f"ivo://org.svom/fsc#{BURST}_retraction", received=NOW)
    Archive(settings.archive).mark_retracted(BURST, retraction, is_test=False)
    html = html_of(settings, [run()])
    assert "RETRACTED by SVOM" in html
    assert "UTC is released, though not sent, and must be retracted" in html
    (details,) = [one for one in Elements(html).named("details") if one.get("id") == "retract"]
    assert "open" in details
    assert "SVOM retracted the burst.</textarea>" in html
    assert f"We retract the SVOM/MXT result on the burst {BURST} that we reported earlier." in html
    # The circular of the detection is no longer to be submitted, but its number belongs into the retraction.
    assert "Copy the circular" not in html
    assert "gcn.nasa.gov/circulars/new" not in html
    assert "If its circular was submitted, record the number: the retraction names it." in html
    # What SVOM retracted is not corrected.
    assert 'id="correct-form"' not in html


def test_a_viewer_sees_the_announcement_and_no_buttons(settings, released):
    viewer = Viewer(name="eve", may_decide=False)
    html = render_burst(page_of(settings, [run()]), base="/air/mxtvhf", viewer=viewer)
    section = html[html.index('id="announced"') : html.index("</section>", html.index('id="announced"'))]
    assert "Announcement 1" in section
    for form in ("event", "submission", "retract-form", "correct-form"):
        assert f'<form id="{form}"' not in section


def test_a_correction_offers_the_positions_of_the_displayed_report(settings, released, put):
    put(f"{BURST}__2", written=(NOW + timedelta(hours=30000)).isoformat())
    box = page_of(settings, [run(f"{BURST}__2", minutes=2, sequence=2), run()]).announcement
    assert box.run_id == f"{BURST}__2"
    assert next(position.label for position in box.choices) == report_of(settings).best_position.label


def test_tests_and_real_announcements_are_apart(settings, released):
    files = DeskFiles(settings)
    assert len(announced(BURST, files, is_test=False)) == 1
    assert announced(BURST, files, is_test=True) == ()


def test_a_damaged_record_of_the_circular_does_not_stop_the_page(settings, released):
    (settings.releases / BURST / RUN / "submission.json").write_text("{")
    assert "Still to do by hand" in html_of(settings, [run()])
    assert json.loads((settings.releases / BURST / RUN / "release.json").read_bytes())["number"] == 1


LATER = {"written": (NOW + timedelta(hours=30000)).isoformat()}
UPDATED = [run(f"{BURST}__2", minutes=2, sequence=2), run()]


def asked_again(settings, put, **changes):
    """Return the page and the line of an update of an announced burst whose question is open."""
    put(f"{BURST}__2", **LATER, **changes)
    question = AskedQuestion(run_id=f"{BURST}__2", asked=NOW)
    page = page_of(settings, UPDATED, questions={question.run_id: question})
    (line,) = burst_lines(UPDATED, {}, {question.run_id}, DeskFiles(settings))
    return page, line


def test_an_update_with_the_announced_result_needs_no_decision(settings, released, put):
    """It fell from "released" to "awaiting decision" about the identical position."""
    record_submission(settings.releases / BURST / RUN, 44454, by="ann", at=NOW)
    page, line = asked_again(settings, put)
    assert (page.state, page.state_words) == (State.SUBMITTED, "submitted, GCN 44454")
    assert (line.state, line.needs_you, line.best) == (State.SUBMITTED, False, released.position)
    html = render_burst(page, base="")
    assert "Announcement 1 already has this result. No decision is needed." in html
    assert 'id="answer"' not in html
    assert ">announcement 1</span>" not in render_list([line], quarantined=0, base="")


def test_an_update_that_changes_the_announced_result_says_what(settings, released, put):
    """Neither box nor list said that anything was announced."""
    page, line = asked_again(settings, put, verdict="inconsistent")
    assert (page.state, line.state) == (State.AWAITING_DECISION, State.AWAITING_DECISION)
    box = render_burst(page, base="").split('id="decision"')[1]
    assert "is out; changed since: verdict inconsistent (was " in box
    assert "<em>Approve</em> publishes announcement 2." in box
    assert ">announcement 1</span>" in render_list([line], quarantined=0, base="")


def test_a_replay_is_not_covered_by_the_announcement(settings, released, put):
    replay = f"{RUN}__replay_20260301T000000.000000Z"
    put(replay, is_replay=True, **LATER)
    assert page_of(settings, [run(replay), run()]).state is State.FINAL
