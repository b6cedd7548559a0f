"""Make the pictures of README and docs: ``python docs/pictures.py RUN_ID``, of a `make run` that is up.

Needs the tests' packages (playwright and the headless shell of Chromium).
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from mxtvhf.operation.stack.airflow_config import admin_password
from mxtvhf.settings import read_settings

PICTURES = Path(__file__).parent / "pictures"
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


def main(run_id: str, url: str = "http://127.0.0.1:8080") -> None:
    """Log in and take pictures of the run, its report, and the desk in light, dark and on a phone."""
    PICTURES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium-headless-shell", args=OPTIONS)
        page = browser.new_context(base_url=url, viewport={"width": 1400, "height": 860}).new_page()
        log_in(page)
        page.goto(f"/dags/mxt_vhf/runs/{run_id}")
        page.get_by_role("button", name="Show Graph").click()
        expect(page.get_by_text("crosscheck_positions").first).to_be_visible()
        page.wait_for_timeout(2000)
        page.screenshot(path=PICTURES / "run.png")
        page.goto(f"/dags/mxt_vhf/runs/{run_id}/plugin/report")
        page.wait_for_timeout(3000)
        page.screenshot(path=PICTURES / "report_in_airflow.png")
        page.set_viewport_size({"width": 1100, "height": 1250})
        page.goto(f"/mxtvhf/runs/{run_id}/report.html")
        page.screenshot(path=PICTURES / "report.png")
        take_the_desk(page, run_id)
        browser.close()


def take_the_desk(page: Page, run_id: str) -> None:
    """Take the list of bursts and the page of the run's burst."""
    burst = f"/mxtvhf/desk/{run_id.split('__')[0]}?run={run_id}"
    for name, path, scheme, width, height in (
        ("desk_list", "/mxtvhf/desk", "light", 1400, 620),
        ("desk", burst, "light", 1400, 1250),
        ("desk_dark", burst, "dark", 1400, 1250),
        ("desk_phone", burst, "light", 390, 844),
    ):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": height})
        page.goto(path)
        page.wait_for_load_state("networkidle")
        page.screenshot(path=PICTURES / f"{name}.png")


def log_in(page: Page) -> None:
    """Sign in as the administrator of the embedded stack."""
    page.goto("/")
    page.fill("input[name=username]", "admin")
    page.fill("input[name=password]", admin_password(read_settings().home))
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/")


if __name__ == "__main__":
    main(*sys.argv[1:])
