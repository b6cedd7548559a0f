"""Planning of the runs of a burst, each with a fixed snapshot of its inputs."""

from __future__ import annotations

import logging
from datetime import datetime

from mxtvhf.archive.archive import Archive
from mxtvhf.errors import InvalidInput
from mxtvhf.intake.burst_state import BurstState, read_burst_state
from mxtvhf.intake.open_bursts import OpenBursts
from mxtvhf.intake.planned import PlannedRun, planned_folder
from mxtvhf.intake.policy import WantedRun, next_look, next_run
from mxtvhf.models.files import write_once
from mxtvhf.models.ids import run_id_of
from mxtvhf.models.kept import ADVICE
from mxtvhf.models.run_conf import RunConf
from mxtvhf.settings import IntakePolicy

log = logging.getLogger(__name__)


def plan_runs(
    burst_id: str, archive: Archive, bursts: OpenBursts, policy: IntakePolicy, now: datetime
) -> tuple[tuple[PlannedRun, ...], datetime | None]:
    """Plan the runs that a burst should have by now, and close the burst if nothing is left to do.

    The planned runs are on disk when the function returns. Several intakes may call it at once.

    Returns
    -------
    tuple
        The planned runs that Airflow does not have yet, and the time of the next check if no message arrives
        (UTC; None if the burst needs none).

    Raises
    ------
    InvalidInput
        The archive has messages of the burst, but no record of their reception is readable. The burst stays
        open, because a backup may restore the records.
    """
    with archive.burst_lock(burst_id):
        burst = read_burst_state(archive, burst_id)
        if not burst.has_messages and archive.has_messages(burst_id):
            raise InvalidInput(
                f"{archive.root / burst_id}: messages without a readable record of their reception "
                f"(received.jsonl); {ADVICE}"
            )
        while (wanted := next_run(burst, policy, now)) is not None:
            burst = burst.with_run(_plan(wanted, burst, archive, now))
        again = next_look(burst, policy, now)
        if again is None and not burst.waiting:
            bursts.close(burst_id)
    return burst.waiting, again


def _plan(wanted: WantedRun, burst: BurstState, archive: Archive, now: datetime) -> PlannedRun:
    sequence, is_test = burst.last_sequence + 1, wanted.notice.alert.is_test
    run_id = run_id_of(burst.burst_id, sequence, is_test=is_test)
    packets = _snapshot(burst, archive) if wanted.with_packets else None
    attitude = burst.attitude.resolve().as_uri() if packets and burst.attitude else None
    run = PlannedRun(
        run_id=run_id,
        conf=RunConf(
            burst_id=burst.burst_id,
            alert=wanted.notice.path.as_uri(),
            packets=packets,
            attitude=attitude,
            sequence=sequence,
        ),
        cause=wanted.cause,
        reason=wanted.reason,
        is_test=is_test,
        is_retraction=wanted.notice.alert.is_retraction,
        photons=burst.photons if packets else 0,
        packets=burst.packets if packets else 0,
        planned=now,
    )
    path = planned_folder(archive, burst.burst_id) / f"{sequence:04d}.json"
    write_once(path, run.model_dump_json(indent=1).encode() + b"\n")
    log.info("burst %s, run %s planned: %s", burst.burst_id, run_id, wanted.reason)
    return run


def _snapshot(burst: BurstState, archive: Archive) -> str:
    """Store all messages received so far as one file and return its URI."""
    raw = b"".join(path.read_bytes() for path, _ in burst.vhf)
    kept = archive.keep_packets(burst.burst_id, raw)
    archive.log_receipt(kept, burst.vhf[-1][1])
    return kept.resolve().as_uri()
