"""The threads that do the jobs of the reference GP."""

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
"""Seconds that an analysis gets to end when the service stops; what does not is done after the next start."""


class Workers:
    """A small pool of threads, which take the oldest job first.

    Parameters
    ----------
    jobs
        Where the jobs are.
    data
        The folder with the event files.
    count
        Number of threads.
    delay
        Seconds added to every job, to imitate a slow GP.
    localise
        What is done with an event file.
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
        """Start the threads; each looks for waiting jobs first."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Tell the pool that there is one more job."""
        self._work.release()

    def stop(self) -> None:
        """Let each thread end its analysis, and wait for it; what only waits is given back."""
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
                log.exception("GP jobs cannot be written; trying again")
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
            # The job must end, and the thread must live on, whatever the analysis stumbles over.
            log.exception("GP process %s", job.process_id)
            self._jobs.fail(job.process_id, "the analysis failed unexpectedly; see the service's log")
        else:
            self._jobs.complete(job.process_id, result)
