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


@pytest.fixture
def server(tmp_path):
    with WebhookServer(tmp_path) as running:
        yield running


def test_a_text_arrives_as_json_with_its_length(server):
    assert post(server.url_file.read_text().strip(), "Zo\u00eb \u2605") == ("sent", None)
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
    assert post(url, "x") == ("refused", f"not sent: {cause}")


def test_a_certificate_that_nobody_signed_means_that_nothing_was_sent(server, tmp_path):
    key, certificate = write_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    state, reason = post(f"https://127.0.0.1:{server.server_port}/hooks/secret", "x")
    assert (state, reason) == ("refused", "not sent: SSLError")
    assert server.got == []


def test_a_server_that_speaks_no_tls_got_nothing(server):
    state, reason = post(f"https://127.0.0.1:{server.server_port}/hooks/secret", "x")
    assert (state, reason) == ("refused", "not sent: SSLError")
    assert server.got == []


def test_a_line_cut_after_the_request_leaves_it_unknown(server):
    server.on_request = lambda: False
    state, _ = post(server.url_file.read_text().strip(), "x")
    assert state == "unknown"
    assert len(server.got) == 1


def test_a_server_that_cuts_the_line_before_it_reads_may_have_got_it():
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept():
            connection, _ = listening.accept()
            connection.close()

        thread = threading.Thread(target=accept)
        thread.start()
        state, reason = post(f"http://127.0.0.1:{listening.getsockname()[1]}/hooks/secret", "x")
        thread.join()
    assert state == "unknown"
    assert "secret" not in reason
