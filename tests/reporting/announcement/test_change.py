"""An announcement that is out is corrected or retracted once, by one person, wherever it is killed."""

import itertools
import multiprocessing
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import voeventparse

from mxtvhf.errors import InvalidInput
from mxtvhf.reporting.announcement.change import announcements, change, draft_of_retraction, resume
from mxtvhf.reporting.announcement.circular import circular
from mxtvhf.reporting.announcement.deliveries import Channels
from mxtvhf.reporting.announcement.model import Release
from mxtvhf.reporting.announcement.release import release
from mxtvhf.reporting.announcement.submission import name_event, record_submission
from mxtvhf.reporting.messages import Outbox, read_message
from mxtvhf.settings import AnnouncementTexts
from support.announcements import BURST, DECIDED, ECLAIRS, decision, report
from support.release_process import retract_and_die
from support.webhook_server import WebhookServer

FIRST, SECOND = (f"ivo://mxt-vhf/announcements#{BURST}_{number}" for number in (1, 2))
LATER = DECIDED + timedelta(minutes=9)


@pytest.fixture
def webhook(tmp_path):
    with WebhookServer(tmp_path) as server:
        yield server


@pytest.fixture
def releases(tmp_path):
    return tmp_path / "releases"


@pytest.fixture
def channels(tmp_path, webhook):
    return Channels(outbox=tmp_path / "outbox", webhook=webhook.url_file)


@pytest.fixture
def announced(releases, channels):
    return release(report(), decision(report()), releases=releases, channels=channels, now=DECIDED)


@pytest.fixture
def alter(releases, channels):
    def use(action="retract", about=FIRST, new=None, *, reason="A particle event.", by="Bob", **more):
        fields = {"action": action, "comment": reason, "decided_by": by, "decided_at": LATER}
        position = more.pop("position", None)
        return change(
            decision(new or report(), **fields, position=position),
            about=about,
            report=new,
            releases=releases,
            channels=channels,
            now=LATER,
            **more,
        )

    return use


def sent(tmp_path):
    return [read_message(path.read_bytes()) for path in Outbox(tmp_path / "outbox").waiting()]


def test_a_retraction_is_archived_and_sent_with_its_reason(announced, alter, releases, webhook, tmp_path):
    retracted = alter()
    folder = releases / BURST / f"{BURST}__announcement_2"
    assert Release.model_validate_json((folder / "release.json").read_bytes()) == retracted
    assert (retracted.number, retracted.supersedes, retracted.is_retraction) == (2, FIRST, True)
    assert (retracted.decision.decided_by, retracted.decision.comment) == ("Bob", "A particle event.")
    event = voeventparse.loads((folder / "voevent.xml").read_bytes())
    assert (FIRST, "retraction") in [(str(one), one.get("cite")) for one in event.Citations.EventIVORN]
    first, second = sent(tmp_path)
    assert (first.action, second.action, second.comment) == ("announce", "retract", "A particle event.")
    assert webhook.texts[1].startswith(f"{BURST}: retraction of the SVOM/MXT result")
    assert [one.number for one in announcements(releases / BURST, is_test=False)] == [1, 2]


def test_a_correction_announces_the_newest_report_instead(announced, alter, releases):
    corrected = alter("correct", new=report(2))
    folder = releases / BURST / f"{BURST}__announcement_2"
    assert (corrected.number, corrected.supersedes, corrected.decision.run_id) == (2, FIRST, f"{BURST}__2")
    event = voeventparse.loads((folder / "voevent.xml").read_bytes())
    assert (FIRST, "supersedes") in [(str(one), one.get("cite")) for one in event.Citations.EventIVORN]
    assert b'"alert_type": "update"' in (folder / "gcn_notice.json").read_bytes()
    # It can be retracted in its turn.
    assert alter(about=SECOND).supersedes == SECOND


def test_a_correction_may_choose_another_position_of_the_announced_report(announced, alter):
    assert alter("correct", new=report(), position=ECLAIRS.label).position.label == ECLAIRS.label


def test_a_later_announcement_supersedes_the_correction(announced, alter, releases, channels):
    alter("correct", new=report(2))
    newer = report(3)
    third = release(newer, decision(newer), releases=releases, channels=channels, now=LATER)
    assert (third.number, third.supersedes) == (3, SECOND)


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        ({"about": "ivo://x/y#z"}, "there is no announcement ivo://x/y#z"),
        ({"reason": " \n "}, "the reason is missing"),
        ({"action": "correct", "new": report()}, f"announcement 1 already has this position of {BURST}__1"),
        ({"action": "correct", "new": report(is_replay=True)}, "a replay of an archived alert"),
        ({"action": "correct", "new": report(2), "retracted_by": "ivo://a#b"}, "the burst was retracted"),
        ({"action": "correct", "new": report(2), "position": "moon"}, "position 'moon'"),
    ],
)
def test_an_impossible_change_is_refused_with_one_sentence(
    announced, alter, webhook, releases, arguments, cause
):
    with pytest.raises(InvalidInput, match=cause) as raised:
        alter(**arguments)
    assert "\n" not in str(raised.value)
    assert len(webhook.got) == 1
    assert not (releases / BURST / f"{BURST}__announcement_2").exists()


def test_nothing_is_retracted_without_an_announcement(alter):
    with pytest.raises(InvalidInput, match=f"{BURST}: nothing was announced, so nothing can be changed"):
        alter()


def test_an_older_report_does_not_correct_a_newer_one(releases, channels, alter):
    release(report(2), decision(report(2)), releases=releases, channels=channels, now=DECIDED)
    with pytest.raises(InvalidInput, match=f"the newer result {BURST}__2"):
        alter("correct", new=report(1))


def test_the_second_retraction_names_the_first_author(announced, alter, webhook):
    alter(by="Bob")
    for about in (FIRST, SECOND):
        with pytest.raises(InvalidInput, match="announcement 1 was already retracted by Bob, 2026-05-11"):
            alter(by="Eve", about=about)
    assert len(webhook.got) == 2


def test_after_a_correction_the_older_announcement_is_not_retracted(announced, alter):
    alter("correct", new=report(2), by="Bob")
    with pytest.raises(InvalidInput, match=r"announcement 2 is newer \(corrected by Bob, 2026-05-11"):
        alter(by="Eve")


def test_of_concurrent_changes_one_wins_and_the_others_are_told_who(announced, alter, webhook, tmp_path):
    start = threading.Barrier(4)

    def one(name):
        start.wait()
        try:
            return alter(by=name)
        except InvalidInput as error:
            return str(error)

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(one, ("Ann", "Bob", "Cid", "Eve")))
    (won,) = [result for result in results if isinstance(result, Release)]
    refused = [result for result in results if not isinstance(result, Release)]
    assert all(f"already retracted by {won.decision.decided_by}" in cause for cause in refused)
    assert (len(webhook.got), len(sent(tmp_path))) == (2, 2)


def test_changes_of_tests_are_separate_and_never_sent(alter, releases, channels, webhook):
    about = report(is_test=True)
    first = release(about, decision(about), releases=releases, channels=channels, now=DECIDED)
    retracted = alter(about=first.ivorn)
    assert (retracted.is_test, retracted.ivorn) == (True, f"ivo://mxt-vhf/announcements#{BURST}_test_2")
    assert webhook.got == []


def test_texts_contain_the_records_of_the_previous_announcement(announced, alter, releases):
    record_submission(releases / BURST / f"{BURST}__1", 44454, by="Ada", at=LATER)
    name_event(releases, BURST, "GRB 260511A", by="Ada", at=LATER)
    alter(texts=AnnouncementTexts(authors=["D. Example (CEA)"], advocates={"Bob": "B. Example (IJCLab)"}))
    text = (releases / BURST / f"{BURST}__announcement_2" / "circular.txt").read_text()
    assert "Subject: GRB 260511A: retraction of the SVOM/MXT result" in text
    assert "B. Example (IJCLab), D. Example (CEA) report on behalf" in text
    assert "in GCN Circ. 44454." in text


def test_the_draft_of_a_retraction_can_be_read_in_advance(announced, releases):
    text = circular(draft_of_retraction(releases / BURST, announced, "SVOM retracted the burst.")).decode()
    assert "SVOM retracted the burst." in text
    assert not (releases / BURST / f"{BURST}__announcement_2").exists()


def test_nothing_is_resumed_without_an_interruption(announced, alter, releases, channels):
    assert resume(releases / BURST, channels) is None
    assert resume(releases / "sb26051199", channels) is None
    alter()
    assert resume(releases / BURST, channels) is None


PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["mxtvhf.reporting.announcement.change"])


@pytest.mark.slow
def test_killed_at_any_step_it_is_retracted_once(tmp_path, releases, webhook, channels):
    for kill_at in itertools.count(1):
        burst = f"sb2605{kill_at:04d}"
        about = report(burst_id=burst, run_id=f"{burst}__1")
        out = release(about, decision(about), releases=releases, channels=channels, now=DECIDED)
        before = len(webhook.got)
        process = PROCESSES.Process(
            target=retract_and_die, args=(burst, out.ivorn, str(tmp_path), str(webhook.url_file), kill_at)
        )
        process.start()
        process.join(60)
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL
        # Killed before it was reserved, nothing was said, and it may be asked for again.
        if (
            resume(releases / burst, channels) is None
            and len(announcements(releases / burst, is_test=False)) < 2
        ):
            assert len(webhook.got) == before
            continue
        first, second = announcements(releases / burst, is_test=False)
        assert (first.number, second.number, second.is_retraction) == (1, 2, True)
        assert len(webhook.got) - before <= 1
        told = [one for one in sent(tmp_path) if one.burst_id == burst]
        assert [one.action for one in told] == ["announce", "retract"]
    assert kill_at > 10
