"""Which report an answer is about, and what the question shows."""

import json
import os
from datetime import UTC, datetime, timedelta

import pytest

from mxtvhf.archive.products import FINAL_REPORT, PRELIMINARY_REPORT, product_folder
from mxtvhf.errors import InvalidInput
from mxtvhf.models.files import sha256_of, write_atomically
from mxtvhf.models.kept import parse_kept
from mxtvhf.models.position import Origin
from mxtvhf.reporting.announcement.chat import message
from mxtvhf.reporting.announcement.content import announceable_first, chosen_position, recommended
from mxtvhf.reporting.announcement.drafts import texts
from mxtvhf.reporting.announcement.model import Decision
from mxtvhf.reporting.announcement.question import (
    OutdatedAnswer,
    answered_report,
    decided_report,
    decision_of,
    read_report,
    write_question,
)
from support.announcements import BURST, DECIDED, ECLAIRS, VHF, announcement, report
from support.positions import place

RUN = f"{BURST}__1"
WRITTEN = datetime(2026, 5, 11, 11, 5, tzinfo=UTC)
BEFORE, AFTER = WRITTEN - timedelta(seconds=1), WRITTEN + timedelta(seconds=1)


@pytest.fixture
def keep(tmp_path):
    """Write a report into the products of its run, and return its digest."""

    def write(status, **changes):
        path = product_folder(tmp_path, BURST, RUN) / (
            FINAL_REPORT if status == "final" else PRELIMINARY_REPORT
        )
        raw = report(status=status, **changes).to_json()
        write_atomically(path, raw)
        os.utime(path, (WRITTEN.timestamp(), WRITTEN.timestamp()))
        return sha256_of(raw)

    return write


@pytest.fixture
def about(tmp_path):
    """Return the status of the report that an answer is about."""

    def use(digest, answered=AFTER):
        found, kept = answered_report(tmp_path, BURST, RUN, digest=digest, answered=answered)
        assert kept == digest
        return found.status

    return use


def test_the_preliminary_report_can_be_answered_until_the_final_one_is_there(tmp_path, keep, about):
    early = keep("preliminary")
    assert about(early) == "preliminary"
    final = keep("final")
    assert about(final) == "final"
    # An answer that was first counts, although it is carried out after the final report was written.
    assert about(early, answered=BEFORE) == "preliminary"
    with pytest.raises(OutdatedAnswer, match=rf"{RUN}: the answer is not about the newest \(final\) report"):
        about(early, answered=AFTER)
    assert read_report(tmp_path, BURST, RUN)[1] == final


@pytest.mark.parametrize("digest", [None, "", "ab" * 32])
def test_an_answer_about_another_report_is_outdated(keep, about, digest):
    keep("preliminary")
    keep("final")
    with pytest.raises(OutdatedAnswer):
        about(digest, answered=BEFORE)


def test_a_run_without_a_report_cannot_be_answered_about(about):
    with pytest.raises(InvalidInput, match="the report cannot be read"):
        about("ab" * 32)


def test_the_announced_report_is_that_of_the_decision(tmp_path, keep):
    early, final = keep("preliminary"), keep("final")
    assert decided_report(tmp_path, BURST, RUN, early).status == "preliminary"
    assert decided_report(tmp_path, BURST, RUN, final).status == "final"
    keep("final", headline="made anew")
    with pytest.raises(InvalidInput, match="has changed since the decision"):
        decided_report(tmp_path, BURST, RUN, final)


def test_a_decision_names_the_report_that_was_read(keep):
    digest = keep("preliminary")
    read = report(status="preliminary")
    decision = decision_of(
        read, digest, options=["Approve"], answers={}, decided_by="ada", decided_at=DECIDED
    )
    assert (decision.report_status, decision.report_sha256) == ("preliminary", digest)


def test_a_decision_of_version_0_2_was_about_the_final_report():
    kept = {"run_id": RUN, "burst_id": BURST, "choice": "approve", "decided_by": "ada"}
    kept |= {"decided_at": "2026-05-11T11:20:00Z"}
    raw = json.dumps(kept).encode()
    read = parse_kept(raw, Decision, name="decision.json")
    assert (read.report_status, read.report_sha256) == ("final", None)


def asked(tmp_path, status):
    return write_question(
        report(status=status),
        out=tmp_path / "out",
        releases=tmp_path / "releases",
        desk_url="http://x/desk",
        page="http://x/r",
    )


def test_the_drafts_of_a_report_are_next_to_it(tmp_path):
    """The drafts of the preliminary report were those that the page showed with the final one."""
    early, final = asked(tmp_path, "preliminary"), asked(tmp_path, "final")
    assert "[circular](http://x/r/preliminary/drafts/circular.txt)" in early.body
    assert "[Report](http://x/r/preliminary/report.html)" in early.body
    assert early.body.startswith("**Preliminary**")
    assert "[circular](http://x/r/drafts/circular.txt)" in final.body
    for folder, words in (("preliminary/drafts", True), ("drafts", False)):
        text = (tmp_path / "out" / folder / "circular.txt").read_text()
        assert ("This result is preliminary" in text) is words


def test_airflows_form_keeps_the_lines_of_the_circular(tmp_path):
    """It shows a code block without a language as one line."""
    assert "```text\n" in asked(tmp_path, "final").body


def test_every_text_says_that_the_result_is_preliminary():
    early = announcement(report(status="preliminary"))
    for name, text in texts(early).items():
        assert b"preliminary" in text, name
    assert "preliminary" not in message(announcement(report()))


def test_the_reference_gp_is_not_announced_as_the_best_position_either():
    """It was the best position of the report, and would have been announced as that of MXT GP."""
    gp = place(212.51, -12.73, 30.0, Origin.GP, "reference service", data_stream="XBand")
    outcome = {"available": True, "is_reference": True}
    changes = {"best_position": gp, "positions": (ECLAIRS, VHF, gp)}
    ours = report(gp=outcome, **changes)
    assert recommended(ours) == VHF
    assert announceable_first(ours) == (VHF, ECLAIRS)
    assert chosen_position(ours, "best") == VHF
    partner = report(gp=outcome | {"is_reference": False}, **changes)
    assert recommended(partner) == gp
    without = report(gp=outcome, **changes | {"positions": (ECLAIRS, gp)})
    assert recommended(without) == ECLAIRS
    with pytest.raises(InvalidInput, match="no position can be announced"):
        chosen_position(report(gp=outcome, **changes | {"positions": (gp,)}), "best")
