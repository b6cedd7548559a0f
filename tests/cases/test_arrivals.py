"""Every arrival that once stopped or delayed the intake, sent to a real ``mxtvhf listen``: intake.toml."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Literal

import pytest
from cases.catalogues_inputs import INPUTS as CATALOGUES
from cases.notices_inputs import INPUTS as NOTICES

from mxtvhf.archive.archive import Archive, Receipt
from mxtvhf.archive.failures import failing_parts
from mxtvhf.models.base import Model
from mxtvhf.models.files import safe_name
from mxtvhf.models.kept_lines import read_records
from mxtvhf.operation.stack.processes import wait_until
from support.nats_server import NatsServer, free_port
from support.vhf_network import publish_raw

pytestmark = [pytest.mark.slow, pytest.mark.service]
INPUTS = {**CATALOGUES, **NOTICES}


class Arrival(Model):
    """One row of the table."""

    name: str
    way: Literal["inbox", "nats"]
    at: str
    headers: str = ""
    input: str
    source: str
    reason: str | None = None


TABLE = tomllib.loads(Path(__file__).with_name("intake.toml").read_text())["arrival"]
ARRIVALS = [Arrival.model_validate(row) for row in TABLE]


def escapes(text):
    """The bytes that Python's escapes in a text stand for."""
    return text.encode("latin-1").decode("unicode_escape").encode("latin-1")


@pytest.fixture(scope="module")
def listener(tmp_path_factory):
    """State folder and NATS server of a listener whose Airflow does not answer."""
    state = tmp_path_factory.mktemp("state")
    (state / "secrets").mkdir()
    (state / "secrets" / "passwords.json").write_text('{"intake": "x"}')
    with NatsServer(tmp_path_factory.mktemp("nats")) as server:
        environment = {
            **os.environ,
            "MXTVHF_STATE": str(state),
            "MXTVHF_NATS_URL": server.url,
            "MXTVHF_AIRFLOW_URL": f"http://127.0.0.1:{free_port()}",
        }
        command = [sys.executable, "-m", "mxtvhf", "listen"]
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as process:
            try:
                wait_until((state / "archive" / "streams").exists, what="the stream", timeout=120)
                yield state, server, process
            finally:
                process.terminate()


@pytest.mark.parametrize("arrival", ARRIVALS, ids=lambda arrival: safe_name(arrival.name))
def test_what_arrives_is_filed_or_set_aside_under_its_name(arrival, listener):
    state, server, process = listener
    # Each content is another one: the same one again would be no news.
    content = INPUTS[arrival.input]() + b"\n" * (1 + ARRIVALS.index(arrival))
    if arrival.way == "inbox":
        (state / "inbox" / os.fsdecode(escapes(arrival.at))).write_bytes(content)
    else:
        publish_raw(server, escapes(arrival.at), content, escapes(arrival.headers))
    archive = Archive(state / "archive")

    def is_there():
        if arrival.reason is not None:
            notes = archive.quarantined()
            return any(
                re.fullmatch(arrival.source, note.input) and arrival.reason in note.reason for note in notes
            )
        logs = archive.root.glob("sb*/alerts/received.jsonl")
        receipts = [receipt for path in logs for receipt in read_records(path, Receipt)]
        return any(re.match(arrival.source, receipt.source) for receipt in receipts)

    wait_until(is_there, what=arrival.name, timeout=60)
    assert process.poll() is None
    assert failing_parts(archive.root) == []
