"""Messages go to real servers, by processes that a server cannot hold."""

import threading

import pytest

from mxtvhf.notification.channels import Channel
from mxtvhf.notification.sending import Sending
from support.smtp_server import SmtpServer
from support.webhook_server import SECRET, WebhookServer

WAIT_S = 60.0


@pytest.fixture
def server(tmp_path):
    with WebhookServer(tmp_path) as server:
        yield server


def channel_of(server):
    url = server.url_file.read_text().strip().replace("http:", "json:")
    return Channel(name="ada/json", tags=("ada",), url=url, line=1)


def sent(channel, **options):
    return Sending(channel, "sb26030704: first position", "What: a test", **options).outcome(WAIT_S)


def test_a_message_reaches_a_server(server):
    assert sent(channel_of(server)) == ("sent", "")
    ((path, body),) = server.got
    assert path == f"/hooks/{SECRET}"
    assert (body["title"], body["message"]) == ("sb26030704: first position", "What: a test")


def test_a_message_reaches_a_mail_server():
    with SmtpServer() as server:
        assert sent(Channel("ada/mailto", ("ada",), server.url, 1)) == ("sent", "")
    (mail,) = server.got
    assert mail["Subject"] == "sb26030704: first position"
    assert mail["To"] == "ada@example.org"
    assert "What: a test" in mail.get_body(("plain",)).get_content()


@pytest.mark.parametrize("status", [302, 404, 502])
def test_a_redirect_or_an_error_is_no_delivery_and_the_reason_has_no_secret(server, status):
    """A redirected POST is repeated as a GET, whose answer looks like a delivery."""
    server.status = status
    state, reason = sent(channel_of(server))
    assert state == "failed"
    assert f"error={status}" in reason
    assert not [part for part in SECRET.split("/") if part in reason]
    assert [path for path, _ in server.got] == [f"/hooks/{SECRET}"]


def test_a_server_that_never_ends_its_answer_is_left(server):
    """Each byte that comes starts the time limits of the connection anew."""
    released = threading.Event()
    server.on_request = lambda: released.wait(WAIT_S)
    try:
        state, reason = sent(channel_of(server), timeout_s=2.0)
    finally:
        released.set()
    assert (state, reason) == ("failed", "no answer within 2 s")


def test_a_server_that_is_away_is_a_failure(server):
    channel = channel_of(server)
    server.shutdown()
    server.server_close()
    state, reason = sent(channel)
    assert state == "failed"
    assert "Connection error" in reason


def test_a_url_that_names_no_service_is_a_failure_without_the_url():
    state, reason = sent(Channel("ada/nothing", ("ada",), "nothing://s3cr3t@host", 7))
    assert state == "failed"
    assert reason == "line 7: ada/nothing: unknown service or incomplete URL; expected a URL of Apprise"


def test_a_message_on_its_way_can_be_asked_for_without_waiting(server):
    released = threading.Event()
    server.on_request = lambda: released.wait(WAIT_S)
    sending = Sending(channel_of(server), "title", "body")
    assert sending.outcome() is None
    released.set()
    assert sending.outcome(WAIT_S) == ("sent", "")
