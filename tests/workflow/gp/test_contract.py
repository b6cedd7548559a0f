"""What an answer of GP means: pure functions, no network."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxtvhf.crosscheck.model import GpOutcome, GpProgress
from mxtvhf.errors import GpFailed, InvalidInput, MxtVhfError, Retriable
from mxtvhf.models.position import Origin
from mxtvhf.workflow.gp.client import GpClient
from mxtvhf.workflow.gp.contract import (
    KEPT_BODY,
    MAX_BODY,
    STATE_WORDS,
    Answer,
    GpAnswerError,
    GpBusy,
    GpStartUnknownError,
    GpState,
    GpStatus,
    GpTimeout,
    GpUnknownJobError,
    checked_base_url,
    job_status,
    pause_after_failures,
    read_answer,
    seconds_of_retry_after,
    started_job,
)
from mxtvhf.workflow.gp.progress import outcome_of
from mxtvhf.workflow.steps.wait_mxt_gp import gp_outcome

URL = "http://gp.example.org/status?seqid=a7"
RESULT = {"ra_deg": 10.0, "dec_deg": -20.0, "r90_stat_arcsec": 30.0, "r90_sys_arcsec": 40.0}


def answer(content: object, status: int = 200, kind: str = "application/json", **headers: str) -> Answer:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Answer("GET", URL, status, body, {"content-type": kind, **headers})


def job(state: object = "RUNNING", **more: object) -> dict[str, object]:
    return {"processing_descriptor": {"process_id": "a7", "state": state}, **more}


@pytest.mark.parametrize("word", STATE_WORDS)
def test_every_state_word_is_understood_in_any_case(word):
    status = job_status(answer(job(f" {word.lower()} ", result=RESULT)), "a7")
    assert status.state is STATE_WORDS[word]
    assert (status.position is not None) == (status.state is GpState.COMPLETED)


def test_position_of_a_completed_job():
    position = job_status(answer(job("COMPLETED", result=RESULT)), "a7").position
    assert position is not None
    assert position.origin is Origin.GP
    assert (position.ra_deg, position.dec_deg) == (10.0, -20.0)
    assert position.r90_arcsec == pytest.approx(50.0)
    assert position.reference == "GP process a7"


@pytest.mark.parametrize("stream", ["XBand", "VHF", None])
def test_the_position_knows_its_data(stream):
    result = RESULT if stream is None else {**RESULT, "data_stream": stream}
    position = job_status(answer(job("COMPLETED", result=result)), "a7").position
    assert position is not None
    assert position.data_stream == stream


def test_fields_that_we_do_not_know_are_ignored_and_a_number_is_a_process_id():
    content = {"processing_descriptor": {"process_id": 17, "queue": "fast"}, "version": 3}
    assert started_job(answer(content)) == "17"


@pytest.mark.parametrize("service", [None, "reference ", "X-band", 3, ["reference"], {}])
def test_only_the_reference_service_is_taken_for_it(service):
    content = job("COMPLETED", result=RESULT)
    partner = content | {"processing_descriptor": content["processing_descriptor"] | {"service": service}}
    assert not job_status(answer(content), "a7").is_reference
    assert not job_status(answer(partner), "a7").is_reference
    ours = content | {"processing_descriptor": content["processing_descriptor"] | {"service": "reference"}}
    outcome = gp_outcome(job_status(answer(ours), "a7"))
    assert outcome.is_reference
    assert outcome.position.label == "reference service"


@given(st.integers(100, 599))
def test_only_a_refusal_says_that_nothing_was_started(status):
    refused = (400 <= status < 500 and status != 408) or status == 503
    try:
        started_job(answer(b"", status))
    except GpStartUnknownError:
        assert not refused
    except MxtVhfError:
        assert refused


@pytest.mark.parametrize("process_id", ["", "a b", "a\nb", "é", "x" * 257, True, None, 1.5, ["a"]])
def test_a_process_id_that_is_none(process_id):
    with pytest.raises(GpAnswerError, match="process_id"):
        started_job(answer({"processing_descriptor": {"process_id": process_id}}))


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "answer is empty"),
        (b"  \n", "answer is empty"),
        (b"null", "a JSON NoneType"),
        (b"[]", "a JSON list"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"1" * 10_000, "not JSON"),
        (b"{}", "field processing_descriptor"),
        (b'{"processing_descriptor": []}', "field processing_descriptor"),
        (job(3), "field processing_descriptor.state"),
        (job(None), "unknown state"),
        (job("DREAMING"), "unknown state 'DREAMING'"),
        (job("COMPLETED"), "result is missing"),
        (job("COMPLETED", result=RESULT | {"ra_deg": 360.0}), "field result.ra_deg"),
        (job("COMPLETED", result=RESULT | {"dec_deg": float("nan")}), "field result.dec_deg"),
        (job("COMPLETED", result=RESULT | {"r90_stat_arcsec": -1.0}), "field result.r90_stat_arcsec"),
        (job("COMPLETED", result=RESULT | {"ra_deg": "10"}), "field result.ra_deg"),
    ],
)
def test_answers_beyond_the_contract_say_what_is_wrong(content, cause):
    with pytest.raises(GpAnswerError) as caught:
        job_status(answer(content), "a7")
    assert cause in str(caught.value)
    assert str(caught.value).startswith(f"GET {URL}: ")
    assert "\n" not in str(caught.value)


def test_another_jobs_status_is_refused():
    with pytest.raises(GpAnswerError, match="asked for a8"):
        job_status(answer(job()), "a8")


def test_html_is_not_json_whatever_it_holds():
    with pytest.raises(GpAnswerError, match="answer is text/html, not JSON"):
        job_status(answer(job(), kind="text/html; charset=utf-8"), "a7")


def test_a_long_answer_is_refused_and_its_start_kept():
    with pytest.raises(GpAnswerError, match="longer than") as caught:
        read_answer(answer(b"x" * (MAX_BODY + 1)))
    assert len(caught.value.body) == KEPT_BODY


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 599])
def test_statuses_that_may_pass(status):
    with pytest.raises(GpBusy, match=str(status)) as caught:
        read_answer(answer(b"", status, **{"retry-after": "7"}))
    assert isinstance(caught.value, Retriable)
    assert caught.value.retry_after == 7.0


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidInput),
        (422, InvalidInput),
        (401, GpAnswerError),
        (403, GpAnswerError),
        (404, GpUnknownJobError),
        (418, GpAnswerError),
        (301, GpAnswerError),
        (302, GpAnswerError),
        (100, GpAnswerError),
    ],
)
def test_statuses_that_do_not_pass(status, kind):
    with pytest.raises(kind, match=str(status)) as caught:
        job_status(answer(b"it\nsays <why>", status), "a7")
    assert not isinstance(caught.value, Retriable)
    assert "\n" not in str(caught.value)


@given(st.binary(max_size=300), st.integers(100, 599), st.sampled_from(["application/json", "text/html", ""]))
def test_whatever_comes_gives_a_status_or_one_of_our_errors(body, status, kind):
    try:
        said = str(job_status(answer(body, status, kind), "a7").message)
    except MxtVhfError as error:
        said = str(error)
    assert "\n" not in said


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(json_values, json_values, json_values)
def test_whatever_the_fields_hold_gives_a_status_or_one_of_our_errors(state, message, result):
    content = {"processing_descriptor": {"process_id": "a7", "state": state, "message": message}}
    try:
        status = job_status(answer(content | {"result": result}), "a7")
    except GpAnswerError:
        return
    assert (status.position is not None) == (status.state is GpState.COMPLETED and result is not None)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("120", 120.0),
        ("-5", 0.0),
        ("Wed, 11 Nov 2026 12:00:30 GMT", 30.0),
        ("Wed, 11 Nov 2026 11:00:00 GMT", 0.0),
    ],
)
def test_retry_after(text, seconds):
    assert seconds_of_retry_after(text, datetime(2026, 11, 11, 12, tzinfo=UTC)) == seconds


@given(
    st.integers(0, 10_000),
    st.none() | st.floats(0.0, 1e9),
    st.floats(0.01, 300.0),
)
def test_pauses_are_never_shorter_than_the_interval_nor_longer_than_the_limit(failures, wish, interval):
    pause = pause_after_failures(failures, wish, interval, longest=60.0)
    assert interval <= pause <= max(interval, 60.0)
    assert pause <= pause_after_failures(failures + 1, wish, interval, longest=60.0)


def test_pauses_double_and_honour_a_wish():
    assert [pause_after_failures(n, None, 1.0) for n in range(8)] == [1, 1, 2, 4, 8, 16, 32, 60]
    assert pause_after_failures(1, 20.0, 1.0) == 20.0


@pytest.mark.parametrize("url", ["http://gp:8000", "https://gp.example.org/v1/gp/", "http://[::1]:9"])
def test_base_urls(url):
    assert checked_base_url(url) == url.rstrip("/")
    assert GpClient(url).base_url == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "gp:8000",
        "ftp://gp",
        "file:///etc/passwd",
        "http://",
        "http://gp:0",
        "http://gp:99999",
        "http://[x",
        "http://gp/?a=b",
    ],
)
def test_what_is_no_base_url(url):
    with pytest.raises(InvalidInput, match="GP base URL"):
        GpClient(url)


def test_credentials_in_a_base_url_are_refused_and_not_repeated():
    with pytest.raises(InvalidInput) as caught:
        checked_base_url("http://me:canary@gp")
    assert "canary" not in str(caught.value)


def test_outcome_of_each_end():
    done = job_status(answer(job("COMPLETED", result=RESULT)), "a7")
    assert gp_outcome(done).available
    assert gp_outcome(done).position == done.position
    with pytest.raises(GpFailed, match="GP process a7 failed: no source"):
        gp_outcome(GpStatus(process_id="a7", state=GpState.FAILED, message="no source"))
    with pytest.raises(GpFailed, match="gave no reason"):
        gp_outcome(GpStatus(process_id="a7", state=GpState.FAILED))
    with pytest.raises(ValueError, match="still RUNNING"):
        gp_outcome(GpStatus(process_id="a7", state=GpState.RUNNING))


def test_a_completed_job_whose_result_is_null_found_no_source():
    """GP's non-detection was a failed task, and stood in red as an error."""
    found = answer(job("COMPLETED", result=None))
    assert gp_outcome(job_status(found, "a7")).word is GpProgress.NO_DETECTION
    content = job("COMPLETED", result=None)
    content["processing_descriptor"]["message"] = "TS 12 is below 25"
    outcome = gp_outcome(job_status(answer(content), "a7"))
    assert (outcome.available, outcome.position, outcome.reason) == (True, None, "TS 12 is below 25")
    with pytest.raises(GpAnswerError, match="is completed, but the field result is missing"):
        job_status(answer(job("COMPLETED")), "a7")


@pytest.mark.parametrize(
    ("error", "progress"),
    [
        (GpBusy("503"), GpProgress.NOT_REACHED),
        (GpTimeout("still RUNNING"), GpProgress.TIMED_OUT),
        (GpFailed("no attitude"), GpProgress.FAILED),
        (GpAnswerError("html"), GpProgress.FAILED),
    ],
)
def test_each_trouble_of_gp_has_its_word(error, progress):
    outcome = outcome_of(error)
    assert (outcome.available, outcome.word, outcome.reason) == (False, progress, str(error))


def test_a_report_of_version_0_2_names_how_far_gp_came():
    assert GpOutcome(available=True).word is GpProgress.RECEIVED
    assert GpOutcome(available=False, reason="HTTP 503").word is GpProgress.FAILED
