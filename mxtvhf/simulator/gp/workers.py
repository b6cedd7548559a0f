"""Worker threads of the reference GP."""

from __future__ import annotations

import logging
import sqlite3
import threading
from pathlib import Path

from mxtvhf.errors import MxtVhfError, NothingToDo
from mxtvhf.simulator.gp.analysis import Localiser, analyse, localise_events
from mxtvhf.simulator.gp.jobs import Job, JobStore

log = logging.getLogger(__name__)

LONGEST_GOODBYE = 10.0
"""Time for a running analysis to end when the service stops, seconds; otherwise it restarts next time."""


class Workers:
    """A pool of threads, which process the oldest job first.

    Parameters
    ----------
    jobs
        Job store.
    data
        Folder of the event files.
    count
        Number of threads.
    delay
        Seconds added to every job, to imitate a slow GP.
    localise
        Function that localises the source of an event file.
    """

    def __init__(
        self,
        jobs: JobStore,
        data: Path,
        *,
        count: int = 2,
        delay: float = 0.0,
        localise: Localiser = localise_events,
    ) -> None:
        self._jobs, self._data, self._delay, self._localise = jobs, data, delay, localise
        self._ending = threading.Event()
        self._work = threading.Semaphore(0)
        self._threads = [
            threading.Thread(target=self._run, name=f"gp-worker-{number}", daemon=True)
            for number in range(count)
        ]

    def start(self) -> None:
        """Start the threads; each first looks for queued jobs."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Notify the pool of a new job."""
        self._work.release()

    def stop(self) -> None:
        """Wait for the running analyses to end; queued jobs stay queued."""
        self._ending.set()
        for _ in self._threads:
            self._work.release()
        for thread in self._threads:
            thread.join(timeout=LONGEST_GOODBYE)

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                self._next()
            except sqlite3.Error:
                log.exception("GP jobs cannot be written; retrying")
                self._ending.wait(1.0)

    def _next(self) -> None:
        job = self._jobs.claim()
        if job is None:
            self._work.acquire()
        elif self._ending.wait(self._delay):
            self._jobs.release(job.process_id)
        else:
            self._do(job)

    def _do(self, job: Job) -> None:
        try:
            result = analyse(job.known_request(), self._data, self._localise)
        except NothingToDo as nothing:
            self._jobs.complete_without_source(job.process_id, str(nothing))
        except MxtVhfError as error:
            self._jobs.fail(job.process_id, str(error))
        except Exception:
            # Whatever the analysis raises, the job must end and the thread must continue.
            log.exception("GP process %s", job.process_id)
            self._jobs.fail(job.process_id, "the analysis failed unexpectedly; see the log of the service")
        else:
            self._jobs.complete(job.process_id, result)
