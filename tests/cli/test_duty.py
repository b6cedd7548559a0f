"""The commands ``mxtvhf duty`` for the rota and the channels."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from mxtvhf.notification.ledger import Ledger
from support.commands import mxtvhf
from support.duty import BURST, Installation
from support.webhook_server import SECRET, WebhookServer

NOW = datetime.now(UTC)
ROTA = f"""
[people.ada]
name = "Ada Lovelace"

[[shifts]]
person = "ada"
start = {NOW - timedelta(hours=1):%Y-%m-%dT%H:%M:%S}
end = {NOW + timedelta(days=6):%Y-%m-%dT%H:%M:%S}
"""


@pytest.fixture
def duty(tmp_path):
    installation = Installation(tmp_path, rota=ROTA)
    environment = {**installation.settings.environment(), "MXTVHF_STATE": str(installation.settings.home)}

    def run(*words):
        return mxtvhf("duty", *words, **environment)

    run.installation = installation
    return run


def test_show_names_who_is_on_duty_and_what_is_wrong_with_the_rota(duty):
    done = duty("show", "--days", "3")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("on duty: Ada Lovelace\n")
    done = duty("show", "--json")
    assert done.returncode == 1
    assert "not exactly one person on duty: " in done.stderr
    assert json.loads(done.stdout)["on_duty"] == ["ada"]


def test_a_test_goes_by_each_channel_and_its_result_is_shown(duty, tmp_path):
    with WebhookServer(tmp_path) as server:
        duty.installation.channel("ada", server)
        done = duty("test")
        assert (done.returncode, done.stdout) == (0, "ada/json: sent\n")
        assert server.got[0][1]["title"] == "MXT-VHF: test of the channels"
        server.status = 404
        done = duty("test", "--to", "ada")
    assert done.returncode == 1
    assert done.stdout.startswith("ada/json: failed: ")
    assert "1 of 1 channels failed" in done.stderr
    assert not [part for part in SECRET.split("/") if part in done.stdout + done.stderr]
    assert "no channel has this tag" in duty("test", "--to", "eve").stderr


def test_a_drill_is_ordered_once(duty):
    assert duty("drill", BURST).stdout == f"{BURST}: drill ordered\n"
    assert duty("drill", BURST).stdout == f"{BURST}: drill was already ordered\n"
    assert Ledger(duty.installation.settings.notifications).record(f"{BURST}__test").is_drill
    assert duty("drill", "GRB1").returncode == 2


@pytest.mark.parametrize("words", [("show",), ("test",), ("drill", BURST)])
def test_without_a_configuration_the_command_says_what_is_missing(words, tmp_path):
    done = mxtvhf("duty", *words, MXTVHF_STATE=str(tmp_path))
    assert done.returncode == 2
    assert "no notifications are configured" in done.stderr
