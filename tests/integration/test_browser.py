"""The web UI used like by a person: form, report, desk and announcement."""

import json
import re

import pytest
from playwright.sync_api import expect

from mxtvhf.operation.stack.processes import wait_until
from mxtvhf.simulator.scenario import scenario_of, write_scenario

pytestmark = [pytest.mark.integration, pytest.mark.browser]

# Of a busy machine: Playwright's own limit of 5 s is for pages that are served from memory.
expect.set_options(timeout=30_000)

BURST = "sb26022802"


@pytest.fixture(scope="module")
def burst_folder(settings):
    folder = settings.inputs / "browser"
    write_scenario(scenario_of(BURST, seed=3, role="observation"), folder)
    return folder


def field(page, name):
    return page.locator(f"[name=element_{name}]")


def open_form(page):
    page.goto("/dags/mxt_vhf")
    page.get_by_role("button", name="Trigger Dag").first.click()
    expect(field(page, "burst_id")).to_be_visible()


def test_from_the_form_to_the_announcement(page, run, burst_folder, settings):
    open_form(page)
    field(page, "burst_id").fill(BURST)
    field(page, "alert").fill(str(burst_folder / "alert.xml"))
    field(page, "packets").fill(str(burst_folder / "packets.bin"))
    before = set(run.ids())
    page.get_by_role("button", name="Trigger", exact=True).last.click()
    wait_until(lambda: set(run.ids()) - before, what="run", timeout=120)
    (run_id,) = set(run.ids()) - before
    page.goto("about:blank")  # Airflow's page is animated while the run runs, which occupies a core
    assert run.wait(run_id) == "success"

    page.goto(f"/dags/mxt_vhf/runs/{run_id}")
    expect(page.get_by_text("Success").first).to_be_visible()
    page.get_by_role("link", name="Report", exact=True).first.click()
    report = page.frame_locator("iframe")
    truth = json.loads((burst_folder / "truth.json").read_text())
    expect(report.locator("body")).to_contain_text(BURST)
    expect(report.locator("body")).to_contain_text("consistent")
    expect(report.locator("body")).to_contain_text(re.compile(f"{truth['ra_deg']:.1f}"))
    expect(report.locator("img").first).to_be_visible()

    page.goto(f"/dags/mxt_vhf/runs/{run_id}/tasks/update_BA/details")
    expect(page.get_by_role("link", name="Report", exact=True)).to_have_attribute(
        "href", re.compile("/mxtvhf/runs/.*/report.html")
    )
    desk = page.get_by_role("link", name="Desk", exact=True).last.get_attribute("href")
    page.goto(desk, timeout=180_000)  # the first page of a server waits for its imports
    expect(page.locator("#verdict")).to_contain_text("bright-xray")
    expect(page.locator("#headline")).to_contain_text("R90")
    folder = settings.releases / BURST / run_id
    approve(page, (folder / "release.json").exists)
    expect(page.locator("#decision")).to_contain_text("Approved by admin")
    expect(page.locator("#announced")).to_contain_text("nats: sent")
    page.get_by_text("Released: circular").click()
    circular = (folder / "circular.txt").read_text()
    expect(page.locator("#announced pre:visible")).to_contain_text("R.A. (J2000)")
    assert "Seen at night, looks fine." in circular
    assert json.loads((folder / "decision.json").read_text())["decided_by"] == "admin"


def approve(page, is_released):
    """Approve with a comment, and repeat it if a slow scheduler asks the question again."""

    def over():
        button = page.get_by_role("button", name="Approve", exact=True)
        if button.is_visible() and not page.locator("#confirm").is_visible():
            page.get_by_label("Comment").fill("Seen at night, looks fine.")
            button.click()
            expect(page.locator("#confirm-text")).to_contain_text("Seen at night, looks fine.")
            page.locator("#confirm-yes").click()
        page.wait_for_timeout(2000)
        return is_released()

    wait_until(over, what="release", timeout=180)


def test_the_form_describes_and_checks_its_fields(page):
    open_form(page)
    expect(page.get_by_text("SVOM burst id, sbYYMMDDnn")).to_be_visible()
    expect(page.get_by_text("This field is required").first).to_be_visible()
    assert page.get_by_role("button", name="Trigger", exact=True).last.is_disabled()


def test_the_openapi_page_loads_only_from_this_server(page, stack):
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto("/mxtvhf/docs")
    expect(page.locator(".opblock").get_by_text("/processing")).to_be_visible()
    assert any(url.endswith("swagger-ui-bundle.js") for url in requests)
    assert all(url.startswith((stack.url, "data:")) for url in requests)


def test_a_user_without_login_is_redirected_to_the_login_and_back(browser, stack):
    """A link to the desk without a session used to show raw JSON."""
    page = browser.new_page(base_url=stack.url)
    page.set_default_timeout(60_000)
    wanted = "/mxtvhf/desk?from=message"
    page.goto(wanted)
    expect(page.locator("input[name=username]")).to_be_visible()
    page.fill("input[name=username]", "admin")
    page.fill("input[name=password]", stack.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{stack.url}{wanted}")
    expect(page.get_by_role("heading", level=1)).to_have_text("MXT-VHF desk")
    expect(page.locator("footer")).to_contain_text("admin")
    page.close()
