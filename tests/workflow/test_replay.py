import re
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mxtvhf.archive.archive import Archive, ArchivedInput
from mxtvhf.models.ids import REPLAY_MARK
from mxtvhf.models.run_conf import RunConf
from mxtvhf.simulator.notices import eclairs_wakeup_notice, write_notice
from mxtvhf.workflow.replay import MAX_RUN_ID, Replay, schedule, select_replays
from mxtvhf.workflow.replay_request import ReplayRequest

START = datetime(2026, 5, 11, 11, tzinfo=UTC)
AT = datetime(2026, 6, 1, 4, tzinfo=UTC)
MARK = "__replay_20260601T040000.000000Z"
BURST, OTHER = "sb26051102", "sb26042105"


@pytest.fixture
def archive(tmp_path):
    return Archive(tmp_path)


def notice(burst):
    rng = np.random.default_rng(1)
    return write_notice(
        eclairs_wakeup_notice(burst, ra_deg=10.0, dec_deg=5.0, trigger_time=START, snr=10.0, rng=rng)
    )


def keep(archive, run_id, minutes, packets=b"packets", *, burst=BURST, alert=None, is_replay=False):
    kept = archive.keep_packets(burst, packets) if isinstance(packets, bytes) else packets
    path = archive.keep_alert(burst, alert or notice(burst))
    archive.keep_input(
        ArchivedInput(
            run_id=run_id,
            burst_id=burst,
            conf=RunConf(burst_id=burst, alert=str(path), packets=kept and str(kept)),
            received=START + timedelta(minutes=minutes),
            is_replay=is_replay,
        )
    )


def select(archive, **options):
    return select_replays(archive, ReplayRequest(**options), at=AT)


def run_ids(archive, **options):
    return [replay.run_id for replay in select(archive, **options)]


def test_newest_first_without_replays(archive):
    keep(archive, f"{BURST}__1", 0)
    keep(archive, f"{BURST}__2", 5, b"more packets")
    keep(archive, f"{OTHER}__1", 9, burst=OTHER)
    keep(archive, f"{OTHER}__1__replay_20260512T040000.000000Z", 20, burst=OTHER, is_replay=True)
    assert run_ids(archive) == [f"{OTHER}__1{MARK}", f"{BURST}__2{MARK}", f"{BURST}__1{MARK}"]


def test_inputs_of_one_sequence_are_all_replayed_but_the_same_bytes_once(archive):
    keep(archive, "manual__2026-05-11T11:00:00+00:00", 0)
    keep(archive, "manual__2026-05-11T11:01:00+00:00", 1, b"more packets")
    keep(archive, "again", 2)
    assert run_ids(archive) == [f"again{MARK}", f"manual__2026-05-11T11:01:00+00:00{MARK}"]


def test_two_inputs_of_one_run_id_give_two_replays(archive):
    keep(archive, "run", 0)
    keep(archive, "run", 1, b"more packets")
    assert len(set(run_ids(archive))) == 2


def test_run_ids_are_what_airflow_takes(archive):
    for minutes, run_id in enumerate(("x" * 250, "x" * 250 + "y", "a b/\u00e9", "a_b/\u00e9")):
        keep(archive, run_id, minutes, bytes([minutes]))
    found = run_ids(archive)
    assert len(set(found)) == 4
    for run_id in found:
        assert re.fullmatch(r"[A-Za-z0-9_.~:+-]+", run_id)
        assert len(run_id) <= MAX_RUN_ID
        assert run_id.endswith(MARK)
        assert REPLAY_MARK in run_id


def test_what_cannot_become_a_run_is_left_out(archive):
    keep(archive, "malformed", 0, alert=b"<voe:VOEvent")
    keep(archive, "other burst", 1, alert=notice(OTHER))
    keep(archive, "packets missing", 2, "/data/packets.bin")
    keep(archive, "no-packets", 3, None)
    assert run_ids(archive) == [f"no-packets{MARK}"]


def test_one_burst_and_a_limit(archive):
    for minutes in range(1, 5):
        keep(archive, f"run-{minutes}", minutes, bytes([minutes]))
    keep(archive, "other", 60, burst=OTHER)
    assert run_ids(archive, burst_id=BURST, limit=2) == [f"run-4{MARK}", f"run-3{MARK}"]


def test_the_same_time_gives_the_same_run_ids(archive):
    keep(archive, f"{BURST}__1", 0)
    assert select(archive) == select(archive)


def test_an_empty_archive_has_nothing_to_replay(archive):
    assert select(archive) == []


def test_a_replay_knows_its_original(archive):
    keep(archive, f"{BURST}__1", 3)
    (replay,) = select(archive)
    assert (replay.original, replay.received) == (f"{BURST}__1", START + timedelta(minutes=3))


def test_a_list_of_bursts(archive):
    third = "sb26030101"
    for burst in (BURST, OTHER, third):
        keep(archive, f"{burst}__1", 0, burst=burst)
    assert run_ids(archive, burst_ids=[third, OTHER]) == [f"{OTHER}__1{MARK}", f"{third}__1{MARK}"]
    assert len(run_ids(archive, burst_ids=[third], burst_id=BURST)) == 2


@pytest.mark.parametrize(
    ("first", "last", "chosen"),
    [
        (None, None, {BURST, OTHER, "sb24123101"}),
        (date(2026, 4, 21), date(2026, 4, 21), {OTHER}),
        (date(2026, 4, 22), None, {BURST}),
        (None, date(2026, 4, 20), {"sb24123101"}),
        (date(2025, 1, 1), date(2026, 5, 11), {BURST, OTHER}),
    ],
)
def test_a_range_of_days_is_one_of_burst_ids(archive, first, last, chosen):
    for burst in (BURST, OTHER, "sb24123101"):
        keep(archive, f"{burst}__1", 0, burst=burst)
    found = select(archive, first_day=first, last_day=last)
    assert {replay.conf.burst_id for replay in found} == chosen


def test_the_form_of_the_dag_names_the_days_from_and_to():
    request = ReplayRequest.model_validate({"from": "2026-05-01", "to": None, "burst_ids": [BURST]})
    assert request.first_day == date(2026, 5, 1)
    assert ReplayRequest.model_validate(request.model_dump(mode="json", by_alias=True)) == request


@pytest.mark.parametrize(
    "wrong",
    [
        {"speed": 0.0},
        {"speed": 1e-300},
        {"speed": float("inf")},
        {"limit": 0},
        {"burst_ids": ["x"]},
        {"from": "May"},
        {"from": "2026-03-31", "to": "2026-03-01"},
    ],
)
def test_an_unsound_request_is_refused(wrong):
    with pytest.raises(ValidationError):
        ReplayRequest.model_validate(wrong)


def replays_at(seconds):
    conf = RunConf(burst_id=BURST, alert="alert.xml")
    return [
        Replay(run_id=f"run{n}", conf=conf, original="x", received=START + timedelta(seconds=second))
        for n, second in enumerate(seconds)
    ]


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=20), st.sampled_from([0.5, 1.0, 10.0]))
def test_at_a_pace_the_spacing_is_that_of_reception(seconds, speed):
    planned = schedule(replays_at(seconds), AT, speed)
    assert [replay.received for replay, _ in planned] == sorted(replay.received for replay, _ in planned)
    assert planned[0][1] == AT
    for replay, moment in planned:
        waited = (replay.received - planned[0][0].received).total_seconds()
        assert (moment - AT).total_seconds() == pytest.approx(waited / speed, abs=1e-5)


@given(st.lists(st.integers(0, 10**6), max_size=20))
def test_without_a_pace_all_start_at_once_in_the_order_of_reception(seconds):
    planned = schedule(replays_at(seconds), AT, None)
    assert {moment for _, moment in planned} <= {AT}
    assert sorted(seconds) == [(replay.received - START).total_seconds() for replay, _ in planned]
