"""The form of the decision in a real browser while updates arrive: the pages of the desk without Airflow."""

import pytest
from playwright.sync_api import expect

from mxtvhf.desk.decision import AskedQuestion
from support.browser import opened
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
def page(browser, desk):
    with opened(browser, f"http://127.0.0.1:{desk.server_port}") as page:
        yield page


@pytest.fixture
def shows(desk, settings, put):
    """Make the desk show the newest of some updates, whose decisions are open."""

    def use(updates, shown=None, status="final", report=None, **question):
        for number in range(1, updates + 1):
            put(f"{BURST}__{number}", status, **(report or {}))
        runs = [run(f"{BURST}__{n}", minutes=n, sequence=n) for n in range(updates, 0, -1)]
        asked = {one.run_id: AskedQuestion(run_id=one.run_id, asked=NOW, **question) for one in runs}
        desk.pages[f"desk/{BURST}"] = html_of(settings, runs, shown, asked)

    return use


def open_form(page):
    page.goto(f"/air/mxtvhf/desk/{BURST}")
    expect(page.locator("#answer")).to_be_visible()


def test_typed_text_survives_an_update_and_belongs_to_its_result(page, desk, shows):
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
    assert path.endswith(f"/desk/{BURST}/answer?run={SECOND}")
    shown = page.locator("main").get_attribute("data-report")
    assert answer["params_input"] == {"position": "best", "comment": "fading, as it seems", "report": shown}


def test_the_final_report_keeps_a_form_that_was_filled_in_with_the_preliminary_one(page, desk, shows):
    """The final report updates the question; the answer stays one about the report that was read."""
    shows(1, status="preliminary")
    open_form(page)
    expect(page.locator("[data-news]")).to_contain_text("You can decide now")
    read = page.locator("#answer").get_attribute("data-report")
    page.get_by_label("Position", exact=True).select_option("eclairs-wakeup")
    eclairs = page.locator("#position option[value=eclairs-wakeup]").get_attribute("data-place")
    expect(page.locator("#chosen-place")).to_have_text(eclairs)
    page.get_by_label("Comment").fill("looks fine")
    shows(1, report={"verdict": "inconsistent"})
    hold = page.locator("[data-hold]")
    expect(hold).to_contain_text("Updated by the final report: verdict inconsistent (was ")
    expect(hold).to_contain_text("Your comment is kept.")
    expect(page.locator("#verdict-title")).not_to_contain_text("inconsistent")
    expect(page.locator("#banners")).to_contain_text("PRELIMINARY")
    expect(page.get_by_label("Position", exact=True)).to_have_value("eclairs-wakeup")
    refusal = "A newer result is available, the final report. Read it, then decide."
    desk.status, desk.body = 409, {"detail": refusal}
    page.get_by_role("button", name="Approve").click()
    page.locator("#confirm-yes").click()
    expect(page.locator("#confirm-text")).to_contain_text("A newer result is available, the final report.")
    expect(page.locator("#confirm-yes")).to_be_hidden()
    assert desk.answers.pop()[1]["params_input"]["report"] == read
    page.get_by_role("button", name="Go back").click()
    hold.get_by_role("button", name="Show it").click()
    expect(page.locator("#verdict-title")).to_contain_text("inconsistent")
    expect(page.get_by_label("Comment")).to_have_value("looks fine")
    expect(page.get_by_label("Position", exact=True)).to_have_value("best")
    newest = page.locator("#answer").get_attribute("data-report")
    assert newest not in (read, None)
    desk.status, desk.body = 200, {}
    page.get_by_role("button", name="Approve").click()
    page.locator("#confirm-yes").click()
    expect(page.locator("#confirm")).to_be_hidden()
    assert desk.answers.pop()[1]["params_input"]["report"] == newest


def test_the_confirmation_names_the_recommended_position_if_another_one_is_chosen(page, desk, shows):
    """It asked about the ECLAIRs position as about any other, without a word of the better one."""
    shows(1)
    open_form(page)
    best = page.locator("#position option").first
    words = f"Recommended: MXT (VHF photons), {best.get_attribute('data-place')}."
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("#confirm-text")).not_to_contain_text("Recommended")
    page.get_by_role("button", name="Go back").click()
    page.get_by_label("Position", exact=True).select_option("eclairs-wakeup")
    page.get_by_role("button", name="Approve").click()
    asked = f"ECLAIRs (eclairs-wakeup) is not the recommended position. {words}"
    expect(page.locator("#confirm-text")).to_contain_text(asked)


def test_an_untouched_form_shows_the_newest_result(page, shows):
    shows(1)
    open_form(page)
    shows(2)
    expect(page.locator("main")).to_have_attribute("data-run", SECOND)


def test_a_question_answered_elsewhere_is_closed_and_keeps_the_comment(page, shows):
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
    desk.status, desk.body = 409, {"detail": "Already answered by bob, 2026-02-28 12:00:00 UTC."}
    page.get_by_role("button", name="Reject").click()
    page.locator("#confirm-yes").click()
    expect(page.locator("#confirm-text")).to_contain_text("Already answered by bob")
    expect(page.locator("#confirm-yes")).to_be_hidden()


def test_a_comment_survives_a_reload(page, shows):
    shows(1)
    open_form(page)
    page.get_by_label("Comment").fill("do not lose me")
    page.reload()
    expect(page.get_by_label("Comment")).to_have_value("do not lose me")
