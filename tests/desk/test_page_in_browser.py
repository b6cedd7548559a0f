"""The pages of the desk in a real browser: accessible in light and dark, and nothing runs out of them."""

from datetime import timedelta
from io import BytesIO

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import expect

from mxtvhf.archive.products import product_folder
from mxtvhf.desk.burst_list import burst_lines
from mxtvhf.desk.comments import MAX_COMMENT
from mxtvhf.desk.decision import AskedQuestion
from mxtvhf.desk.files import DeskFiles
from mxtvhf.desk.handover import handover
from mxtvhf.desk.render import render_handover, render_list, render_statistics, render_unreadable
from mxtvhf.desk.statistics import months
from mxtvhf.desk.unreadable import UnreadableInputs
from mxtvhf.models.ids import RunKind
from support.desk import BURST, NOW, html_of, run
from support.desk_server import BASE, desk_server

pytestmark = [pytest.mark.browser, pytest.mark.service]

expect.set_options(timeout=30_000)

CIRCULAR = "TITLE: GCN Circular\n\n" + "The source is at the position below. " * 20
OVERLAPS = """() => {
  const names = [...document.querySelectorAll("#sky-canvas text.name")];
  const boxes = names.map((one) => one.getBoundingClientRect());
  const cross = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  return boxes.some((a, index) => boxes.slice(index + 1).some((b) => cross(a, b)));
}"""
OUTSIDE = """() => {
  const frame = document.getElementById("sky-canvas").getBoundingClientRect();
  const rings = [...document.querySelectorAll("#sky-canvas circle")];
  const circles = rings.map((one) => one.getBoundingClientRect());
  const cut = (one) => one.left < frame.left || one.right > frame.right || one.top < frame.top;
  return circles.some((one) => cut(one) || one.bottom > frame.bottom);
}"""


@pytest.fixture
def desk(settings, put):
    """The desk of a burst with two updates and an open question."""
    put(f"{BURST}__1")
    put(f"{BURST}__2")
    drafts = product_folder(settings.products, BURST, f"{BURST}__2") / "drafts"
    drafts.mkdir()
    (drafts / "circular.txt").write_text(CIRCULAR)
    runs = [run(f"{BURST}__2", minutes=2, sequence=2), run()]
    asked = {f"{BURST}__2": AskedQuestion(run_id=f"{BURST}__2", asked=NOW)}
    files = DeskFiles(settings)
    files.archive.quarantine(b"no notice", name="inbox a.xml", reason="not well-formed XML")
    files.comments.add(BURST, "VT sees it fade.", author="ada", now=NOW)
    notes = UnreadableInputs(files.archive, settings.desk_records).open()
    lines = burst_lines(runs, {}, set(asked), files)
    base = BASE.rstrip("/")
    with desk_server() as server:
        server.products = settings.products / BURST
        server.pages = {
            f"desk/{BURST}": html_of(settings, runs, questions=asked),
            "desk": render_list(lines, quarantined=1, base=base, now=NOW),
            "desk/handover": render_handover(
                handover(lines, files, since=NOW - timedelta(hours=12), until=NOW), base=base
            ),
            "desk/statistics": render_statistics(months(runs, files, RunKind.LIVE), RunKind.LIVE, base=base),
            "desk/unreadable": render_unreadable(notes, base=base),
        }
        yield server


@pytest.fixture
def opened(browser, desk):
    """Open a page of the desk; tell of everything that the browser complains about."""
    pages = []

    def open_page(path, width=1280, scheme="light"):
        page = browser.new_page(
            base_url=f"http://127.0.0.1:{desk.server_port}",
            viewport={"width": width, "height": 1000},
            color_scheme=scheme,
        )
        page.complaints = []
        page.on("console", lambda one: page.complaints.append(one.text) if one.type == "error" else None)
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.goto(f"{BASE}{path}")
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.close()


def faults(page, **options):
    """What axe-core finds that keeps somebody from reading or using the page."""
    found = Axe().run(page, **options).response["violations"]
    return [(one["id"], [node["html"][:120] for node in one["nodes"][:3]]) for one in found]


def test_no_page_has_an_accessibility_fault_in_light_or_dark_mode(opened, desk):
    for path in desk.pages:
        page = opened(path)
        page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
        assert faults(page) == [], path
        page.emulate_media(color_scheme="dark")
        assert faults(page, options={"runOnly": ["color-contrast"]}) == [], path


@pytest.mark.parametrize("width", [390, 1920])
def test_no_page_overflows_and_the_browser_logs_no_error(opened, desk, width):
    for path in desk.pages:
        page = opened(path, width)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        # What has not changed answers 404 here: only the page itself is served.
        assert [one for one in page.complaints if "404" not in one] == [], path


@pytest.mark.parametrize("width", [1000, 1280, 1400, 1500, 1600, 1920])
def test_no_table_is_cut(opened, width):
    """Positions and Updates were cut on the right; nothing showed that they could be scrolled."""
    page = opened(f"desk/{BURST}", width)
    for name in ("#positions", "#history"):
        assert page.locator(f"{name} .scroll").evaluate("(one) => one.scrollWidth <= one.clientWidth"), name


def test_on_a_phone_the_windows_of_a_telescope_are_lines_below_each_other(opened):
    """Two windows were two ragged columns beside a stretched mark."""
    page = opened(f"desk/{BURST}", 390)
    page.locator("#more-telescopes summary").click()
    cells = page.locator("#follow-up td[data-label^=From]").filter(has=page.locator(".window + .window"))
    assert cells.count()
    first, second = (cells.first.locator(".window").nth(number).bounding_box() for number in (0, 1))
    assert first["x"] == second["x"]
    assert first["y"] + first["height"] <= second["y"]


@pytest.mark.parametrize("width", [390, 1000, 1280, 1920])
def test_the_result_and_the_decision_come_first_and_the_context_fills_the_space_below(opened, width):
    """A tall context stretched the headline's card to three times its content."""
    page = opened(f"desk/{BURST}", width)
    headline, context, decision, duty = (
        page.locator(name).bounding_box() for name in ("#headline", "#context", "#decision", "#duty")
    )
    assert headline["y"] + headline["height"] <= context["y"]
    assert decision["y"] + decision["height"] <= duty["y"]
    if width > 900:
        assert context["y"] - headline["y"] - headline["height"] < 20
        assert decision["y"] == headline["y"]
        assert headline["x"] + headline["width"] <= decision["x"]
    else:
        assert headline["y"] < decision["y"] < context["y"]


def test_a_draft_opens_at_the_full_width_and_is_copied_whole(opened):
    """It opened as a box of 350 x 230 pixels that had to be scrolled."""
    page = opened(f"desk/{BURST}")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_text("Draft: circular.txt").click()
    text = page.locator("pre").filter(has_text="TITLE: GCN Circular")
    assert text.bounding_box()["width"] > 750
    assert text.evaluate(
        "(one) => one.scrollWidth <= one.clientWidth && one.scrollHeight <= one.clientHeight"
    )
    page.get_by_role("button", name="Copy circular.txt").click()
    expect(page.get_by_role("button", name="Copy circular.txt")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == CIRCULAR


@pytest.mark.parametrize("width", [390, 1280])
def test_the_sky_view_starts_with_every_circle_whole_and_names_that_do_not_collide(opened, width):
    page = opened(f"desk/{BURST}", width)
    names = page.locator("#sky-canvas text.name")
    expect(names.filter(has_text="ECLAIRs")).to_have_count(1)
    expect(names.filter(has_text="MXT (VHF photons)")).to_have_count(1)
    assert not page.evaluate(OVERLAPS)
    assert not page.evaluate(OUTSIDE)
    expect(page.locator("#sky-canvas path.grid")).not_to_have_count(0)
    assert page.locator("#sky-canvas text.grid-name").count() >= 2


def test_the_sky_view_is_saved_as_a_picture_with_its_colours(opened, tmp_path):
    page = opened(f"desk/{BURST}")
    expect(page.locator("#sky-canvas circle.s-mxt-vhf")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save the view as PNG").click()
    assert download.value.suggested_filename == f"{BURST}_sky.png"
    download.value.save_as(tmp_path / "sky.png")
    with Image.open(tmp_path / "sky.png") as picture:
        box = page.locator("#sky-canvas").bounding_box()
        assert picture.width == pytest.approx(2 * box["width"], abs=6)
        colours = {colour for _, colour in picture.convert("RGB").getcolors(1_000_000)}
    assert (0xC0, 0x18, 0x5F) in colours
    assert (0xFB, 0xFC, 0xFD) in colours


def test_a_comment_is_sent_and_the_remaining_characters_are_counted(opened, desk):
    page = opened(f"desk/{BURST}")
    expect(page.locator("#comments")).to_contain_text("VT sees it fade.")
    field = page.get_by_label("Add to the discussion")
    field.fill("x" * (MAX_COMMENT + 10))
    expect(page.locator("#note-left")).to_have_text("0 characters left")
    field.fill("host at z = 1.2")
    expect(page.locator("#note-left")).to_have_text(f"{MAX_COMMENT - 15} characters left")
    page.get_by_role("button", name="Add comment").click()
    expect(field).to_have_value("")
    assert desk.answers == [(f"{BASE}desk/{BURST}/comments", {"text": "host at z = 1.2"})]


def test_a_comment_that_is_refused_stays_in_the_field_with_the_reason(opened, desk):
    desk.status = 403
    page = opened(f"desk/{BURST}")
    page.get_by_label("Add to the discussion").fill("mine")
    page.get_by_role("button", name="Add comment").click()
    expect(page.locator("#trouble")).to_contain_text("Not saved: HTTP 403")
    expect(page.get_by_label("Add to the discussion")).to_have_value("mine")


def test_an_unreadable_input_is_dismissed(opened, desk):
    page = opened("desk/unreadable")
    expect(page.locator("#unreadable")).to_contain_text("not well-formed XML")
    desk.pages["desk/unreadable"] = render_unreadable([], base=BASE.rstrip("/"))
    page.get_by_role("button", name="Dismiss inbox a.xml").click()
    expect(page.locator("#unreadable")).to_have_text("All inputs OK.")
    assert len(desk.answers) == 1


def test_the_detector_is_cut_out_of_its_plot_without_the_white_around_it(opened):
    """In the dark the plots were white cards."""
    page = opened(f"desk/{BURST}", scheme="dark")
    detector = page.locator("svg.detector")
    detector.scroll_into_view_if_needed()
    page.wait_for_load_state("networkidle")
    box = detector.bounding_box()
    scale = box["width"] / 460.0
    inner = {
        "x": box["x"] + 54 * scale,
        "y": box["y"] + 6 * scale,
        "width": 396 * scale,
        "height": 396 * scale,
    }
    shot = page.screenshot(clip=inner)
    assert white_part(shot) < 0.02


def white_part(png):
    """The part of a picture that is nearly white."""
    with Image.open(BytesIO(png)) as picture:
        grey = picture.convert("L").histogram()
    return sum(grey[250:]) / sum(grey)
