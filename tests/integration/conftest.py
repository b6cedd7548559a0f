"""A real Airflow with PostgreSQL, the reference GP service and NATS, started once for all tests here."""

import asyncio
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from mxtvhf.operation.stack.embedded import embedded_stack, gp_connection
from mxtvhf.reporting.messages import Outbox, read_message
from mxtvhf.reporting.messages.connection import connect
from mxtvhf.reporting.messages.publisher import forward_outbox
from mxtvhf.reporting.messages.subscriber import follow
from mxtvhf.settings import NotificationPolicy, NotificationRule, Settings
from support.airflow_runs import Runner, state_folder
from support.browser import chromium
from support.nats_server import NatsServer, free_port
from support.project import PROJECT
from support.webhook_server import WebhookServer


@pytest.fixture(scope="session")
def statsd():
    """A StatsD server: a UDP socket that gets the metrics of the stack."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(1.0)
        yield server


@pytest.fixture(scope="session")
def nats(tmp_path_factory):
    """Run the NATS server that the stack is told of."""
    with NatsServer(tmp_path_factory.mktemp("nats")) as server:
        yield server


@pytest.fixture(scope="session")
def webhook(tmp_path_factory):
    """Run the chat's webhook that the stack is told of."""
    with WebhookServer(tmp_path_factory.mktemp("webhook")) as server:
        yield server


@pytest.fixture(scope="session")
def phone(tmp_path_factory):
    """Run the service that notifies the person on duty."""
    with WebhookServer(tmp_path_factory.mktemp("phone")) as server:
        yield server


@pytest.fixture(scope="session")
def notification(phone, tmp_path_factory):
    """Who is notified of what the runs tell; what the listener finds by itself has its own tests."""
    channels = tmp_path_factory.mktemp("channels") / "channels"
    channels.write_text(phone.url_file.read_text().replace("http:", "ada = json:"))
    rule = NotificationRule(events=("decision_wanted", "run_failed"))
    return NotificationPolicy(channels=channels, rules=(rule,))


@pytest.fixture(scope="session")
def settings(statsd, nats, webhook, notification):
    with state_folder() as state:
        yield Settings(
            state=state,
            statsd=f"127.0.0.1:{statsd.getsockname()[1]}",
            nats_url=nats.url,
            webhook_file=webhook.url_file,
            users={"ada": "user", "bob": "viewer"},
            notification=notification,
        )


@pytest.fixture(scope="session")
def stack(settings):
    with embedded_stack(settings, project=PROJECT, port=free_port(), gp_port=free_port()) as running:
        yield running


@pytest.fixture(scope="session")
def web(stack):
    """Get a page of Airflow's web server as the logged-in user."""
    login = {"username": "admin", "password": stack.password}
    token = requests.post(f"{stack.url}/auth/token", json=login, timeout=10).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    return lambda path: requests.get(stack.url + path, headers=headers, timeout=10, allow_redirects=False)


@pytest.fixture(scope="session")
def run(stack, settings):
    return Runner(stack, settings)


@pytest.fixture(scope="session")
def told(settings, nats):
    """Bring all that waits to NATS and return what it stored of a run."""

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

    return lambda run_id: asyncio.run(use(run_id))


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser, stack):
    context = browser.new_context(base_url=stack.url, viewport={"width": 1400, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(30_000)
    page.goto("/")
    page.fill("input[name=username]", "admin")
    page.fill("input[name=password]", stack.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{stack.url}/")
    yield page
    context.close()


class BadGp(BaseHTTPRequestHandler):
    """A GP that misbehaves as its server's ``mode`` says, and counts what it is asked."""

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
    """Point the Connection ``mxt_gp`` at a server that misbehaves; put it back afterwards."""

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
