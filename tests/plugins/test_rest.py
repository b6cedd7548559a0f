"""Requests to start a run, without Airflow's database; tests/integration/test_rest.py has the whole."""

import warnings
from types import SimpleNamespace

import pytest
from fastapi import HTTPException, Response
from pydantic import TypeAdapter

from mxtvhf.models.run_conf import RunConf
from mxtvhf.settings import Settings
from mxtvhf.workflow.runs import Run

with warnings.catch_warnings(action="ignore"):
    # Airflow's web framework warns of its own imports.
    from mxtvhf_airflow.web import rest

BURST = "sb26030704"


@pytest.fixture
def post(tmp_path, monkeypatch):
    """Return a function that posts a configuration, with the runs that exist."""
    runs = {}

    def start(conf, user):
        run_id = f"{conf.burst_id}__{conf.sequence}"
        created = run_id not in runs
        facts = {"run_id": run_id, "burst_id": conf.burst_id, "sequence": conf.sequence}
        runs.setdefault(run_id, (Run(**facts, state="queued", created="2026-03-07T14:00:00Z"), conf))
        return run_id, created

    monkeypatch.setattr(rest, "start_run", start)
    monkeypatch.setattr(rest, "find_run", lambda run_id, session: runs.get(run_id))
    settings = Settings(state=tmp_path / "var", input_roots=[tmp_path])
    request = SimpleNamespace(app=SimpleNamespace(state=SimpleNamespace(settings=settings)), scope={})
    user, response = SimpleNamespace(get_name=lambda: "ada"), Response(status_code=201)

    def posted(**fields):
        conf = RunConf(burst_id=BURST, **fields)
        answer = rest.start_processing(conf, request, response, session=None, user=user)
        return response.status_code, answer.run.run_id

    posted.runs = runs
    return posted


@pytest.mark.parametrize(
    ("fields", "cause"),
    [
        ({"alert": "file:///nowhere/alert.xml"}, "alert: 'file:///nowhere/alert.xml': outside the folders"),
        ({"alert": "http://example.org/a.xml"}, "alert: 'http://example.org/a.xml': "),
        ({"alert": "{folder}/nope.xml"}, "nope.xml': no such file"),
        ({"alert": "<VOEvent/>", "packets": "{folder}/nope.bin"}, "packets: '/.*/nope.bin': no such file"),
        (
            {"alert": "<VOEvent/>", "attitude": "{folder}/nope.fits"},
            "attitude: '/.*/nope.fits': no such file",
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_at_once(post, tmp_path, fields, cause):
    fields = {name: text.replace("{folder}", str(tmp_path)) for name, text in fields.items()}
    with pytest.raises(HTTPException, match=cause) as caught:
        post(**fields)
    assert caught.value.status_code == 422
    assert not post.runs


def test_an_input_submitted_before_is_found_after_its_files_are_gone(post, tmp_path):
    packets = tmp_path / "packets.bin"
    packets.touch()
    fields = {"alert": "<VOEvent/>", "packets": str(packets)}
    assert post(**fields) == (201, f"{BURST}__1")
    packets.unlink()
    assert post(**fields) == (200, f"{BURST}__1")
    with pytest.raises(HTTPException, match="exists with another attitude"):
        post(**fields, attitude=str(packets))


def test_positions_and_times_are_read_as_on_the_command_line():
    assert TypeAdapter(rest.RightAscension).validate_python("360") == 0.0
    naive, zoned = (
        TypeAdapter(rest.Moment).validate_python(text)
        for text in ("2026-03-07T14:00:00", "2026-03-07T15:00:00+01:00")
    )
    assert naive == zoned
