"""The Burst Advocate's desk in a real Airflow and a real browser."""

import json
import re
from io import BytesIO
from zipfile import ZipFile

import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from mxtvhf.simulator.scenario import scenario_of, write_scenario
from support.airflow_runs import conf_of

pytestmark = [pytest.mark.integration, pytest.mark.browser]

expect.set_options(timeout=30_000)

BURST = "sb26050402"
RUN = f"{BURST}__1"
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def conf(settings):
    folder = settings.inputs / "desk"
    write_scenario(scenario_of(BURST, seed=4), folder)
    return conf_of(BURST, folder) | {"sequence": 1}


def gp_says(state):
    return json.dumps({"processing_descriptor": {"process_id": "job-1", "state": state}}).encode()


@pytest.fixture(scope="module")
def finished(run, conf):
    """Return a finished run."""
    assert run(f"{BURST}__2", 300, **{**conf, "sequence": 2}) == "success"
    return f"{BURST}__2"


def zoom_in(page):
    page.get_by_role("button", name="Zoom in").click()
    ring = page.locator("#sky-canvas circle.s-mxt-vhf")
    expect(ring).to_have_count(1)
    page.wait_for_timeout(100)
    return float(ring.get_attribute("r"))


def test_the_page_follows_a_run_without_a_reload(page, run, conf, bad_gp):
    with bad_gp("status", gp_says("RUNNING")) as gp:
        assert run.api.start_run(RUN, conf)
        # The first page of a server waits for the imports.
        page.goto(f"/mxtvhf/desk/{BURST}", timeout=180_000)
        page.evaluate("window.loadedOnce = true")
        expect(page.locator("#banners")).to_contain_text("PRELIMINARY - GP running", timeout=120_000)
        expect(page.locator("#headline")).to_contain_text(re.compile("running\\s*for [0-9]+ (s|min)"))
        # The decision does not wait for GP.
        expect(page.locator("#top")).to_contain_text("awaiting decision", timeout=120_000)
        expect(page.locator("#answer [data-news]")).to_contain_text("You can decide now")
        radius = zoom_in(page)
        page.get_by_role("checkbox", name=re.compile("on board")).first.uncheck()
        page.get_by_text("Explanation").click()
        page.evaluate("window.scrollTo(0, 300)")
        gp.status = gp_says("FAILED")
        expect(page.locator("#banners")).not_to_contain_text("PRELIMINARY", timeout=120_000)
        expect(page.locator("#answer [data-news]")).to_contain_text("final report")
    assert page.evaluate("window.loadedOnce")
    expect(page.locator("#announcement")).to_contain_text(f"{BURST}: ")
    expect(page.locator("#headline")).to_contain_text("failed")
    ring = page.locator("#sky-canvas circle.s-mxt-vhf")
    assert float(ring.get_attribute("r")) == pytest.approx(radius, rel=0.01)
    expect(page.locator("#sky-canvas circle.s-mxt-on-board")).to_have_count(0)
    expect(page.locator("#explanation")).to_have_attribute("open", "")
    # Not thrown back to the top; the browser takes off what became shorter above.
    assert page.evaluate("window.scrollY") > 100
    run.wait(RUN)


def test_the_list_shows_and_filters_bursts(page, finished):
    page.goto("/mxtvhf/desk")
    row = page.get_by_role("row").filter(has_text=BURST)
    expect(row).to_contain_text("TEST")
    expect(row).to_contain_text("ago")
    page.get_by_label("tests").uncheck()
    expect(row).to_be_hidden()
    page.get_by_label("tests").check()
    page.get_by_label("Find").fill("no such words")
    expect(row).to_be_hidden()
    page.get_by_label("Find").fill(BURST)
    row.get_by_role("link", name=BURST).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(BURST)


def test_a_page_loads_nothing_from_elsewhere_until_asked(page, stack, finished):
    asked, complaints = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(f"/mxtvhf/desk/{BURST}?run={finished}")
    expect(page.locator("#sky-canvas circle").first).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert all(url.startswith((stack.url, "data:")) for url in asked)
    assert complaints == []
    page.route(re.compile("cds.unistra.fr"), lambda route: route.abort())
    page.get_by_role("button", name="Aladin Lite").click()
    expect(page.frame_locator("#aladin iframe").get_by_role("status")).to_contain_text("cannot be reached")
    assert any("aladin.cds.unistra.fr" in url for url in asked)


def test_the_sky_view_responds_to_keys_wheel_and_drag(page, finished):
    page.goto(f"/mxtvhf/desk/{BURST}?run={finished}")
    ring = page.locator("#sky-canvas circle.s-mxt-vhf")
    expect(ring).to_be_visible()

    def place():
        page.wait_for_timeout(100)
        return [float(ring.get_attribute(name)) for name in ("cx", "cy", "r")]

    before = place()
    page.locator("#sky-canvas").focus()
    page.keyboard.press("ArrowLeft")
    assert place()[0] == pytest.approx(before[0] + 40)
    page.keyboard.press("0")
    assert place() == pytest.approx(before)
    page.locator("#sky-canvas").hover()
    page.mouse.wheel(0, -400)
    assert place()[2] > 1.5 * before[2]
    page.mouse.down()
    at = place()
    box = page.locator("#sky-canvas").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2 + 30, box["y"] + box["height"] / 2 - 20)
    page.mouse.up()
    assert place()[:2] == pytest.approx([at[0] + 30, at[1] - 20], abs=1.0)


# A dark page has other colours but the same elements.
CHECKS = {"light": None, "dark": {"runOnly": ["color-contrast"]}}


@pytest.mark.parametrize("size", [{"width": 1400, "height": 1000}, PHONE], ids=["desktop", "phone"])
def test_the_pages_are_accessible_and_fit(page, finished, size):
    page.set_viewport_size(size)
    of_burst = (f"/{BURST}?run={finished}", f"/{BURST}/aladin?run={finished}")
    for path in ("", "/handover", "/statistics?kind=test", "/unreadable", *of_burst):
        page.goto(f"/mxtvhf/desk{path}")
        page.wait_for_load_state("networkidle")
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        for scheme, options in CHECKS.items():
            page.emulate_media(color_scheme=scheme)
            found = Axe().run(page, options=options).response["violations"]
            assert [(one["id"], one["nodes"][0]["html"]) for one in found] == [], (path, scheme)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path


def test_airflow_links_to_the_desk(page, run, finished):
    page.goto("/")
    expect(page.get_by_text("MXT desk").first).to_be_attached()
    page.get_by_role("button", name="Docs").click()
    expect(page.get_by_text("MXT docs").first).to_be_visible()
    page.goto("/plugin/mxtvhf-desk")
    expect(page.frame_locator("iframe").get_by_role("heading", level=1)).to_have_text("MXT-VHF desk")
    page.goto(f"/dags/mxt_vhf/runs/{finished}")
    page.get_by_role("link", name="Desk", exact=True).first.click()
    desk = page.frame_locator("iframe")
    expect(desk.get_by_role("heading", level=1)).to_have_text(BURST)
    expect(desk.locator("#sky-canvas circle").first).to_be_visible()
    # The sandbox of Airflow's frame forbids scripts to open a tab, but not the link.
    page.context.route(re.compile("simbad"), lambda route: route.fulfill(body="SIMBAD"))
    with page.context.expect_page() as opened:
        desk.get_by_role("link", name="SIMBAD").click()
    assert "sim-coo" in opened.value.url
    page.goto(f"/dags/mxt_vhf/runs/{finished}/tasks/update_BA/plugin/task-desk")
    expect(page.frame_locator("iframe").get_by_role("heading", level=1)).to_have_text(BURST)
    for task in ("reception_message", "preliminary_report", "crosscheck_positions", "update_BA"):
        assert run.links(finished, task)["Desk"] == f"/mxtvhf/desk/runs/{finished}"


def test_downloads_equal_the_products(web, finished):
    packed = web(f"/mxtvhf/desk/{BURST}/products.zip?run={finished}")
    with ZipFile(BytesIO(packed.content)) as file:
        assert json.loads(file.read(f"{finished}/report.json"))["run_id"] == finished
        assert f"{finished}/events.fits" in file.namelist()


def test_an_unchanged_page_is_not_sent_again(stack, web, finished):
    path = f"/mxtvhf/desk/{BURST}?run={finished}"
    first = web(path)
    headers = {**first.request.headers, "If-None-Match": first.headers["ETag"]}
    again = requests.get(stack.url + path, headers=headers, timeout=10)
    assert (again.status_code, again.content) == (304, b"")


def test_scripts_are_loaded_only_from_this_server(web, finished):
    policy = web(f"/mxtvhf/desk/{BURST}").headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'self'" in policy


def test_missing_pages_give_404(web, finished):
    for path in (
        "/sb00000000", "/none", f"/{BURST}?run=other", "/static/none.js", "/static/..%2fpages.py",
        "/runs/none", f"/{BURST}/release/decision.json?run={finished}",
        f"/{BURST}/release/..%2f..%2fx?run={finished}",
    ):  # fmt: skip
        assert web(f"/mxtvhf/desk{path}").status_code in (404, 422), path


def test_the_desk_requires_a_login(stack, finished):
    paths = ["", f"/{BURST}", f"/runs/{finished}", "/static/desk.css", "/static/burst.js"]
    paths += [
        f"/{BURST}/{name}?run={finished}" for name in ("aladin", "products.zip", "release/circular.txt")
    ]
    for path in paths:
        for headers in ({}, {"Authorization": "Bearer not-a-token"}):
            answer = requests.get(
                f"{stack.url}/mxtvhf/desk{path}", headers=headers, timeout=10, allow_redirects=False
            )
            assert answer.status_code in (401, 403), path
