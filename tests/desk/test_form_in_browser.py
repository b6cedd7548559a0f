"""The form of the decision in a real browser while updates arrive: the pages of the desk without Airflow."""

import pytest
from playwright.sync_api import expect

from mxtvhf.desk.decision import AskedQuestion
from support.browser import chromium
from support.desk import BURST, NOW, html_of, run
from support.desk_server import desk_server

pytestmark = [pytest.mark.browser, pytest.mark.service]

expect.set_options(timeout=30_000)

FIRST, SECOND = f"{BURST}__1", f"{BURST}__2"


@pytest.fixture
def desk():
    with desk_server() as server:
        yield server


@pytest.fixture
def page(desk):
    with chromium() as browser:
        page = browser.new_page(base_url=f"http://127.0.0.1:{desk.server_port}")
        page.set_default_timeout(30_000)
        yield page


@pytest.fixture
def shows(desk, settings, put):
    """Make the desk show the newest of some updates, whose decisions are open."""

    def use(updates, shown=None, **question):
        for number in range(1, updates + 1):
            put(f"{BURST}__{number}")
        runs = [run(f"{BURST}__{n}", minutes=n, sequence=n) for n in range(updates, 0, -1)]
        asked = {one.run_id: AskedQuestion(run_id=one.run_id, asked=NOW, **question) for one in runs}
        desk.page = html_of(settings, runs, shown, asked)

    return use


def open_form(page):
    page.goto(f"/air/mxtvhf/desk/{BURST}")
    expect(page.locator("#answer")).to_be_visible()


def test_what_was_typed_survives_an_update_and_belongs_to_the_result_that_was_read(page, desk, shows):
    """An update replaced the form while the Burst Advocate was typing; the answer went to another report."""
    shows(1)
    open_form(page)
    page.get_by_label("Position", exact=True).select_option("eclairs-wakeup")
    page.get_by_label("Comment").fill("fading, as it seems")
    shows(2)
    hold = page.locator("[data-hold]")
    expect(hold).to_contain_text("A newer result is available. Your comment is kept.")
    expect(page.get_by_label("Comment")).to_have_value("fading, as it seems")
    expect(page.get_by_label("Position", exact=True)).to_have_value("eclairs-wakeup")
    assert page.locator("main").get_attribute("data-run") == FIRST
    hold.get_by_role("button", name="Show it").click()
    expect(page.locator("main")).to_have_attribute("data-run", SECOND)
    expect(page.get_by_label("Comment")).to_have_value("fading, as it seems")
    # Its position is of another result.
    expect(page.get_by_label("Position", exact=True)).to_have_value("best")
    page.get_by_role("button", name="Approve").click()
    page.locator("#confirm-yes").click()
    expect(page.locator("#confirm")).to_be_hidden()
    ((path, answer),) = desk.answers
    assert f"/dagRuns/{SECOND}/" in path
    assert answer["params_input"] == {"position": "best", "comment": "fading, as it seems"}


def test_a_form_that_nobody_fills_in_shows_the_newest_result(page, shows):
    shows(1)
    open_form(page)
    shows(2)
    expect(page.locator("main")).to_have_attribute("data-run", SECOND)


def test_a_question_that_is_answered_elsewhere_says_so_and_keeps_the_comment(page, shows):
    shows(1)
    open_form(page)
    page.get_by_label("Comment").fill("mine")
    shows(1, answer="Reject", answered=NOW, answered_by="bob")
    expect(page.locator("[data-hold]")).to_contain_text("This question is closed.")
    expect(page.get_by_role("button", name="Approve")).to_be_disabled()
    expect(page.get_by_label("Comment")).to_have_value("mine")
    page.get_by_role("button", name="Show it").click()
    expect(page.locator("#decision")).to_contain_text("Reject by bob")


def test_the_confirmation_names_burst_and_position_and_enter_announces_nothing(page, desk, shows):
    """The focus stood on Approve: Enter pressed twice announced a burst."""
    shows(1)
    open_form(page)
    page.get_by_role("button", name="Approve").focus()
    page.keyboard.press("Enter")
    place = page.locator("#position option").first.get_attribute("data-place")
    expect(page.locator("#confirm-text")).to_contain_text(f"Announce {BURST} at {place}")
    page.keyboard.press("Enter")
    expect(page.locator("#confirm")).to_be_hidden()
    assert desk.answers == []


def test_after_a_conflict_nothing_is_left_to_confirm(page, desk, shows):
    shows(1)
    open_form(page)
    desk.status = 409
    page.get_by_role("button", name="Reject").click()
    page.locator("#confirm-yes").click()
    expect(page.locator("#confirm-text")).to_contain_text("answered already")
    expect(page.locator("#confirm-yes")).to_be_hidden()


def test_a_comment_survives_a_reload(page, shows):
    shows(1)
    open_form(page)
    page.get_by_label("Comment").fill("do not lose me")
    page.reload()
    expect(page.get_by_label("Comment")).to_have_value("do not lose me")
