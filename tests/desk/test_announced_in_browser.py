"""The forms of an announcement in a real browser: record, retract, correct; the desk without Airflow."""

import pytest
from playwright.sync_api import expect

from mxtvhf.archive.archive import Archive, Retraction
from mxtvhf.archive.products import product_folder
from mxtvhf.models.files import sha256_of
from mxtvhf.models.kept import read_kept
from mxtvhf.reporting.announcement.deliveries import Channels
from mxtvhf.reporting.announcement.model import Decision
from mxtvhf.reporting.announcement.release import release
from mxtvhf.reporting.announcement.submission import record_submission
from mxtvhf.reporting.report.model import Report
from support.browser import opened
from support.desk import BURST, NOW, html_of, run
from support.desk_server import desk_server

pytestmark = [pytest.mark.browser, pytest.mark.service]

expect.set_options(timeout=30_000)

RUN = f"{BURST}__1"
RETRACTION, CORRECTION = "Reason, published with the retraction", "Reason, published with the correction"


@pytest.fixture
def desk(settings, put):
    """The page of a burst whose announcement is out."""
    put(RUN)
    about = read_kept(product_folder(settings.products, BURST, RUN) / "report.json", Report)
    decided = Decision(run_id=RUN, burst_id=BURST, choice="approve", decided_by="ann", decided_at=NOW)
    release(about, decided, releases=settings.releases, channels=Channels(), now=NOW)
    with desk_server() as server:
        server.pages[f"desk/{BURST}"] = html_of(settings, [run()])
        yield server


@pytest.fixture
def page(browser, desk):
    with opened(browser, f"http://127.0.0.1:{desk.server_port}") as page:
        page.goto(f"/air/mxtvhf/desk/{BURST}")
        yield page


def test_the_number_of_the_circular_is_recorded_and_shown(page, desk, settings):
    page.get_by_label("GCN Circular").fill("44454")
    record_submission(settings.releases / BURST / RUN, 44454, by="ann", at=NOW)
    desk.pages[f"desk/{BURST}"] = html_of(settings, [run()])
    page.get_by_role("button", name="Submitted").click()
    expect(page.locator("#announced")).to_contain_text("Submitted as GCN 44454, recorded by ann")
    assert desk.answers == [(f"/air/mxtvhf/desk/{BURST}/submission", {"circular": "44454", "run": RUN})]


def test_an_invalid_number_gives_an_error_next_to_the_field(page, desk):
    problem = "body.circular: found 'GCN 1', expected a valid integer"
    desk.status, desk.body = 422, {"detail": problem}
    page.get_by_label("GCN Circular").fill("GCN 1")
    page.get_by_label("GCN Circular").press("Enter")
    expect(page.locator("#submission [data-error]")).to_have_text(problem)
    expect(page.get_by_label("GCN Circular")).to_have_value("GCN 1")


def test_a_retraction_is_confirmed_and_enter_retracts_nothing(page, desk):
    page.get_by_text("Retract announcement 1").click()
    page.get_by_label(RETRACTION).fill("A particle event.")
    page.get_by_role("button", name="Retract", exact=True).focus()
    page.keyboard.press("Enter")
    words = f'Retract announcement 1 of {BURST}, with the reason "A particle event."?'
    expect(page.locator("#change-text")).to_have_text(words)
    page.keyboard.press("Enter")
    expect(page.locator("#change")).to_be_hidden()
    assert desk.answers == []
    page.get_by_role("button", name="Retract", exact=True).click()
    page.locator("#change-yes").click()
    expect(page.locator("#change")).to_be_hidden()
    ((path, sent),) = desk.answers
    assert path == f"/air/mxtvhf/desk/{BURST}/change"
    assert sent == {
        "action": "retract",
        "about": f"ivo://mxt-vhf/announcements#{BURST}_1",
        "reason": "A particle event.",
    }


def test_a_retraction_without_a_reason_is_not_sent(page, desk):
    page.get_by_text("Retract announcement 1").click()
    page.get_by_role("button", name="Retract", exact=True).click()
    expect(page.locator("#change")).to_be_hidden()
    assert desk.answers == []


def test_the_first_author_is_named_and_nothing_is_left_to_confirm(page, desk, settings):
    problem = "announcement 1 was already retracted by bob, 2026-02-28 12:01:00 UTC"
    desk.status, desk.body = 409, {"detail": problem}
    page.get_by_text("Correct announcement 1").click()
    page.get_by_label("Position to announce instead").select_option(index=1)
    page.get_by_label(CORRECTION).fill("Better one.")
    page.get_by_role("button", name="Correct", exact=True).click()
    expect(page.locator("#change-text")).to_contain_text("is not the recommended position. Recommended: MXT")
    page.locator("#change-yes").click()
    expect(page.locator("#change-text")).to_contain_text(f"Not accepted: {problem}")
    sent = desk.answers[0][1]
    report = (settings.products / BURST / RUN / "report.json").read_bytes()
    assert (sent["action"], sent["run"], sent["report"]) == ("correct", RUN, sha256_of(report))
    expect(page.locator("#change-yes")).to_be_hidden()
    page.get_by_role("button", name="Go back").click()
    expect(page.get_by_label(CORRECTION)).to_have_value("Better one.")


def test_a_typed_reason_survives_a_refresh_of_the_page(page, desk, settings):
    page.get_by_text("Retract announcement 1").click()
    page.get_by_label(RETRACTION).fill("Do not lose me.")
    record_submission(settings.releases / BURST / RUN, 44454, by="bob", at=NOW)
    desk.pages[f"desk/{BURST}"] = html_of(settings, [run()])
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#top")).to_contain_text("submitted, GCN 44454")
    expect(page.get_by_label(RETRACTION)).to_have_value("Do not lose me.")


def test_the_link_in_the_banner_of_a_retraction_is_readable(page, desk, settings):
    """It was dark blue on red in the light theme."""
    retraction = Retraction(ivorn="ivo://org.svom/fsc#x", received=NOW)
    Archive(settings.archive).mark_retracted(BURST, retraction, is_test=False)
    desk.pages[f"desk/{BURST}"] = html_of(settings, [run()])
    page.reload()
    colour = "one => getComputedStyle(one).color"
    banner = page.locator(".banner.retracted")
    assert banner.locator("a").evaluate(colour) == banner.evaluate(colour)
