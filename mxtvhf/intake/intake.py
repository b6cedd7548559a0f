"""The intake itself: it files what waits, looks at bursts, and starts their runs, round after round."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mxtvhf.archive.archive import Archive
from mxtvhf.errors import InvalidInput, MxtVhfError, NewerVersion, Retriable
from mxtvhf.intake.burst_state import PlannedRun
from mxtvhf.intake.dispatch import dispatch
from mxtvhf.intake.filing import Tell, file_message, set_aside
from mxtvhf.intake.open_bursts import OpenBursts
from mxtvhf.intake.planner import plan_runs
from mxtvhf.intake.spool import ReceivedMessage, Spool
from mxtvhf.models.kept import BAD_FILE, log_once
from mxtvhf.settings import IntakePolicy
from mxtvhf.workflow.airflow_api import AirflowApi

log = logging.getLogger(__name__)

ROUND_S = 0.2
"""Seconds between rounds when nothing wakes the intake: other intakes keep messages on the same disk."""
LONGEST_PAUSE_S = 15.0
"""Between two attempts to reach Airflow."""
SPOILED_PAUSE_S = 30.0
POSTS_A_ROUND = 20
"""Then what came meanwhile is filed, so that a new alert need not wait for all runs of a storm."""


def alive_file(archive_root: Path) -> Path:
    """File that every round of an intake touches: how old it is tells whether one works."""
    return archive_root / "alive"


class Intake:
    """One of possibly several intakes on an archive; it remembers nothing that the disk does not tell.

    Parameters
    ----------
    archive
        Where all is kept.
    api
        The Airflow that runs.
    policy
        When a burst gets its runs.
    tell
        Told of every message that went to quarantine, and why.
    heartbeat
        File that this intake alone touches in every round, for the health check of its process.
    """

    def __init__(
        self,
        archive: Archive,
        api: AirflowApi,
        policy: IntakePolicy,
        tell: Tell = lambda message, reason: None,
        heartbeat: Path | None = None,
    ) -> None:
        self.archive = archive
        self.incoming = Spool(archive.root)
        self._alive = [alive_file(archive.root), *([heartbeat] if heartbeat else [])]
        self.bursts = OpenBursts(archive.root)
        self._api = api
        self._policy = policy
        self._tell = tell
        self._woken = threading.Event()
        self._seen: dict[str, tuple[int, datetime | None]] = {}
        self._waiting: dict[str, tuple[PlannedRun, ...]] = {}
        self._failures = 0
        self._refusals: Counter[str] = Counter()
        self._next_attempt = 0.0

    def keep(self, message: ReceivedMessage) -> None:
        """Keep a message, see `Incoming.keep`, and have it filed soon. For sources, from any thread."""
        self.incoming.keep(message)
        self._woken.set()

    def refuse(self, message: ReceivedMessage, reason: str) -> None:
        """Set a message aside that is not to be looked at; when this returns it may be acknowledged."""
        set_aside(message, self.archive, reason, self._tell)

    def run(self, stop: threading.Event, works: Callable[[], None] = lambda: None) -> None:
        """Work until ``stop`` is set.

        Parameters
        ----------
        stop
            Ends the work.
        works
            Called after each round.

        Raises
        ------
        OSError
            The archive cannot be written; nothing is acknowledged meanwhile.
        """
        while not stop.is_set():
            self._woken.clear()
            self.round()
            for path in self._alive:
                path.touch()
            works()
            if not self._can_post():
                self._woken.wait(ROUND_S)

    def round(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """File all that waits, look at the bursts that need it, start some of the runs that wait.

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
                log_once(f"{path}: cannot be filed: {error}; the message waits")
        self._look(clock())
        if self._can_post():
            self._post()

    def _take(self, path: Path) -> None:
        """File a waiting message; one that is damaged goes to quarantine, one of a later version waits."""
        try:
            message = self.incoming.read(path)
        except NewerVersion as error:
            log_once(f"{error}; the message waits")
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
            # Whatever a message does to this program, the ones behind it are filed.
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
            try:
                waiting, again = plan_runs(burst_id, self.archive, self.bursts, self._policy, now)
            except Exception as error:
                if isinstance(error, OSError) and error.errno not in BAD_FILE:
                    raise
                # A burst whose folder was spoiled by a hand or a fault of ours must not stop the others.
                text = f"burst {burst_id}: cannot be looked at, again in {SPOILED_PAUSE_S:.0f} s: {error}"
                if _is_foreseen(error):
                    log_once(text)
                else:
                    log.error(text, exc_info=error)
                waiting, again = (), now + timedelta(seconds=SPOILED_PAUSE_S)
            self._waiting[burst_id], self._seen[burst_id] = waiting, (mark, again)

    def _can_post(self) -> bool:
        return any(self._waiting.values()) and time.monotonic() >= self._next_attempt

    def _post(self) -> None:
        """Real alerts before tests, new ones before old ones; a run that failed behind those that did not."""
        runs = [run for waiting in self._waiting.values() for run in waiting]
        runs.sort(
            key=lambda run: (
                self._refusals[run.run_id],
                run.is_test,
                -run.planned.timestamp(),
                run.conf.sequence,
            )
        )
        try:
            for run in runs[:POSTS_A_ROUND]:
                self._dispatch(run)
        except Retriable as error:
            self._failures += 1
            pause = min(LONGEST_PAUSE_S, 0.25 * 2.0**self._failures) * random.uniform(0.5, 1.0)  # noqa: S311
            self._next_attempt = time.monotonic() + pause
            log.warning("%d runs wait, next attempt in %.1f s: %s", len(runs), pause, error)
        else:
            self._failures = 0

    def _dispatch(self, run: PlannedRun) -> None:
        burst_id = run.conf.burst_id
        try:
            dispatch(run, self.archive, self._api)
        except (Retriable, OSError):
            self._refusals[run.run_id] += 1
            raise
        except Exception as error:
            # Whatever Airflow answers to one run, those of the other bursts are started.
            self._refusals[run.run_id] += 1
            log.error(
                "run %s: cannot be started, again in %.0f s: %s",
                run.run_id,
                LONGEST_PAUSE_S,
                error,
                exc_info=None if _is_foreseen(error) else error,
            )
            again = datetime.now(UTC) + timedelta(seconds=LONGEST_PAUSE_S)
            self._seen[burst_id] = self.bursts.all().get(burst_id, 0), again
            self._waiting.pop(burst_id, None)
        else:
            del self._refusals[run.run_id]
            self._look_again(burst_id)

    def _look_again(self, burst_id: str) -> None:
        self._waiting.pop(burst_id, None)
        self._seen.pop(burst_id, None)


def _is_foreseen(error: Exception) -> bool:
    """Tell whether the text of an error says all; of a defect of ours the stack is logged, too."""
    return isinstance(error, MxtVhfError | OSError)
