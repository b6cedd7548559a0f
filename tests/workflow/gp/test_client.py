"""The client against a GP that misbehaves in every way we could think of."""

from __future__ import annotations

import socket

import pytest

from mxtvhf.errors import InvalidInput
from mxtvhf.workflow.gp.client import GpClient
from mxtvhf.workflow.gp.contract import (
    GpAnswerError,
    GpBusy,
    GpRequest,
    GpStartUnknownError,
    GpState,
    GpUnknownJobError,
)
from mxtvhf.workflow.steps.start_mxt_gp_pipeline import start_mxt_gp_pipeline
from mxtvhf.workflow.steps.wait_mxt_gp import gp_outcome, wait_mxt_gp
from support.fake_gp import PROCESS_ID, running_fake_gp

REQUEST = GpRequest(apid="00810300005", target="2", orbit="2")


@pytest.fixture
def gp():
    with running_fake_gp() as server:
        yield server


IMPATIENT = (1.0, 0.3)
"""Limits for answers that come late or never: a busy machine may be as late with a good one."""


def client(server, **options):
    return GpClient(server.url, **({"timeout": (5.0, 5.0)} | options))


def refused_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return unused.getsockname()[1]


def test_a_job_from_start_to_result(gp):
    gp.states = ["pending", "running", "completed"]
    process_id = start_mxt_gp_pipeline(REQUEST, client(gp))
    assert process_id == PROCESS_ID
    states = [wait_mxt_gp(process_id, client(gp)) for _ in range(3)]
    assert [s.state for s in states] == [GpState.PENDING, GpState.RUNNING, GpState.COMPLETED]
    assert gp_outcome(states[-1]).position.r90_arcsec == pytest.approx(50.0)


def test_the_body_has_exactly_the_four_fields_of_the_contract(gp):
    client(gp).start(REQUEST)
    assert gp.posts == [{"apid": "00810300005", "target": "2", "orbit": "2", "mode": "GeneralProgram"}]


def test_login_is_sent_but_never_told(gp):
    gp.states = ["401"]
    with pytest.raises(GpAnswerError) as caught:
        client(gp, auth=("me", "canary")).status(PROCESS_ID)
    assert gp.authorization[0].startswith("Basic ")
    assert "canary" not in str(caught.value)


def test_a_process_id_is_quoted_in_the_url(gp):
    with pytest.raises(GpAnswerError, match=r"seqid=a%26b%2B1%2F%3F.*asked for a&b\+1/\?"):
        client(gp).status("a&b+1/?")


BUSY = ["408", "500", "502", "504", "507", "503", "429", "hang up", "slow", "dribble"]
BEYOND_HOPE = {
    "html": "answer is text/html, not JSON",
    "empty": "answer is empty",
    "null": "a JSON NoneType, not an object",
    "list": "a JSON list, not an object",
    "nested": "answer is not JSON",
    "truncated": "answer is not JSON",
    "huge": "answer is longer than 1000000 bytes",
    "types": "field processing_descriptor.process_id",
    "gzip": "answer is not JSON",
    "redirect": "redirects are not followed",
    "word": "unknown state 'DREAMING'",
    "other job": "answer about process gp-18",
    "no result": "the field result is missing",
    "bad position": "field result.ra_deg",
    "nan": "field result.dec_deg",
    "401": "check the login and password",
}


@pytest.mark.parametrize("mode", BUSY)
def test_status_that_may_pass(gp, mode):
    gp.states = [mode]
    with pytest.raises(GpBusy, match=f"GET {gp.url}/status.seqid={PROCESS_ID}: "):
        client(gp, timeout=IMPATIENT).status(PROCESS_ID)


@pytest.mark.parametrize("mode", BEYOND_HOPE)
def test_status_beyond_hope(gp, mode):
    gp.states = [mode]
    with pytest.raises(GpAnswerError) as caught:
        client(gp).status(PROCESS_ID)
    assert BEYOND_HOPE[mode] in str(caught.value)
    assert str(caught.value).startswith(f"GET {gp.url}/status?seqid={PROCESS_ID}: ")
    assert len(gp.polls) == 1


def test_status_of_an_unknown_job_and_of_a_refused_question(gp):
    gp.states = ["404", "400"]
    with pytest.raises(GpUnknownJobError, match=f"does not know process {PROCESS_ID}"):
        client(gp).status(PROCESS_ID)
    with pytest.raises(InvalidInput, match="no such target"):
        client(gp).status(PROCESS_ID)


@pytest.mark.parametrize("mode", ["503", "429"])
def test_gp_says_that_it_did_not_start(gp, mode):
    gp.start = mode
    with pytest.raises(GpBusy, match=f"POST {gp.url}/processing: GP answers {mode}"):
        client(gp).start(REQUEST)


UNREADABLE = ["html", "empty", "null", "list", "truncated", "types", "huge"]


@pytest.mark.parametrize(
    "mode", ["408", "500", "502", "504", "507", "redirect", "hang up", "slow", "dribble", *UNREADABLE]
)
def test_gp_may_have_started(gp, mode):
    gp.start = mode
    with pytest.raises(GpStartUnknownError, match=f"POST {gp.url}/processing: "):
        client(gp, timeout=IMPATIENT).start(REQUEST)
    assert len(gp.posts_once_there_are(1)) == 1


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("400", InvalidInput), ("401", GpAnswerError), ("404", GpAnswerError)],
)
def test_gp_refuses_to_start(gp, mode, kind):
    gp.start = mode
    with pytest.raises(kind) as caught:
        client(gp).start(REQUEST)
    assert not isinstance(caught.value, GpStartUnknownError)
    assert len(gp.posts_once_there_are(1)) == 1


def test_nobody_listens():
    url = f"http://127.0.0.1:{refused_port()}"
    with pytest.raises(GpBusy, match=r": GP cannot be reached \(Connection refused\); check"):
        GpClient(url).start(REQUEST)
    with pytest.raises(GpBusy, match=r": GP cannot be reached \(Connection refused\); check"):
        GpClient(url).status(PROCESS_ID)


def test_no_tls_where_tls_is_wanted(gp):
    secure = GpClient(gp.url.replace("http:", "https:"), timeout=(1.0, 1.0))
    with pytest.raises(GpAnswerError, match="TLS connection failed"):
        secure.status(PROCESS_ID)
    with pytest.raises(GpAnswerError, match="TLS connection failed") as caught:
        secure.start(REQUEST)
    assert not isinstance(caught.value, GpStartUnknownError)


def test_an_answer_that_never_ends_is_given_up(gp):
    gp.states = ["dribble"]
    with pytest.raises(GpBusy, match="no answer within the time limit"):
        client(gp, timeout=(1.0, 0.2)).status(PROCESS_ID)
