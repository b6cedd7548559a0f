"""The command `mxtvhf listen` as a process: a failing part does not stop the others."""

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import psutil
import pytest

from mxtvhf.archive.archive import Archive
from mxtvhf.archive.failures import failing_parts
from mxtvhf.operation.stack.processes import wait_until
from mxtvhf.settings import Settings
from support.nats_server import NatsServer, free_port
from support.webhook_server import SECRET, WebhookServer


@contextmanager
def listening(state, **settings):
    """Run the command, and check that it runs until it is stopped and then exits normally."""
    (state / "secrets").mkdir(parents=True, exist_ok=True)
    (state / "secrets" / "passwords.json").write_text('{"intake": "x"}')
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MXTVHF")}
    environment |= {"MXTVHF_STATE": str(state), "MXTVHF_AIRFLOW_URL": f"http://127.0.0.1:{free_port()}"}
    environment |= {f"MXTVHF_{name.upper()}": str(value) for name, value in settings.items()}
    log = state / "listen.log"
    with log.open("ab") as file:
        process = subprocess.Popen([sys.executable, "-m", "mxtvhf", "listen"], env=environment, stderr=file)
    try:
        yield process, log
        assert process.poll() is None, log.read_text()
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


def lay(state, burst, name=b"alert.xml"):
    """Put the notice of the burst into the inbox."""
    inbox = state / "inbox"
    inbox.mkdir(parents=True, exist_ok=True)
    (inbox / os.fsdecode(name)).write_bytes(burst.alert)


def is_filed(state, burst):
    return bool(Archive(Settings(state=state).archive).first_notices(burst.id))


def reasons(state):
    return {failure.part: failure.reason for failure in failing_parts(state / "archive")}


@pytest.mark.slow
def test_a_name_that_is_not_utf_8_and_a_signal_of_a_lease_do_not_end_the_listener(burst, tmp_path):
    lay(tmp_path, burst, b"a\xe9\n\x1b[2J.xml")
    with listening(tmp_path) as (process, log):
        wait_until(lambda: is_filed(tmp_path, burst), what="the notice", timeout=240)
        process.send_signal(signal.SIGIO)
        (tmp_path / "inbox" / "noise.xml").write_bytes(b"noise")
        archive = Archive(Settings(state=tmp_path).archive)
        wait_until(lambda: bool(archive.quarantined()), what="the quarantine", timeout=240)
    assert list((tmp_path / "inbox").iterdir()) == []
    receipts = (archive.root / burst.id / "alerts" / "received.jsonl").read_text().splitlines()
    assert [json.loads(line)["source"] for line in receipts] == [r"inbox a\xe9\n\x1b[2J.xml"]
    assert "\x1b" not in log.read_text()


NATS, GCN = ("NATS", "NATS other missions"), ("GCN", "GCN other missions")
SENT = (*NATS, "messages out")
WRONG = {
    "NATS URL and GCN file": (
        {"nats_url": "no-url", "gcn_credentials": "{state}/none.toml"},
        {SENT: "invalid NATS URL", GCN: "cannot be read"},
    ),
    "NATS host and GCN secret": (
        {"nats_url": "nats://no-such-host.invalid:4222", "gcn_credentials": "{state}/gcn.toml"},
        {SENT: "NATS", GCN: "both client_id and client_secret"},
    ),
    "port and GCN option": (
        {"nats_url": "nats://127.0.0.1:99999", "gcn_credentials": "{state}/option.toml"},
        {SENT: "invalid NATS URL", GCN: "no.such.option"},
    ),
    "NATS credentials": (
        {"nats_url": "nats://127.0.0.1:1", "nats_credentials": "{state}/none"},
        {SENT: "cannot be read"},
    ),
    "keys": (
        {"nats_url": "nats://127.0.0.1:1", "nats_trusted_keys": "{state}/none.pem"},
        {NATS: "the trusted keys cannot be read"},
    ),
}
"""Settings, and the reason that each group of parts reports."""


@pytest.mark.slow
@pytest.mark.parametrize("case", WRONG)
def test_wrong_settings_are_reported_by_their_parts_and_the_inbox_continues(case, burst, tmp_path):
    settings, wrong = WRONG[case]
    expected = {part: reason for parts, reason in wrong.items() for part in parts}
    (tmp_path / "gcn.toml").write_text('client_id = "me"\n')
    (tmp_path / "option.toml").write_text('[config]\n"no.such.option" = 1\n')
    lay(tmp_path, burst)
    settings = {name: value.format(state=tmp_path) for name, value in settings.items()}
    with listening(tmp_path, **settings) as (_, log):
        wait_until(lambda: expected.keys() <= reasons(tmp_path).keys(), what="the failures", timeout=240)
        wait_until(lambda: is_filed(tmp_path, burst), what="the notice", timeout=240)
        found = reasons(tmp_path)
    assert found.keys() <= {*SENT, *GCN}
    for part, reason in expected.items():
        assert reason in found[part], part
    assert "Traceback" not in log.read_text()


@pytest.mark.slow
def test_the_listener_notifies_of_a_new_burst_and_leaves_no_process(burst, tmp_path):
    with WebhookServer(tmp_path) as server:
        url = server.url_file.read_text().strip().replace("http:", "json:")
        (tmp_path / "channels").write_text(f"ada = {url}\n")
        lay(tmp_path, burst)
        policy = json.dumps({"channels": str(tmp_path / "channels")})
        with listening(tmp_path, notification=policy) as (process, log):
            wait_until(lambda: bool(server.got), what="the notification", timeout=240)
            forked = psutil.Process(process.pid).children(recursive=True)
        ((_, body),) = server.got
    assert body["title"].startswith(f"{burst.id}: new burst")
    assert SECRET.split("/")[-1] not in log.read_text()
    assert psutil.wait_procs(forked, timeout=30)[1] == []


@pytest.mark.slow
@pytest.mark.service
def test_a_part_recovers_when_its_setting_is_corrected(burst, tmp_path):
    password = tmp_path / "password"
    (tmp_path / "nats").mkdir()
    with NatsServer(tmp_path / "nats", extra='authorization { token: "right" }') as server:
        with listening(tmp_path, nats_url=server.url, nats_credentials=password) as (_, log):
            wait_until(
                lambda: reasons(tmp_path).keys() == {*NATS, "messages out"}, what="failures", timeout=60
            )
            password.write_text("right")
            wait_until(lambda: not reasons(tmp_path), what="recovery", timeout=120)
        assert "NATS: working again" in log.read_text()
