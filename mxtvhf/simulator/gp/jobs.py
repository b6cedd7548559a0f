"""The jobs of the reference GP, in a SQLite file: nothing accepted is ever forgotten."""

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
"""A job that was being analysed when the service died is started again, but not more often than this."""

JOBS_VERSION = 1
"""SQLite's ``user_version`` of the file; version 0.1.0 left it 0 and wrote the same table."""

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
    """One analysis that was asked for."""

    process_id: str
    request: GpRequest | None
    """None where the kept request is damaged."""
    state: GpState
    message: str | None
    result: AnalysisResult | None
    submitted: str
    """UTC, ISO 8601."""
    ended: str | None
    """UTC, ISO 8601; None until then."""

    def known_request(self) -> GpRequest:
        """Return what was asked for.

        Raises
        ------
        InvalidInput
            The kept request is damaged.
        """
        if self.request is None:
            raise InvalidInput(f"GP job {self.process_id}: the kept request is damaged; submit it again")
        return self.request


class JobStore:
    """All jobs of one folder. Safe to use from several threads, refused to a second process.

    Raises
    ------
    NewerVersion
        The jobs were kept by a later version of this software.
    Failure
        Another process has the folder, it cannot be written, or the file of the jobs is damaged.
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
            raise Failure(f"GP state folder {folder}: another GP service uses it") from None
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
        # A job is on the disk before its process id is given out.
        self._database.executescript(
            f"PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; {_SCHEMA} PRAGMA user_version={JOBS_VERSION};"
        )

    def close(self) -> None:
        """Close the file and let another process have the folder."""
        with self._one_at_a_time:
            self._database.close()
            self._lock_file.close()

    def _take_up_again(self) -> None:
        """Queue what was being analysed when the last process died, unless it died of it too often."""
        with self._one_at_a_time:
            self._database.execute(
                "UPDATE jobs SET state = ?, message = ?, ended = ? WHERE state = ? AND starts >= ?",
                (
                    GpState.FAILED,
                    f"the service died {MAX_STARTS} times during the analysis",
                    utc_text(datetime.now(UTC)),
                    GpState.RUNNING,
                    MAX_STARTS,
                ),
            )
            self._database.execute(
                "UPDATE jobs SET state = ? WHERE state = ?", (GpState.PENDING, GpState.RUNNING)
            )

    def submit(self, request: GpRequest) -> Job:
        """Add a job. The same request twice makes two jobs."""
        process_id = str(uuid.uuid4())
        now = utc_text(datetime.now(UTC))
        with self._one_at_a_time:
            self._database.execute(
                "INSERT INTO jobs (process_id, request, state, submitted) VALUES (?, ?, ?, ?)",
                (process_id, request.model_dump_json(), GpState.PENDING, now),
            )
        return Job(process_id, request, GpState.PENDING, None, None, now, None)

    def claim(self) -> Job | None:
        """Take the oldest pending job and mark it as running; None when there is none."""
        with self._one_at_a_time:
            rows = self._database.execute(
                "UPDATE jobs SET state = ?, starts = starts + 1 WHERE number ="
                " (SELECT number FROM jobs WHERE state = ? ORDER BY number LIMIT 1) RETURNING *",
                (GpState.RUNNING, GpState.PENDING),
            ).fetchall()
        return _job(rows[0]) if rows else None

    def release(self, process_id: str) -> None:
        """Give a claimed job back, to be done after the next start."""
        with self._one_at_a_time:
            self._database.execute(
                "UPDATE jobs SET state = ?, starts = starts - 1 WHERE process_id = ?",
                (GpState.PENDING, process_id),
            )

    def complete(self, process_id: str, result: AnalysisResult) -> None:
        """End a job with its result."""
        self._end(process_id, GpState.COMPLETED, None, result.model_dump_json())

    def complete_without_source(self, process_id: str, message: str) -> None:
        """End a job that found no source; the message says how deep it looked."""
        self._end(process_id, GpState.COMPLETED, message, None)

    def fail(self, process_id: str, message: str) -> None:
        """End a job without one."""
        self._end(process_id, GpState.FAILED, message, None)

    def _end(self, process_id: str, state: GpState, message: str | None, result: str | None) -> None:
        with self._one_at_a_time:
            self._database.execute(
                "UPDATE jobs SET state = ?, message = ?, result = ?, ended = ? WHERE process_id = ?",
                (state, message, result, utc_text(datetime.now(UTC)), process_id),
            )

    def get(self, process_id: str) -> Job | None:
        """Return a job, None if there is no such one."""
        with self._one_at_a_time:
            row = self._database.execute("SELECT * FROM jobs WHERE process_id = ?", (process_id,)).fetchone()
        return _job(row) if row else None

    def latest(self, count: int) -> list[Job]:
        """Return the jobs asked for last, newest first."""
        with self._one_at_a_time:
            rows = self._database.execute(
                "SELECT * FROM jobs ORDER BY number DESC LIMIT ?", (count,)
            ).fetchall()
        return [_job(row) for row in rows]

    def counts(self) -> dict[GpState, int]:
        """Return how many jobs are in which state."""
        with self._one_at_a_time:
            rows = self._database.execute("SELECT state, count(*) FROM jobs GROUP BY state").fetchall()
        return dict.fromkeys(GpState, 0) | {GpState(state): number for state, number in rows}


def _job(row: sqlite3.Row) -> Job:
    state, message, result = GpState(row["state"]), row["message"], None
    if row["result"]:
        try:
            result = AnalysisResult.model_validate(json.loads(row["result"]))
        except ValueError:
            state, message = GpState.FAILED, "the kept result is damaged; submit the request again"
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
