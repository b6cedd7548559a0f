"""Reference GP service: contract, job states, and persistence of jobs."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
import uvicorn
from fastapi import FastAPI

from mxtvhf.crosscheck.model import GpProgress
from mxtvhf.errors import Failure, InvalidInput
from mxtvhf.localisation.model import Localisation
from mxtvhf.models.position import Origin
from mxtvhf.simulator.gp import create_app, serve
from mxtvhf.simulator.gp.jobs import MAX_STARTS, JobStore
from mxtvhf.workflow.gp.client import GpClient
from mxtvhf.workflow.gp.contract import GpBusy, GpRequest, GpState, GpStatus, GpUnknownJobError
from mxtvhf.workflow.steps.wait_mxt_gp import gp_outcome
from support.openapi import asked_as_described
from support.positions import localisation_of, place

BODY = {"apid": "00810300005", "target": "2", "orbit": "2", "mode": "GeneralProgram"}
REQUEST = GpRequest(**BODY)
FILE_OF_BODY = "00810300005_2_2.fits"


def found(ra_deg: float) -> Localisation:
    position = place(ra_deg, -30.0, 47.2, label="VHF photons", r90_stat_arcsec=40.0, r90_sys_arcsec=25.0)
    return localisation_of(position, exposure_s=1500.0, data_stream="XBand")


def read_right_ascension(event_file: Path) -> Localisation:
    """Replace the localisation; the content of the file determines the result."""
    text = event_file.read_text()
    if text == "nothing":
        return localisation_of(None, reason="TS 3.1 is below 25")
    if text == "garbage":
        raise InvalidInput(f"event file {event_file.name}: not FITS")
    if text == "bug":
        raise ZeroDivisionError
    return found(float(text))


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / FILE_OF_BODY).write_text("123.5")
    return folder


class Service:
    """The service as seen by its clients."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.client = GpClient(self.url)

    def start(self, event_file: str | None = None, orbit: str = "2") -> str:
        return self.client.start(REQUEST.model_copy(update={"event_file": event_file, "orbit": orbit}))

    def end_of(self, process_id: str) -> GpStatus:
        while not (now := self.client.status(process_id)).state.is_final:
            time.sleep(0.005)
        return now

    def post(self, **more: Any) -> requests.Response:
        return requests.post(f"{self.url}/processing", timeout=10, **more)

    def get(self, path: str) -> requests.Response:
        return requests.get(f"{self.url}{path}", timeout=10)


@contextmanager
def serving(app: FastAPI) -> Iterator[Service]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield Service(listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def service(tmp_path, data):
    with serving(create_app(data, tmp_path / "gp", localise=read_right_ascension)) as running:
        yield running


def test_a_job_gives_the_position_of_its_event_file(service):
    end = service.end_of(service.start())
    assert end.state is GpState.COMPLETED
    assert end.position.origin is Origin.GP
    assert (end.position.ra_deg, end.position.dec_deg) == (123.5, -30.0)


def test_the_service_says_that_it_is_the_reference(service):
    status = service.end_of(service.start())
    assert status.is_reference
    assert status.position.label == "reference service"
    assert gp_outcome(status).is_reference


def test_the_request_may_name_another_event_file(service, data):
    (data / "burst").mkdir()
    (data / "burst" / "events.fits").write_text("7.25")
    for name in ("burst/events.fits", str(data / "burst" / "events.fits")):
        assert service.end_of(service.start(name, orbit="3")).position.ra_deg == 7.25


def test_the_x_band_file_of_the_observation_goes_before_the_event_file(service, data):
    (data / "events.fits").write_text("7.25")
    assert service.end_of(service.start("events.fits")).position.ra_deg == 123.5


def test_the_result_says_from_what_it_is(service):
    process_id = service.start()
    service.end_of(process_id)
    result = service.get(f"/status?seqid={process_id}").json()["result"]
    assert (result["exposure_s"], result["n_photons"], result["data_stream"]) == (1500.0, 9, "XBand")


def test_the_same_request_twice_is_two_jobs(service):
    first, second = service.start(), service.start()
    assert first != second
    assert service.end_of(first).position.ra_deg == service.end_of(second).position.ra_deg


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("garbage", "event file e.fits: not FITS"),
        ("bug", "the analysis failed unexpectedly; see the log of the service"),
        (None, "event file e.fits does not exist in the data folder of the service"),
    ],
)
def test_a_job_that_fails_says_why_and_harms_no_other(service, data, content, message):
    if content is not None:
        (data / "e.fits").write_text(content)
    end = service.end_of(service.start("e.fits", orbit="3"))
    assert (end.state, end.message) == (GpState.FAILED, message)
    assert service.end_of(service.start()).state is GpState.COMPLETED


def test_a_job_that_finds_no_source_is_completed(service, data):
    (data / "e.fits").write_text("nothing")
    end = service.end_of(service.start("e.fits", orbit="3"))
    assert (end.state, end.position) == (GpState.COMPLETED, None)
    assert end.message == "no detection in e.fits: TS 3.1 is below 25"
    assert gp_outcome(end).word is GpProgress.NO_DETECTION


@pytest.mark.parametrize("name", ["/etc/passwd", "../gp/jobs.sqlite", "burst/../../x", "link"])
def test_event_files_outside_the_data_folder_are_refused(service, data, name):
    (data / "link").symlink_to("/etc/passwd")
    answer = service.post(json=BODY | {"event_file": name})
    assert answer.status_code == 400
    assert "event file" in answer.json()["detail"]
    assert service.get("/jobs").json() == []


def test_a_name_that_no_file_can_have(service):
    end = service.end_of(service.start("x" * 5000, orbit="3"))
    assert end.state is GpState.FAILED
    assert re.search(r"x(\.\.\.)?: File name too long$", end.message)


def test_a_target_is_no_way_out_of_the_data_folder(service):
    assert service.post(json=BODY | {"target": "/../../x"}).status_code == 400


@pytest.mark.parametrize(
    "change",
    [
        {"apid": "x"},
        {"orbit": ""},
        {"mode": "rm -rf /"},
        {"target": ""},
        {"more": 1},
        {"apid": None},
        {"apid": None, "target": None, "orbit": None},
        {"apid": None, "event_file": "a.fits"},
        {"event_file": "a\0b"},
    ],
)
def test_requests_that_are_none(service, change):
    assert service.post(json=BODY | change).status_code == 422


def test_bodies_that_are_none(service):
    assert service.post(data=b"{").status_code == 422
    assert service.post(data=b"[" * 60_000).status_code in (400, 422)
    assert service.post(data=b" " * 70_000).status_code == 413
    assert service.post(data=iter([b"{}"])).status_code == 411


@pytest.mark.slow
def test_the_service_is_as_its_description_says_whatever_is_sent(service):
    description = schemathesis.openapi.from_url(f"{service.url}/openapi.json")
    assert asked_as_described(description) == 4


def test_unknown_process_id(service):
    with pytest.raises(GpUnknownJobError):
        service.client.status("no-such-job")
    assert service.get("/status").status_code == 422


def test_job_list_health_and_openapi(service):
    process_id = service.start()
    service.end_of(process_id)
    (entry,) = service.get("/jobs").json()
    assert entry["process_id"] == process_id
    assert entry["request"]["apid"] == BODY["apid"]
    assert service.get("/health").json()["jobs"] == {"PENDING": 0, "RUNNING": 0, "COMPLETED": 1, "FAILED": 0}
    assert {"/processing", "/status", "/jobs", "/health"} <= set(service.get("/openapi.json").json()["paths"])


def test_the_openapi_page_loads_nothing_from_elsewhere(service):
    page = service.get("/docs").text
    assert "swagger-ui-bundle.js" in page
    assert "https://" not in page


def test_jobs_are_done_at_once_but_not_more_than_there_are_workers(tmp_path, data):
    together, both = [], threading.Barrier(2, timeout=10)

    def meet(event_file: Path) -> Localisation:
        together.append(both.wait())
        return found(1.0)

    with serving(create_app(data, tmp_path / "gp", workers=2, localise=meet)) as service:
        jobs = [service.start() for _ in range(4)]
        assert all(service.end_of(job).state is GpState.COMPLETED for job in jobs)
    assert sorted(together) == [0, 0, 1, 1]


def test_a_job_that_waits_when_the_service_stops_is_done_after_the_next_start(tmp_path, data):
    with serving(create_app(data, tmp_path / "gp", delay=3600.0, localise=read_right_ascension)) as slow:
        process_id = slow.start()
        assert not slow.client.status(process_id).state.is_final
    with serving(create_app(data, tmp_path / "gp", localise=read_right_ascension)) as service:
        assert service.end_of(process_id).position.ra_deg == 123.5
    with serving(create_app(data, tmp_path / "gp", localise=read_right_ascension)) as service:
        assert service.client.status(process_id).state is GpState.COMPLETED


def test_a_job_of_which_the_service_dies_is_given_up_after_some_starts(tmp_path):
    for _ in range(MAX_STARTS):
        store = JobStore(tmp_path)
        job = store.claim() or store.submit(REQUEST)
        store.claim()
        store.close()
    store = JobStore(tmp_path)
    assert store.claim() is None
    assert store.get(job.process_id).message == "the service stopped 3 times during the analysis"
    store.close()


def test_one_service_per_state_folder(tmp_path, data):
    store = JobStore(tmp_path / "gp")
    with pytest.raises(Failure, match="another GP service uses it"):
        create_app(data, tmp_path / "gp")
    store.close()


def test_a_state_folder_that_cannot_be(tmp_path, data):
    (tmp_path / "file").write_text("")
    with pytest.raises(Failure, match="GP state folder"):
        create_app(data, tmp_path / "file" / "gp")


def test_a_port_in_use_and_a_missing_data_folder(tmp_path, data):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(Failure, match=f"cannot listen on 127.0.0.1:{port}: Address already in use$"):
            serve(host="127.0.0.1", port=port, data=data, state=tmp_path / "gp")
    with pytest.raises(InvalidInput, match="no such folder"):
        serve(host="127.0.0.1", port=0, data=tmp_path / "nowhere", state=tmp_path / "gp")


def started_service(port: int, data: Path, state: Path, delay: float) -> subprocess.Popen[bytes]:
    code = (
        "import sys; from pathlib import Path; from mxtvhf.simulator.gp import serve;"
        "serve(host='127.0.0.1', port=int(sys.argv[1]), data=Path(sys.argv[2]), state=Path(sys.argv[3]),"
        " delay=float(sys.argv[4]))"
    )
    arguments = [str(port), str(data), str(state), str(delay)]
    return subprocess.Popen([sys.executable, "-c", code, *arguments])


def wait_until_it_answers(client: GpClient, process_id: str) -> GpStatus | None:
    for _ in range(600):
        try:
            return client.status(process_id)
        except GpUnknownJobError:
            return None
        except GpBusy:
            time.sleep(0.05)
    raise TimeoutError(client.base_url)


@pytest.mark.slow
def test_a_killed_service_takes_its_jobs_up_again(tmp_path, data):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    client = GpClient(f"http://127.0.0.1:{port}")
    first = started_service(port, data, tmp_path / "gp", delay=3600.0)
    try:
        assert wait_until_it_answers(client, "none") is None
        process_id = client.start(REQUEST)
        while client.status(process_id).state is not GpState.RUNNING:
            time.sleep(0.01)
    finally:
        first.kill()
        first.wait()
    second = started_service(port, data, tmp_path / "gp", delay=0.0)
    try:
        wait_until_it_answers(client, process_id)
        while not (end := client.status(process_id)).state.is_final:
            time.sleep(0.01)
        # The file of this test is not FITS; the error shows that the real analysis read it.
        assert end.state is GpState.FAILED
        assert FILE_OF_BODY in end.message
        os.kill(second.pid, signal.SIGTERM)
        assert second.wait(timeout=30) == -signal.SIGTERM
    finally:
        second.kill()
        second.wait()
