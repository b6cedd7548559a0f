"""What services on the net know; each of them is tested in tests/catalogues/test_cone_search.py."""

import json
import socket
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from mxtvhf.catalogues.cone_search import remote_services
from mxtvhf.crosscheck.model import BurstVerdict, GpOutcome
from mxtvhf.models.position import Origin
from mxtvhf.workflow.steps.crosscheck_positions import crosscheck_positions
from mxtvhf.workflow.steps.remote_catalogues import RemoteCatalogues, remote_catalogues, unanswered
from support.alerts import alert_of
from support.positions import place
from support.sources import BRIGHT, FAINT, field

NO_GP = GpOutcome(available=False, reason="not asked")
HERE = place(155.576, -21.062, 480.0, Origin.ECLAIRS, "eclairs-wakeup")
ALERT = alert_of(
    "sb26030704",
    "eclairs-wakeup",
    datetime(2026, 3, 7, 13, 46, 20, tzinfo=UTC),
    published=datetime(2026, 3, 7, 13, 47, tzinfo=UTC),
    position=HERE,
)


class Broken(BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"error": "maintenance"}).encode()
        self.send_response(503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Keep the test's output clean."""


@pytest.fixture
def broken():
    with ThreadingHTTPServer(("127.0.0.1", 0), Broken) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/cone"
        server.shutdown()
        thread.join()


def services(url):
    return [one.model_copy(update={"url": url}) for one in remote_services(["4xmm", "erass1"])]


def test_services_in_trouble_leave_the_report_as_it_is(broken):
    found = remote_catalogues([ALERT], None, RemoteCatalogues(services(broken)))
    assert [answer.checked for answer in found.answers] == [False, False]
    assert all("503" in (answer.reason or "") for answer in found.answers)
    result = crosscheck_positions([ALERT], None, NO_GP, remote=found.answers)
    assert result.verdict is BurstVerdict.NO_MXT_SOURCE
    assert "Not checked: 4xmm" in result.verdict_reason


def test_nobody_there():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/cone"
        found = remote_catalogues([ALERT], None, RemoteCatalogues(services(url), timeout_s=5.0))
    assert [answer.checked for answer in found.answers] == [False, False]


def test_what_was_not_awaited_is_not_checked():
    found = unanswered([ALERT], None, ["4xmm"])
    (answer,) = found.answers
    assert (answer.catalogue, answer.checked) == ("4xmm", False)
    assert answer.reason == "no answer before the report"
    assert (answer.ra_deg, answer.dec_deg) == (HERE.ra_deg, HERE.dec_deg)


def test_the_last_notice_published_is_asked_about_in_whatever_order_they_come():
    later = HERE.model_copy(update={"label": "slewing", "ra_deg": 155.6})
    slewing = ALERT.model_copy(
        update={
            "ivorn": "ivo://org.svom/fsc#sb26030704_slewing",
            "published": datetime(2026, 3, 7, 13, 49, tzinfo=UTC),
            "position": later,
        }
    )
    found = [unanswered(alerts, None, ["4xmm"]) for alerts in ([ALERT, slewing], [slewing, ALERT])]
    assert [answers.answers[0].ra_deg for answers in found] == [155.6, 155.6]


def test_services_are_asked_about_the_other_sources_too():
    places = []

    class Noted(RemoteCatalogues):
        def cone(self, ra_deg, dec_deg, radius_arcsec):
            places.append((ra_deg, dec_deg))
            return ()

    remote_catalogues([ALERT], field(), Noted([]))
    assert places[2:] == [(one.position.ra_deg, one.position.dec_deg) for one in (BRIGHT, FAINT)]
