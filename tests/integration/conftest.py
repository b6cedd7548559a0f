"""A real Airflow with PostgreSQL, the reference GP and NATS, started once for all tests of this folder."""

import asyncio
import socket
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from mxtvhf.operation.stack.embedded import embedded_stack, gp_connection
from mxtvhf.operation.stack.processes import wait_until
from mxtvhf.reporting.messages import Outbox, read_message
from mxtvhf.reporting.messages.connection import connect
from mxtvhf.reporting.messages.publisher import forward_outbox
from mxtvhf.reporting.messages.subscriber import follow
from mxtvhf.settings import NotificationPolicy, NotificationRule, Settings
from mxtvhf.simulator.scenario import scenario_of, write_scenario
from support.airflow_runs import Runner, state_folder
from support.browser import chromium, logged_in
from support.nats_server import NatsServer, free_port
from support.project import PROJECT
from support.smtp_server import SmtpServer
from support.webhook_server import WebhookServer


@pytest.fixture(scope="session")
def statsd():
    """A StatsD server, that is a UDP socket that receives the metrics of the stack."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(1.0)
        yield server


@pytest.fixture(scope="session")
def nats(tmp_path_factory):
    """Run the NATS server of the stack."""
    with NatsServer(tmp_path_factory.mktemp("nats")) as server:
        yield server


@pytest.fixture(scope="session")
def webhook(tmp_path_factory):
    """Run the webhook of the stack's chat."""
    with WebhookServer(tmp_path_factory.mktemp("webhook")) as server:
        yield server


@pytest.fixture(scope="session")
def phone(tmp_path_factory):
    """Run the service that notifies ada, who is on duty."""
    with WebhookServer(tmp_path_factory.mktemp("phone")) as server:
        yield server


@pytest.fixture(scope="session")
def pager(tmp_path_factory):
    """Run the service that notifies eve, who is on duty next."""
    with WebhookServer(tmp_path_factory.mktemp("pager")) as server:
        yield server


@pytest.fixture(scope="session")
def mail():
    """Run the mail server of ada."""
    with SmtpServer() as server:
        yield server


@pytest.fixture(scope="session")
def notification(phone, pager, mail, tmp_path_factory):
    """Write the rota and the channels: ada is on duty until tomorrow, then eve."""
    folder = tmp_path_factory.mktemp("duty")
    services = (("ada", phone), ("eve", pager))
    lines = [server.url_file.read_text().replace("http:", f"{tag} = json:") for tag, server in services]
    (folder / "channels").write_text("".join([*lines, f"ada = {mail.url}\n"]))
    days = [datetime.now(UTC) + timedelta(days=days) for days in (-1, 1, 2)]
    people = "".join(f'[people.{name}]\nname = "{name.title()}"\n' for name in ("ada", "eve"))
    shifts = (
        f'[[shifts]]\nperson = "{name}"\nstart = {start:%Y-%m-%dT%H:%M:%SZ}\nend = {end:%Y-%m-%dT%H:%M:%SZ}\n'
        for name, start, end in zip(("ada", "eve"), days, days[1:], strict=False)
    )
    (folder / "rota.toml").write_text("\n".join([people, *shifts]))
    events = ("first_position", "decision_wanted", "retraction", "run_failed")
    rule = NotificationRule(events=events, escalate=True)
    return NotificationPolicy(
        channels=folder / "channels", rota=folder / "rota.toml", rules=(rule,), escalate_minutes=0.2
    )


@pytest.fixture(scope="session")
def settings(statsd, nats, webhook, notification):
    with state_folder() as state:
        yield Settings(
            state=state,
            statsd=f"127.0.0.1:{statsd.getsockname()[1]}",
            nats_url=nats.url,
            webhook_file=webhook.url_file,
            users={"ada": "user", "eve": "user", "bob": "viewer"},
            notification=notification,
        )


@pytest.fixture(scope="session")
def stack(settings):
    with embedded_stack(settings, project=PROJECT, port=free_port(), gp_port=free_port()) as running:
        yield running


@pytest.fixture(scope="session")
def web(stack):
    """Return a function that requests a page of Airflow's web server with a login."""
    login = {"username": "admin", "password": stack.password}
    token = requests.post(f"{stack.url}/auth/token", json=login, timeout=10).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    return lambda path: requests.get(stack.url + path, headers=headers, timeout=10, allow_redirects=False)


@pytest.fixture(scope="module")
def run(stack, settings):
    """Return what starts runs; the questions that they leave open end with the module."""
    runner = Runner(stack, settings)
    yield runner
    runner.end_questions()


@pytest.fixture(scope="session")
def told(settings, nats):
    """Return a function that sends queued messages to NATS and returns those of a run.

    After the end of the run it waits for the last message of each step, which the process of the step queues
    after Airflow knows the step's end.
    """

    async def use(run_id):
        client, stop = await connect(nats.url, name="test"), asyncio.Event()
        forwarder = asyncio.create_task(forward_outbox(settings.outbox, client, stop=stop))
        while Outbox(settings.outbox).waiting():
            await asyncio.sleep(0.05)
        stop.set()
        await forwarder
        stored = [read_message(raw) async for raw in follow(client, live=False)]
        await client.close()
        return [message for message in stored if message.run_id == run_id]

    def messages_of(run_id):
        found = []

        def is_complete():
            found[:] = asyncio.run(use(run_id))
            last = {getattr(one, "task_id", "run"): one.state for one in found if one.kind in ("run", "step")}
            return last.get("run") in (None, "started") or "started" not in last.values()

        wait_until(is_complete, what=f"the messages of {run_id}", timeout=60)
        return found

    return messages_of


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser, stack):
    with logged_in(browser, stack.url, "admin", stack.password, width=1400, height=1000) as page:
        yield page


@pytest.fixture
def lay(settings):
    """Return a function that puts files into the inbox."""

    def into_the_inbox(burst_id, **files):
        for name, raw in files.items():
            part = settings.inbox / f".{name}.part"
            part.write_bytes(raw)
            part.rename(settings.inbox / f"{burst_id}-{name.replace('_', '.')}")

    return into_the_inbox


@pytest.fixture
def arrivals(tmp_path):
    """Return a function that simulates the files of a burst, by their names in the inbox."""

    def of(burst_id, **options):
        write_scenario(scenario_of(burst_id, ra_deg=80.0, dec_deg=10.0, counts=200, **options), tmp_path)
        return {
            "wakeup_xml": (tmp_path / "eclairs-wakeup.xml").read_bytes(),
            "alert_xml": (tmp_path / "alert.xml").read_bytes(),
            "packets_bin": (tmp_path / "packets.bin").read_bytes(),
        }

    return of


class BadGp(BaseHTTPRequestHandler):
    """A GP that misbehaves according to ``mode`` of its server and counts requests."""

    def answer(self, status, body, content_type="application/json"):
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.posts += 1
        if self.server.mode == "html":
            self.answer(200, b"<html>maintenance</html>", "text/html")
        elif self.server.mode == "500":
            self.answer(500, b'{"detail": "database is down"}')
        else:
            self.answer(200, b'{"processing_descriptor": {"process_id": "job-1"}}')

    def do_GET(self):
        self.server.polls += 1
        self.answer(200, self.server.status)

    def log_message(self, *args):
        """Keep the test's output clean."""


@pytest.fixture
def bad_gp(stack):
    """Set the Connection ``mxt_gp`` to a misbehaving server and restore it afterwards."""

    @contextmanager
    def serve(mode, status=b""):
        with ThreadingHTTPServer(("127.0.0.1", 0), BadGp) as server:
            server.mode, server.status, server.posts, server.polls = mode, status, 0, 0
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            stack.api.put_connection(gp_connection(f"http://127.0.0.1:{server.server_port}"))
            try:
                yield server
            finally:
                server.shutdown()
                thread.join()
                stack.api.put_connection(gp_connection(stack.gp_url))

    return serve
