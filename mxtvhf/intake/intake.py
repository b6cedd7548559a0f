"""The intake loop: file waiting messages, plan the runs of bursts and submit them to Airflow."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from mxtvhf.archive.archive import Archive
from mxtvhf.errors import InvalidInput, MxtVhfError, NewerVersion, Retriable
from mxtvhf.intake.admission import Admission, start_order
from mxtvhf.intake.alive import alive_file
from mxtvhf.intake.dispatch import ACTIVE, dispatch
from mxtvhf.intake.filing import Tell, file_message, set_aside
from mxtvhf.intake.open_bursts import OpenBursts
from mxtvhf.intake.planned import PlannedRun
from mxtvhf.intake.planner import plan_runs
from mxtvhf.intake.sky_notices import SkyNotices
from mxtvhf.intake.spool import ReceivedMessage, Spool
from mxtvhf.models.kept import BAD_FILE, log_once
from mxtvhf.settings import IntakePolicy
from mxtvhf.sky_notices.reading import is_sky_notice
from mxtvhf.sky_notices.store import SkyStore
from mxtvhf.workflow.airflow_api import AirflowApi

log = logging.getLogger(__name__)

ROUND_S = 0.2
"""Seconds between rounds if no message wakes the intake; other intakes may store messages meanwhile."""
STEP_S = 0.05
"""Seconds between two checks for a report that admits the next run."""
LONGEST_PAUSE_S = 15.0
"""Longest pause between two attempts to reach Airflow, seconds."""
SPOILED_PAUSE_S = 30.0
"""Pause before a burst with a damaged folder is checked again, seconds."""
POSTS_A_ROUND = 20
"""Runs submitted per round. The limit keeps a new alert from waiting for all runs of an alert storm."""


class Intake:
    """An intake on an archive, which several intakes may share. All of its state is on disk.

    Parameters
    ----------
    archive
        The archive of all inputs.
    api
        Client of the Airflow that runs the DAGs.
    policy
        The rules by which a burst gets its runs.
    products
        Folder of all products, in which the reports of the runs appear.
    tell
        Called with each message that goes to quarantine and the reason.
    heartbeat
        File that only this intake touches, once per round, for the health check of its process.
    """

    def __init__(
        self,
        archive: Archive,
        api: AirflowApi,
        policy: IntakePolicy,
        products: Path,
        tell: Tell = lambda message, reason: None,
        heartbeat: Path | None = None,
    ) -> None:
        self.archive = archive
        self.incoming = Spool(archive.root)
        self.sky = SkyNotices(SkyStore(archive.root))
        self._alive = [alive_file(archive.root), *([heartbeat] if heartbeat else [])]
        self.bursts = OpenBursts(archive.root)
        self._api = api
        self._policy = policy
        self._admission = Admission(products, policy.analyses_at_once)
        self._tell = tell
        self._woken = threading.Event()
        self._seen: dict[str, tuple[int, datetime | None]] = {}
        self._waiting: dict[str, tuple[PlannedRun, ...]] = {}
        self._failures = 0
        self._refusals: Counter[str] = Counter()
        self._next_attempt = 0.0

    def keep(self, message: ReceivedMessage) -> None:
        """Store a message durably (see `Spool.keep`) and wake the intake. Sources call it from any thread.

        A notice of another mission starts no run and goes to `SkyNotices`.
        """
        if is_sky_notice(message.raw):
            self.sky.keep(message)
            return
        self.incoming.keep(message)
        self._woken.set()

    def refuse(self, message: ReceivedMessage, reason: str) -> None:
        """Put a message into quarantine without reading it. It may be acknowledged afterwards."""
        set_aside(message, self.archive, reason, self._tell)

    def run(self, stop: threading.Event, works: Callable[[], None] = lambda: None) -> None:
        """Repeat rounds until ``stop`` is set.

        Parameters
        ----------
        stop
            Ends the loop.
        works
            Called after each round.

        Raises
        ------
        OSError
            The archive cannot be written. No message is acknowledged until it can.
        """
        while not stop.is_set():
            self._woken.clear()
            self.round()
            for path in self._alive:
                path.touch()
            works()
            self._wait()

    def _wait(self) -> None:
        """Wait for a message, a run that may start, or the next round."""
        until = time.monotonic() + ROUND_S
        while not self._can_post() and time.monotonic() < until and not self._woken.wait(STEP_S):
            self._admission.refresh()

    def round(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """File the waiting messages, plan the runs of the open bursts and submit some waiting runs.

        Raises
        ------
        OSError
            The archive cannot be written.
        """
        for path in self.incoming.waiting():
            try:
                self._take(path)
            except OSError as error:
                if error.errno not in BAD_FILE:
                    raise
                log_once(f"{path}: cannot be filed: {error}; the message stays queued")
        self._look(clock())
        self._admission.refresh()
        if self._can_ask() and not self._can_post():
            self._uncount_ended()
        if self._can_post():
            self._post()

    def _take(self, path: Path) -> None:
        """File a waiting message. A damaged one goes to quarantine; one of a later version stays queued."""
        try:
            message = self.incoming.read(path)
        except NewerVersion as error:
            log_once(f"{error}; the message stays queued")
            return
        except InvalidInput as error:
            self.refuse(ReceivedMessage(path.read_bytes(), str(path), datetime.now(UTC)), str(error))
            self.incoming.done(path)
            return
        if message is not None:
            self._file(message)
            self.incoming.done(path)

    def _file(self, message: ReceivedMessage) -> None:
        try:
            file_message(message, self.archive, self.bursts, self._tell)
        except OSError:
            raise
        except Exception as error:
            # A message that triggers a defect must not block the messages behind it.
            log.exception("%s: cannot be filed", message.source)
            reason = f"{message.source}: internal error {type(error).__name__}: {error}"
            set_aside(message, self.archive, reason, self._tell)

    def _look(self, now: datetime) -> None:
        opened = self.bursts.all()
        for burst_id in self._seen.keys() - opened.keys():
            del self._seen[burst_id]
            self._waiting.pop(burst_id, None)
        for burst_id, mark in opened.items():
            seen, again = self._seen.get(burst_id, (None, None))
            if mark == seen and (again is None or now < again):
                continue
            if mark != seen:
                self.sky.precedence.ours_arrived()
            try:
                waiting, again = plan_runs(burst_id, self.archive, self.bursts, self._policy, now)
            except Exception as error:
                if isinstance(error, OSError) and error.errno not in BAD_FILE:
                    raise
                # A burst with a damaged folder, or one that triggers a defect, must not stop the others.
                text = f"burst {burst_id}: planning failed, next attempt in {SPOILED_PAUSE_S:.0f} s: {error}"
                if _is_foreseen(error):
                    log_once(text)
                else:
                    log.error(text, exc_info=error)
                waiting, again = (), now + timedelta(seconds=SPOILED_PAUSE_S)
            self._waiting[burst_id], self._seen[burst_id] = waiting, (mark, again)

    def _can_ask(self) -> bool:
        return time.monotonic() >= self._next_attempt and any(self._waiting.values())

    def _can_post(self) -> bool:
        return self._can_ask() and any(
            self._admission.admits(run) for waiting in self._waiting.values() for run in waiting
        )

    def _uncount_ended(self) -> None:
        """Look for runs that ended without a report, because those behind them need not wait."""
        for run in self._admission.overdue():
            try:
                is_active = self._api.run(run.run_id)["state"] in ACTIVE
            except MxtVhfError as error:
                log_once(f"run {run.run_id}: state unknown: {error}; later runs wait until it counts no more")
                continue
            if not is_active:
                self._admission.ended(run)

    def _post(self) -> None:
        """Submit the admitted runs in `start_order`; those with failed attempts last."""
        runs = [run for waiting in self._waiting.values() for run in waiting]
        runs.sort(key=lambda run: (self._refusals[run.run_id], start_order(run)))
        try:
            for run in islice(filter(self._admission.admits, runs), POSTS_A_ROUND):
                self._dispatch(run)
        except Retriable as error:
            self._failures += 1
            pause = min(LONGEST_PAUSE_S, 0.25 * 2.0**self._failures) * random.uniform(0.5, 1.0)  # noqa: S311
            self._next_attempt = time.monotonic() + pause
            log.warning("%d runs queued, next attempt in %.1f s: %s", len(runs), pause, error)
        else:
            self._failures = 0

    def _dispatch(self, run: PlannedRun) -> None:
        burst_id = run.conf.burst_id
        try:
            submission = dispatch(run, self.archive, self._api)
        except (Retriable, OSError):
            self._refusals[run.run_id] += 1
            raise
        except Exception as error:
            # An unexpected answer of Airflow to one run must not block the runs of other bursts.
            self._refusals[run.run_id] += 1
            log.error(
                "run %s: not started, next attempt in %.0f s: %s",
                run.run_id,
                LONGEST_PAUSE_S,
                error,
                exc_info=None if _is_foreseen(error) else error,
            )
            again = datetime.now(UTC) + timedelta(seconds=LONGEST_PAUSE_S)
            self._seen[burst_id] = self.bursts.all().get(burst_id, 0), again
            self._waiting.pop(burst_id, None)
        else:
            if submission.outcome == "accepted":
                self._admission.start(run)
            del self._refusals[run.run_id]
            self._look_again(burst_id)

    def _look_again(self, burst_id: str) -> None:
        self._waiting.pop(burst_id, None)
        self._seen.pop(burst_id, None)


def _is_foreseen(error: Exception) -> bool:
    """Return True if the text of an error is enough for the log, without the stack trace of a defect."""
    return isinstance(error, MxtVhfError | OSError)
