"""Jobs of the reference GP in an SQLite file; an accepted job is never lost."""

from __future__ import annotations

import fcntl
import json
import sqlite3
import threading
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from mxtvhf import __version__
from mxtvhf.errors import Failure, InvalidInput, NewerVersion
from mxtvhf.models.times import utc_text
from mxtvhf.simulator.gp.analysis import AnalysisResult
from mxtvhf.workflow.gp.contract import GpRequest, GpState

MAX_STARTS = 3
"""Largest number of starts of a job whose analysis is interrupted by the end of the process."""

JOBS_VERSION = 1
"""SQLite ``user_version`` of the file; version 0.1.0 wrote the same table with 0."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    number     INTEGER PRIMARY KEY,
    process_id TEXT NOT NULL UNIQUE,
    request    TEXT NOT NULL,
    state      TEXT NOT NULL,
    starts     INTEGER NOT NULL DEFAULT 0,
    message    TEXT,
    result     TEXT,
    submitted  TEXT NOT NULL,
    ended      TEXT
);
CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs (state, number);
"""


@dataclass(frozen=True)
class Job:
    """A requested analysis."""

    process_id: str
    request: GpRequest | None
    """None if the stored request is damaged."""
    state: GpState
    message: str | None
    result: AnalysisResult | None
    submitted: str
    """UTC, ISO 8601."""
    ended: str | None
    """UTC, ISO 8601; None before the end of the job."""

    def known_request(self) -> GpRequest:
        """Return the request.

        Raises
        ------
        InvalidInput
            The stored request is damaged.
        """
        if self.request is None:
            raise InvalidInput(f"GP job {self.process_id}: the stored request is damaged; submit it again")
        return self.request


class JobStore:
    """The jobs of one folder; several threads may share it, but only one process can open it.

    Parameters
    ----------
    folder
        Folder of the job file, which is created if missing.

    Raises
    ------
    NewerVersion
        The jobs were stored by a later version of this software.
    Failure
        Another process uses the folder, it cannot be written, or the job file is damaged.
    """

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock_file = (folder / "gp.lock").open("w")
        except OSError as error:
            raise Failure(f"GP state folder {folder}: {error.strerror}") from None
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock_file.close()
            raise Failure(
                f"GP state folder {folder}: another GP service uses it; stop it or choose another folder"
            ) from None
        self._one_at_a_time = threading.Lock()
        path = folder / "jobs.sqlite"
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.row_factory = sqlite3.Row
        try:
            self._prepare(path)
            self._take_up_again()
        except sqlite3.DatabaseError as error:
            self.close()
            raise Failure(
                f"{path}: damaged: {error}; restore it, or remove it to start without jobs"
            ) from None
        except NewerVersion:
            self.close()
            raise

    def _prepare(self, path: Path) -> None:
        (version,) = self._database.execute("PRAGMA user_version").fetchone()
        if version > JOBS_VERSION:
            raise NewerVersion(
                f"{path}: schema version {version}; mxtvhf {__version__} reads up to {JOBS_VERSION}; "
                "upgrade mxtvhf"
            )
        # A job is on disk before its process id is returned.
        self._database.executescript(
            f"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; {_SCHEMA} PRAGMA user_version={JOBS_VERSION};"
        )

    def close(self) -> None:
        """Close the file and release the folder for another process."""
        with self._one_at_a_time:
            self._database.close()
            self._lock_file.close()

    def _take_up_again(self) -> None:
        """Queue interrupted jobs of the last process again, unless they were interrupted too often."""
        with self._one_at_a_time:
            self._database.execute(
                "UPDATE jobs SET state = ?, message = ?, ended = ? WHERE state = ? AND starts >= ?",
                (
                    GpState.FAILED,
                    f"the service stopped {MAX_STARTS} times during the analysis",
                    utc_text(datetime.now(UTC)),
                    GpState.RUNNING,
                    MAX_STARTS,
                ),
            )
            self._database.execute(
                "UPDATE jobs SET state = ? WHERE state = ?", (GpState.PENDING, GpState.RUNNING)
            )

    def submit(self, request: GpRequest) -> Job:
        """Add a job; the same request again adds another one.

        Parameters
        ----------
        request
            Observation or event file to analyse.
        """
        process_id = str(uuid.uuid4())
        now = utc_text(datetime.now(UTC))
        with self._one_at_a_time:
            self._database.execute(
                "INSERT INTO jobs (process_id, request, state, submitted) VALUES (?, ?, ?, ?)",
                (process_id, request.model_dump_json(), GpState.PENDING, now),
            )
        return Job(process_id, request, GpState.PENDING, None, None, now, None)

    def claim(self) -> Job | None:
        """Return the oldest pending job and mark it as running; None if there is none."""
        with self._one_at_a_time:
            rows = self._database.execute(
                "UPDATE jobs SET state = ?, starts = starts + 1 WHERE number ="
                " (SELECT number FROM jobs WHERE state = ? ORDER BY number LIMIT 1) RETURNING *",
                (GpState.RUNNING, GpState.PENDING),
            ).fetchall()
        return _job(rows[0]) if rows else None

    def release(self, process_id: str) -> None:
        """Return a claimed job to the queue for the next start of the service.

        Parameters
        ----------
        process_id
            Id of the job.
        """
        with self._one_at_a_time:
            self._database.execute(
                "UPDATE jobs SET state = ?, starts = starts - 1 WHERE process_id = ?",
                (GpState.PENDING, process_id),
            )

    def complete(self, process_id: str, result: AnalysisResult) -> None:
        """End a job with its result.

        Parameters
        ----------
        process_id
            Id of the job.
        result
            Result of the analysis.
        """
        self._end(process_id, GpState.COMPLETED, None, result.model_dump_json())

    def complete_without_source(self, process_id: str, message: str) -> None:
        """End a job without a detection.

        Parameters
        ----------
        process_id
            Id of the job.
        message
            Reason with the upper limit.
        """
        self._end(process_id, GpState.COMPLETED, message, None)

    def fail(self, process_id: str, message: str) -> None:
        """End a job with a failure.

        Parameters
        ----------
        process_id
            Id of the job.
        message
            Cause of the failure.
        """
        self._end(process_id, GpState.FAILED, message, None)

    def _end(self, process_id: str, state: GpState, message: str | None, result: str | None) -> None:
        with self._one_at_a_time:
            self._database.execute(
                "UPDATE jobs SET state = ?, message = ?, result = ?, ended = ? WHERE process_id = ?",
                (state, message, result, utc_text(datetime.now(UTC)), process_id),
            )

    def get(self, process_id: str) -> Job | None:
        """Return a job; None if it does not exist.

        Parameters
        ----------
        process_id
            Id of the job.
        """
        with self._one_at_a_time:
            row = self._database.execute("SELECT * FROM jobs WHERE process_id = ?", (process_id,)).fetchone()
        return _job(row) if row else None

    def latest(self, count: int) -> list[Job]:
        """Return the latest jobs, newest first.

        Parameters
        ----------
        count
            Largest number of jobs.
        """
        with self._one_at_a_time:
            rows = self._database.execute(
                "SELECT * FROM jobs ORDER BY number DESC LIMIT ?", (count,)
            ).fetchall()
        return [_job(row) for row in rows]

    def counts(self) -> dict[GpState, int]:
        """Return the number of jobs by state."""
        with self._one_at_a_time:
            rows = self._database.execute("SELECT state, count(*) FROM jobs GROUP BY state").fetchall()
        return dict.fromkeys(GpState, 0) | {GpState(state): number for state, number in rows}


def _job(row: sqlite3.Row) -> Job:
    state, message, result = GpState(row["state"]), row["message"], None
    if row["result"]:
        try:
            result = AnalysisResult.model_validate(json.loads(row["result"]))
        except ValueError:
            state, message = GpState.FAILED, "the stored result is damaged; submit the request again"
    return Job(
        process_id=row["process_id"],
        request=_request(row["request"]),
        state=state,
        message=message,
        result=result,
        submitted=row["submitted"],
        ended=row["ended"],
    )


def _request(kept: str) -> GpRequest | None:
    try:
        return GpRequest.model_validate_json(kept, extra="ignore")
    except ValidationError:
        return None
