"""The box of the duty: who is on duty, who has the burst, who was notified."""

import pytest

from mxtvhf.desk.duty import duty_box
from mxtvhf.desk.render import Viewer, render_burst, render_list
from mxtvhf.notification.model import Addressed, Attempt, Occurrence
from support.desk import BURST as SHOWN
from support.desk import HOSTILE, page_of, run
from support.duty import BURST, NOW, Installation, after

ADA, EVE = Viewer(name="ada", may_decide=True), Viewer(name="eve", may_decide=False)


@pytest.fixture
def installation(tmp_path):
    return Installation(tmp_path)


@pytest.fixture
def ledger(installation):
    ledger = installation.notifier().ledger
    title = f"{BURST}: first position {HOSTILE}"
    ledger.raise_occurrence(
        Occurrence(key="k", event="first_position", subject=BURST, raised=NOW, title=title, body="b")
    )
    return ledger


def box(installation, at=NOW, burst_id=BURST, **more):
    return duty_box(installation.settings, now=at, burst_id=burst_id, **more)


def page(settings, duty, viewer=ADA):
    return render_burst(page_of(settings, [run()]), base="/air/mxtvhf", viewer=viewer, duty=duty)


def test_the_person_on_duty_and_the_next_one_are_shown(installation, settings):
    duty = box(installation)
    assert (duty.on_duty, duty.following, duty.subject) == (("Ada Lovelace",), "Bob", None)
    html = render_list([], quarantined=0, base="/air/mxtvhf", viewer=ADA, duty=duty)
    assert "<strong>Ada Lovelace</strong> on duty until" in html
    assert "2026-05-11 18:00:00" in html
    assert "next Bob" in html


def test_a_gap_and_a_wrong_rota_are_one_line(installation, settings):
    assert "nobody is on duty for 14 days; everybody is notified" in page(
        settings, box(installation, after(60 * 48))
    )
    installation.policy.rota.write_text("people")
    duty = box(installation)
    assert duty.problem.startswith(f"{installation.policy.rota}: not TOML")
    assert duty.problem.endswith("everybody is notified")


def test_a_page_without_notifications_says_that_nobody_is_notified(settings):
    assert duty_box(settings, now=NOW) is None
    assert "Notifications are not configured" in page(settings, None)
    assert "Sound and browser notification" in page(settings, None)


def test_the_holder_of_a_burst_is_shown_and_a_burst_advocate_may_take_over(installation, ledger, settings):
    assert "I have it" in page(settings, box(installation))
    assert "not acknowledged" in page(settings, box(installation), EVE)
    assert "data-acknowledge" not in page(settings, box(installation), EVE)
    ledger.acknowledge(BURST, "bob", instead_of=None, now=after(1))
    html = page(settings, box(installation))
    assert "by <strong>Bob</strong> at" in html
    assert 'data-holder="bob">Take over' in html
    assert "data-acknowledge" not in page(settings, box(installation), Viewer(name="bob", may_decide=True))


def test_each_channel_is_shown_with_its_result(installation, ledger, settings):
    def attempt(channel, state, minutes, reason=""):
        one = Attempt(key="k", channel=channel, to=("ada",), state=state, reason=reason, time=after(minutes))
        ledger.log_attempt(BURST, one)

    ledger.address(BURST, Addressed(key="k", stage=0, to=("ada",), reason="on duty", time=NOW))
    ledger.address(BURST, Addressed(key="k", stage=1, to=("bob",), reason="not acknowledged", time=after(5)))
    attempt("ada/json", "failed", 0, "error=502")
    attempt("ada/json", "failed", 1, f"error=502 {HOSTILE}")
    attempt("ada/mailto", "sent", 0)
    duty = box(installation, after(6))
    assert [(line.to, line.channel, line.state, line.tries) for line in duty.notified] == [
        ("Bob", "", "queued", 0),
        ("Ada Lovelace", "ada/json", "failed", 2),
        ("Ada Lovelace", "ada/mailto", "sent", 1),
    ]
    html = page(settings, duty)
    assert "3 notifications, 2 not delivered" in html
    assert HOSTILE not in html


def test_only_a_live_burst_notifies(settings, put):
    put(f"{SHOWN}__1")
    assert f'data-burst="{SHOWN}"' in page(settings, None)
    put(f"{SHOWN}__1", is_test=True)
    assert "data-alarm" not in page(settings, None)
