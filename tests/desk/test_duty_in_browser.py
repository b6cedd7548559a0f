"""The duty in a real browser: "I have it", and the opt-in sound and notification, without Airflow."""

import json
import re
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files

import pytest
from playwright.sync_api import expect

from mxtvhf.desk.duty import duty_box
from mxtvhf.desk.render import Viewer, render_burst
from mxtvhf.desk.states import State
from mxtvhf.errors import InvalidInput
from mxtvhf.notification.ledger import Ledger
from mxtvhf.notification.model import Occurrence
from support.browser import chromium
from support.desk import BURST, NOW, page_of, run
from support.duty import Installation

pytestmark = [pytest.mark.browser, pytest.mark.service]

expect.set_options(timeout=30_000)
STATIC = files("mxtvhf.desk") / "static"
KINDS = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}

RECORD = """
window.calls = [];
window.Notification = class { constructor(title) { window.calls.push(title); } };
window.Notification.permission = "granted";
window.Notification.requestPermission = async () => "granted";
"""
"""A headless browser shows no notification: what would be shown is kept."""


class Desk(BaseHTTPRequestHandler):
    """Renders the page anew for each request, and takes acknowledgements as the plugin does."""

    def do_GET(self):
        name = self.path.rpartition("/")[2]
        if "/static/" in self.path:
            self.answer(200, (STATIC / name).read_bytes(), KINDS[name.rsplit(".")[-1]])
        else:
            self.answer(200, self.server.html().encode(), "text/html; charset=utf-8")

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            self.server.ledger.acknowledge(body["subject"], "ada", instead_of=body["instead_of"], now=NOW)
        except InvalidInput as error:
            self.answer(409, json.dumps({"detail": str(error)}).encode(), "application/json")
        else:
            self.answer(200, b"{}", "application/json")

    def answer(self, status, body, kind):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Keep the test's output clean."""


@pytest.fixture
def desk(tmp_path, settings, put):
    put(f"{BURST}__1")
    (tmp_path / "duty").mkdir()
    installation = Installation(tmp_path / "duty")
    viewer = Viewer(name="ada", may_decide=True)
    with ThreadingHTTPServer(("127.0.0.1", 0), Desk) as server:
        server.ledger, server.state = Ledger(installation.settings.notifications), State.RUNNING
        server.ledger.raise_occurrence(
            Occurrence(key="k", event="first_position", subject=BURST, raised=NOW, title="t: t", body="b")
        )

        def html():
            shown = replace(page_of(settings, [run(state="running")]), state=server.state)
            duty = duty_box(installation.settings, now=NOW, burst_id=BURST)
            return render_burst(shown, base="/air/mxtvhf", viewer=viewer, duty=duty)

        server.html = html
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def page(desk):
    with chromium() as browser:
        page = browser.new_page(base_url=f"http://127.0.0.1:{desk.server_port}")
        page.set_default_timeout(30_000)
        page.add_init_script(RECORD)
        page.goto(f"/air/mxtvhf/desk/{BURST}")
        yield page


def test_i_have_it_is_seen_with_the_name(page, desk):
    page.get_by_role("button", name="I have it").click()
    expect(page.locator("#duty")).to_contain_text("Ada Lovelace has it since")
    assert desk.ledger.record(BURST).acknowledgement.by == "ada"
    expect(page.get_by_role("button", name="I have it")).to_have_count(0)


def test_who_comes_second_is_told_who_has_it(page, desk):
    page.route(f"**/desk/{BURST}", lambda route: route.abort())  # the page stays as it is
    desk.ledger.acknowledge(BURST, "bob", instead_of=None, now=NOW)
    page.get_by_role("button", name="I have it").click()
    expect(page.locator("#alarm-note")).to_contain_text("bob has it since")
    assert desk.ledger.record(BURST).acknowledgement.by == "bob"


def test_who_asks_for_it_is_called_when_a_decision_is_wanted_and_nobody_else(page, desk):
    desk.state = State.PRELIMINARY
    expect(page.locator("#duty")).to_have_attribute("data-alarm", re.compile("^preliminary"))
    assert page.evaluate("window.calls") == []
    page.get_by_label("Sound and browser notification").check()
    expect(page.locator("#alarm-note")).to_have_text("On.")
    desk.state = State.AWAITING_DECISION
    page.wait_for_function("window.calls.length > 0")
    assert page.evaluate("window.calls")[0].startswith(f"{BURST}: awaiting decision")
    page.reload()
    expect(page.get_by_label("Sound and browser notification")).to_be_checked()
