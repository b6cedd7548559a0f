"""The list of bursts in a real browser: order, filters, rows on a phone; many bursts, and none."""

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from mxtvhf.desk.burst_list import BurstLine
from mxtvhf.desk.render import render_list
from mxtvhf.desk.states import State
from mxtvhf.models.ids import RunKind
from support.desk import NOW, position
from support.desk_server import desk_server

pytestmark = [pytest.mark.browser, pytest.mark.service]

expect.set_options(timeout=30_000)


def line(number, **more):
    fields = {
        "burst_id": f"sb2602{number % 28 + 1:02d}{number % 99:02d}",
        "kind": RunKind.LIVE,
        "state": State.FINAL,
        "address": "x",
        "since": NOW - timedelta(hours=number),
        "trigger_time": NOW - timedelta(hours=number),
        "verdict": "consistent",
        "verdict_words": "consistent with ECLAIRs, 7.19' away",
        "best": position(ra=(37.3 * number) % 360.0, r90=10.0 + (7 * number) % 90),
        "latency_s": 2.5,
        "updates": 1,
        "latest": NOW,
    }
    return BurstLine(**(fields | more))


def only_notices(number):
    return line(
        number, state=State.NO_PHOTONS, verdict="", verdict_words="eclairs-wakeup, SNR 9", latency_s=None
    )


@pytest.fixture
def shown(browser):
    """Open the list with some lines, on a screen of some width."""
    with desk_server() as desk:
        pages = []

        def show(lines, width=1280):
            desk.pages["desk"] = render_list(lines, quarantined=0, base="/air/mxtvhf", now=NOW)
            page = browser.new_page(
                base_url=f"http://127.0.0.1:{desk.server_port}", viewport={"width": width, "height": 844}
            )
            page.set_default_timeout(30_000)
            page.goto("/air/mxtvhf/desk")
            pages.append(page)
            return page

        yield show
        for page in pages:
            page.close()


def test_bursts_that_need_a_person_come_first_and_old_notices_are_folded(shown):
    """18 notices buried the list, and the open decision stood somewhere in it."""
    lines = [line(1), line(50, state=State.AWAITING_DECISION), *map(only_notices, range(100, 300))]
    page = shown(lines)
    expect(page.get_by_role("heading", name="Needs you (1)")).to_be_visible()
    assert page.locator("tbody tr").first.get_attribute("data-state") == "awaiting decision"
    expect(page.get_by_text("200 older bursts with notices only")).to_be_visible()
    assert page.locator("tbody tr:visible").count() == 2
    page.get_by_label("Find").fill("eclairs-wakeup")
    expect(page.locator("tbody tr:visible")).to_have_count(200)


def test_five_hundred_bursts_stay_sorted_after_an_update(shown):
    page = shown([line(number) for number in range(500)])
    page.get_by_role("button", name="R90").click()
    radii = page.eval_on_selector_all("tbody tr", "rows => rows.map(row => Number(row.dataset.r90))")
    assert radii == sorted(radii)
    assert len(radii) == 500
    expect(page.locator("th[aria-sort=ascending]")).to_contain_text("R90")
    page.get_by_role("button", name="R90").click()
    assert page.locator("tbody tr").first.get_attribute("data-r90") == f"{max(radii):.1f}"
    page.evaluate("document.dispatchEvent(new CustomEvent('desk:changed'))")
    assert page.locator("tbody tr").first.get_attribute("data-r90") == f"{max(radii):.1f}"


def test_a_row_on_a_phone_is_at_most_a_hundred_pixels_high_and_nothing_runs_out_of_it(shown):
    """A burst took 195 pixels, most of them dashes."""
    lines = [
        line(1, state=State.AWAITING_DECISION, is_updating=True, verdict="uncatalogued"),
        line(2, kind=RunKind.TEST, state=State.RELEASED),
        line(3, best=None, verdict="", verdict_words="", latency_s=None),
        only_notices(4),
    ]
    page = shown(lines, width=390)
    heights = page.eval_on_selector_all("tbody tr", "rows => rows.map(row => row.offsetHeight)")
    assert max(heights) <= 100
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    expect(page.locator("tbody").first).to_contain_text("2026-02-28 11:00")
    assert page.locator("tbody th a").first.bounding_box()["width"] > 70
