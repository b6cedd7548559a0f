"""The duty in a real browser: "I have it", and the opt-in sound and notification, without Airflow."""

import re
from dataclasses import replace

import pytest
from playwright.sync_api import expect

from mxtvhf.desk.duty import duty_box
from mxtvhf.desk.render import Viewer, render_burst
from mxtvhf.desk.states import State
from mxtvhf.notification.ledger import Ledger
from mxtvhf.notification.model import Occurrence
from mxtvhf.operation.stack.processes import wait_until
from support.browser import opened
from support.desk import BURST, NOW, page_of, run
from support.desk_server import desk_server
from support.duty import Installation

pytestmark = [pytest.mark.browser, pytest.mark.service]

expect.set_options(timeout=30_000)

RECORD = """
window.calls = [];
window.Notification = class { constructor(title) { window.calls.push(title); } };
window.Notification.permission = "granted";
window.Notification.requestPermission = async () => "granted";
"""
"""A headless browser shows no notification: what would be shown is kept."""


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(Installation(tmp_path / "duty").settings.notifications)
    ledger.raise_occurrence(
        Occurrence(key="k", event="first_position", subject=BURST, raised=NOW, title="t: t", body="b")
    )
    return ledger


@pytest.fixture
def desk():
    with desk_server() as server:
        yield server


@pytest.fixture
def shows(desk, ledger, tmp_path, settings, put):
    """Make the desk show the burst in a state."""
    put(f"{BURST}__1")
    installation = Installation(tmp_path / "duty")

    def use(state=State.RUNNING):
        page = replace(page_of(settings, [run(state="running")]), state=state)
        duty = duty_box(installation.settings, now=NOW, burst_id=BURST)
        viewer = Viewer(name="ada", may_decide=True)
        desk.pages[f"desk/{BURST}"] = render_burst(page, base="/air/mxtvhf", viewer=viewer, duty=duty)

    return use


@pytest.fixture
def page(browser, desk, shows):
    shows()
    with opened(browser, f"http://127.0.0.1:{desk.server_port}") as page:
        page.add_init_script(RECORD)
        page.goto(f"/air/mxtvhf/desk/{BURST}")
        yield page


def test_the_acknowledgement_is_sent_and_shown_with_the_name(page, desk, ledger, shows):
    page.get_by_role("button", name="I have it").click()
    expect(page.locator("#announcement")).to_have_text("You have it.")
    body = {"subject": BURST, "instead_of": None}
    assert desk.answers == [(f"/air/mxtvhf/desk/{BURST}/acknowledge", body)]
    ledger.acknowledge(BURST, "ada", instead_of=None, now=NOW)
    shows()
    expect(page.locator("#duty")).to_contain_text("by Ada Lovelace at")
    expect(page.get_by_role("button", name="I have it")).to_have_count(0)


def test_the_second_acknowledgement_gets_the_name_of_the_first(page, desk):
    refusal = f"{BURST}: acknowledged by bob at 12:00:00 UTC; reload the page"
    desk.status, desk.body = 409, {"detail": refusal}
    page.get_by_role("button", name="I have it").click()
    expect(page.locator("#alarm-note")).to_have_text(f"Not accepted: {refusal}")


def test_a_take_over_names_the_previous_holder(page, desk, ledger, shows):
    ledger.acknowledge(BURST, "bob", instead_of=None, now=NOW)
    shows()
    page.get_by_role("button", name="Take over").click()
    expect(page.locator("#announcement")).to_have_text("You have it.")
    assert desk.answers[0][1]["instead_of"] == "bob"


def test_only_an_opt_in_browser_notifies_of_an_open_decision(page, shows):
    shows(State.PRELIMINARY)
    expect(page.locator("#duty")).to_have_attribute("data-alarm", re.compile("^preliminary"))
    assert page.evaluate("window.calls") == []
    page.get_by_label("Sound and browser notification").check()
    expect(page.locator("#alarm-note")).to_have_text("On.")
    shows(State.AWAITING_DECISION)
    wait_until(lambda: page.evaluate("window.calls"), what="the call", timeout=60)
    assert page.evaluate("window.calls")[0].startswith(f"{BURST}: awaiting decision")
    page.reload()
    expect(page.get_by_label("Sound and browser notification")).to_be_checked()
