"""What is told of a post that failed: whether the text may have arrived."""

import socket
import ssl
import threading

import pytest

from mxtvhf.reporting.announcement import webhook
from mxtvhf.reporting.announcement.webhook import post
from support.certificates import write_certificate
from support.webhook_server import WebhookServer


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch):
    """Tried again as ever, but without waiting."""
    monkeypatch.setattr(webhook, "NEVER_SENT", webhook.NEVER_SENT.new(backoff_factor=0.0))
    monkeypatch.setattr(webhook, "PAUSES_S", (0.0, 0.0, 0.0))


@pytest.fixture
def server(tmp_path):
    with WebhookServer(tmp_path) as running:
        yield running


def test_a_text_arrives_as_json_with_its_length(server):
    assert post(server.url_file.read_text().strip(), "Zo\u00eb \u2605") == ("sent", None, 1)
    assert server.texts == ["Zo\u00eb \u2605"]


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("http://no-such-host.invalid/hooks/secret", "NameResolutionError"),
        ("https://no-such-host.invalid/hooks/secret", "NameResolutionError"),
        ("http://127.0.0.1:9/hooks/secret", "NewConnectionError"),
        ("http://[::bad/hooks/secret", "InvalidURL"),
    ],
)
def test_without_a_connection_nothing_was_sent(url, cause):
    assert post(url, "x") == ("refused", f"not sent: {cause}", 1)


def test_nothing_is_sent_to_a_server_with_an_untrusted_certificate(server, tmp_path):
    key, certificate = write_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    state, reason, _ = post(f"https://127.0.0.1:{server.server_port}/hooks/secret", "x")
    assert (state, reason) == ("refused", "not sent: SSLError")
    assert server.got == []


def test_nothing_is_sent_to_a_server_without_tls(server):
    state, reason, _ = post(f"https://127.0.0.1:{server.server_port}/hooks/secret", "x")
    assert (state, reason) == ("refused", "not sent: SSLError")
    assert server.got == []


def test_a_connection_lost_after_the_request_gives_the_state_unknown(server):
    server.on_request = lambda: False
    state, _, _ = post(server.url_file.read_text().strip(), "x")
    assert state == "unknown"
    assert len(server.got) == 1


def test_a_server_that_closes_the_connection_before_reading_may_have_the_text():
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept():
            connection, _ = listening.accept()
            connection.close()

        thread = threading.Thread(target=accept)
        thread.start()
        state, reason, _ = post(f"http://127.0.0.1:{listening.getsockname()[1]}/hooks/secret", "x")
        thread.join()
    assert state == "unknown"
    assert "secret" not in reason


@pytest.mark.parametrize("status", [200, 403, 502])
def test_a_page_is_not_the_answer_of_a_webhook(server, status):
    server.status, server.kind = status, "text/html; charset=utf-8"
    state, reason, attempts = post(server.url_file.read_text().strip(), "x")
    assert (state, attempts, len(server.got)) == ("refused", 1, 1)
    assert reason == f"HTTP {status} with a web page (text/html) instead of the answer of a webhook"


def test_an_answer_that_never_ends_is_not_waited_for(server):
    server.endless = True
    assert post(server.url_file.read_text().strip(), "x") == ("sent", None, 1)


def test_a_busy_server_is_retried_and_each_attempt_is_logged(server, caplog):
    server.status = 503
    url = server.url_file.read_text().strip()
    assert post(url, "x") == ("refused", "HTTP 503", 4)
    assert len(server.got) == 4
    assert [record.getMessage() for record in caplog.records if "attempt" in record.getMessage()] == [
        f"webhook: attempt {number}: HTTP 503, next one in 0.0 s" for number in (1, 2, 3)
    ]
    assert url not in caplog.text


def test_a_briefly_busy_server_gets_the_text_once(server):
    server.status, server.then = 429, 200
    assert post(server.url_file.read_text().strip(), "x") == ("sent", None, 2)
