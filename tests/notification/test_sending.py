"""Messages are sent to real servers by processes with a time limit."""

import threading

import pytest

from mxtvhf.errors import InvalidInput
from mxtvhf.notification.channels import Channel
from mxtvhf.notification.sending import Sending
from mxtvhf.notification.service import check_service
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


def test_a_chat_receives_one_text(server):
    channel = Channel("chat/http", ("chat",), server.url_file.read_text().strip(), 1)
    assert sent(channel) == ("sent", "")
    assert server.texts == ["sb26030704: first position\nWhat: a test"]


def test_a_webhook_receives_headers_and_login_of_its_url(server):
    url = channel_of(server).url.replace("://", "://ada:p4ssw0rd@") + "?+X-Token=s3%20cr3t"
    assert sent(Channel("ada/json", ("ada",), url, 1)) == ("sent", "")
    assert server.headers["X-Token"] == "s3 cr3t"
    assert server.headers["Authorization"].startswith("Basic ")
    assert server.got[0][0] == f"/hooks/{SECRET}"


@pytest.mark.parametrize("scheme", ["json", "http"])
def test_a_web_page_is_not_a_delivery(server, scheme):
    """The login page of a proxy with status 200 used to count as a delivery."""
    server.kind = "text/html; charset=utf-8"
    url = channel_of(server).url.replace("json:", f"{scheme}:")
    state, reason = sent(Channel(f"ada/{scheme}", ("ada",), url, 1))
    assert state == "failed"
    assert reason.startswith("HTTP 200 with a web page (text/html)")


def test_an_endless_answer_is_not_a_delivery(server):
    server.endless = True
    state, reason = sent(channel_of(server))
    assert (state, reason) == ("failed", "answer longer than 65536 bytes")


@pytest.mark.parametrize("status", [302, 404, 502])
def test_a_redirect_or_an_error_is_not_a_delivery_and_shows_no_secret(server, status):
    """A redirected POST is repeated as a GET, whose answer looks like a delivery."""
    server.status = status
    state, reason = sent(channel_of(server))
    assert state == "failed"
    assert reason == f"HTTP {status}"
    assert not [part for part in SECRET.split("/") if part in reason]
    assert [path for path, _ in server.got] == [f"/hooks/{SECRET}"]


def test_a_server_that_never_ends_its_answer_fails_after_the_time_limit(server):
    """Each received byte restarts the time limits of the connection."""
    released = threading.Event()
    server.on_request = lambda: released.wait(WAIT_S)
    try:
        state, reason = sent(channel_of(server), timeout_s=2.0)
    finally:
        released.set()
    assert (state, reason) == ("failed", "no answer within 2 s")


def test_an_unreachable_server_is_a_failure(server):
    channel = channel_of(server)
    server.shutdown()
    server.server_close()
    state, reason = sent(channel)
    assert state == "failed"
    assert reason == "not sent: NewConnectionError"


def test_a_url_that_names_no_service_is_a_failure_without_the_url():
    state, reason = sent(Channel("ada/nothing", ("ada",), "nothing://s3cr3t@host", 7))
    assert state == "failed"
    assert reason == "line 7: ada/nothing: unknown service or incomplete URL; expected a URL of Apprise"


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("json://", "invalid host or port; expected scheme://host[:port]/path"),
        ("https://[s3cr3t/hook", "invalid host or port; expected scheme://host[:port]/path"),
        ("jsons://localhost:s3cr3t/hook", "invalid host or port; expected scheme://host[:port]/path"),
        ("json://localhost/s3cr3t?method=get", "unknown option 'method'; expected +HEADER=VALUE"),
        ("ntfy://localhost/s3cr3t?redirect=yes", "redirections are not followed; remove redirect=yes"),
    ],
)
def test_an_invalid_url_is_rejected_without_showing_it(url, cause):
    with pytest.raises(InvalidInput) as caught:
        check_service(Channel("ada/x", ("ada",), url, 7))
    assert str(caught.value) == f"line 7: ada/x: {cause}"


def test_the_outcome_of_a_message_can_be_polled(server):
    released = threading.Event()
    server.on_request = lambda: released.wait(WAIT_S)
    sending = Sending(channel_of(server), "title", "body")
    assert sending.outcome() is None
    released.set()
    assert sending.outcome(WAIT_S) == ("sent", "")
