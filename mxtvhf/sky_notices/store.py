"""Store of the notices of other missions, in the archive.

::

    archive/sky/<date>/<sha256>.json, .xml    notices as received, by the UTC date of reception
    archive/sky/<date>/received.jsonl         time and source of the first reception of each
    archive/sky/.index-3.sqlite               the notices as read, by event time
    archive/sky/.unread                       exists while notices may wait to be read; empty

The index is not a record: `SkyStore.missing` finds the notices that it lacks, all of them if it is missing or
was damaged. Another format of the index has another number in its name, so that each version of this software
finds its own.
"""

from __future__ import annotations

import fcntl
import logging
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from mxtvhf.archive.archive import QuarantineNote, Receipt
from mxtvhf.errors import InvalidInput
from mxtvhf.models.files import sha256_of, write_once
from mxtvhf.models.kept_lines import append_line, read_records
from mxtvhf.models.text import escaped
from mxtvhf.sky_notices.model import SkyNotice
from mxtvhf.sky_notices.probability_map import ProbabilityMap, embedded_map
from mxtvhf.sky_notices.reading import json_object, read_sky_notices

log = logging.getLogger(__name__)

INDEX = ".index-3.sqlite"
"""Hidden, so that a backup leaves it out."""
UNREAD = ".unread"
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_PRIMARY = 0xFF
"""Mask of the primary result code of SQLite in an extended one."""
BUSY_S = 10.0
"""Longest wait for another process that writes the index, seconds."""
_TABLES = """
create table notice (
    number integer primary key autoincrement, digest text, part integer,
    mission text, instrument text, event text, time real, is_test integer, received real, record text,
    unique (digest, part)
);
create index notice_time on notice (time);
create index notice_event on notice (mission, event);
create index notice_received on notice (received);
create table unread (
    digest text primary key, file text, source text, size integer, received real, reason text
);
"""
_FIRST_NUMBER = "insert into sqlite_sequence (name, seq) values ('notice', ?)"
_BY_DETECTOR = (
    "create index if not exists notice_detector on notice (is_test, time, mission, instrument, event)"
)
"""Made in an index of an earlier version, too."""


class NearEvents(NamedTuple):
    """Events of one instrument about a moment."""

    mission: str
    instrument: str
    events: tuple[str, ...]
    """Event ids, the nearest in time first."""
    others: int
    """Number of notices in the interval that are farther away and were left out."""


class SkyStore:
    """Store of one archive, which several processes may share.

    Parameters
    ----------
    archive_root
        Folder of the archive.
    """

    def __init__(self, archive_root: Path) -> None:
        self.folder = archive_root / "sky"
        self._index = self.folder / INDEX

    @property
    def is_in_use(self) -> bool:
        """True if notices were ever received; without any, missing coincidences mean nothing."""
        return self._index.exists()

    def keep(self, raw: bytes, *, received: datetime, source: str) -> Path:
        """Store a notice durably as received; equal notices of a day are stored once.

        Parameters
        ----------
        raw
            The notice as received.
        received
            Time of reception, UTC.
        source
            Transport, and name of the message there.

        Returns
        -------
        Path
            The stored file, for `read`.

        Raises
        ------
        OSError
            The notice cannot be stored.
        """
        folder = self.folder / f"{received.astimezone(UTC):%Y-%m-%d}"
        path = folder / f"{sha256_of(raw)}{'.xml' if raw.lstrip().startswith(b'<') else '.json'}"
        if write_once(path, raw):
            receipt = Receipt(file=path.name, received=received, source=source)
            # A lost receipt costs little: the time of the file replaces it.
            append_line(folder / "received.jsonl", receipt.model_dump_json().encode(), durable=False)
        return path

    def read(self, path: Path, received: datetime, source: str = "") -> tuple[SkyNotice, ...]:
        """Add a stored notice to the index. A repeated call has no effect.

        Parameters
        ----------
        path
            Path returned by `keep`.
        received
            Time of reception, UTC.
        source
            As for `keep`, for the log.

        Returns
        -------
        tuple of SkyNotice
            The new notices; empty if the message was read before or cannot be read. An unreadable message
            is counted, with the reason.

        Raises
        ------
        OSError
            The index cannot be written.
        """
        with self._open() as index:
            return () if path.stem in _digests(index, path.stem) else _add(index, path, received, source)

    def missing(self) -> Iterator[tuple[Path, datetime, str]]:
        """Yield the stored notices that the index lacks, for `read`; those of the last day come first.

        Raises
        ------
        OSError
            The index cannot be read.
        """
        if not self.folder.is_dir():
            return
        with self._open() as index:
            known = _digests(index)
        for folder in sorted(self.folder.glob("????-??-??"), reverse=True):
            missing = [path for path in sorted(folder.glob("*.*")) if _is_missing(path, known)]
            if missing:
                receipts = {one.file: one for one in read_records(folder / "received.jsonl", Receipt)}
                for path in missing:
                    if receipt := receipts.get(path.name):
                        yield path, receipt.received, receipt.source or ""
                    else:
                        yield path, _changed(path), ""

    def detectors(self, start: datetime, end: datetime, *, is_test: bool) -> list[tuple[str, str, int]]:
        """Return mission, instrument and number of notices of each instrument with events in an interval.

        Parameters
        ----------
        start, end
            The interval, UTC.
        is_test
            True for test notices, False for others.
        """
        rows = self._rows(
            "select mission, instrument, count(*) from notice where time between ? and ? and is_test = ?"
            " group by mission, instrument",
            start.timestamp(), end.timestamp(), is_test,
        )  # fmt: skip
        return [(str(row[0]), str(row[1]), int(row[2])) for row in rows]

    def near_events(
        self,
        mission: str,
        instrument: str,
        moment: datetime,
        window_s: tuple[float, float],
        *,
        is_test: bool,
        most: int,
    ) -> NearEvents:
        """Return the events of an instrument about a moment.

        Parameters
        ----------
        mission, instrument
            As in `SkyNotice`.
        moment
            The moment, UTC.
        window_s
            Length of the interval before and after the moment, seconds.
        is_test
            True for test notices, False for others.
        most
            Largest number of notices before, and after the moment, whose events are listed.
        """
        zero, (before, after) = moment.timestamp(), window_s
        own = " from notice where is_test = ? and time between ? and ? and mission = ? and instrument = ?"
        # The index is in the order of time, so that only the nearest notices of a storm are read.
        earlier = is_test, zero - before, zero, mission, instrument
        later = is_test, zero, zero + after, mission, instrument
        rows = [
            *self._rows(f"select time, event{own} order by time desc limit ?", *earlier, most),
            *self._rows(f"select time, event{own} order by time limit ?", *later, most),
        ]
        others = 0
        if len(rows) >= most:
            count = f"select count(*){own}"
            others = sum(int(self._rows(count, *which)[0][0]) for which in (earlier, later)) - len(rows)
        rows.sort(key=lambda row: abs(row[0] - zero))
        return NearEvents(mission, instrument, tuple(dict.fromkeys(row[1] for row in rows)), others)

    def of_events(self, events: Iterable[tuple[str, str]]) -> Iterator[list[SkyNotice]]:
        """Yield all notices about each event, in the order of reception.

        Parameters
        ----------
        events
            Mission and event id of each event, as in `SkyNotice`.
        """
        if not self.is_in_use:
            return
        query = "select record from notice where mission = ? and event = ? order by received, number"
        with self._open() as index:
            for event in events:
                rows = index.execute(query, event).fetchall()
                yield [SkyNotice.model_validate_json(row[0]) for row in rows]

    def of_event(self, mission: str, event_id: str) -> list[SkyNotice]:
        """Return all notices about an event, in the order of reception.

        Parameters
        ----------
        mission, event_id
            As in `SkyNotice`.
        """
        return next(self.of_events([(mission, event_id)]), [])

    def received_since(
        self, received: datetime, number: int = 0, *, limit: int = -1
    ) -> tuple[int, list[SkyNotice]]:
        """Return notices in the order in which they were read, and the number of the last one.

        Parameters
        ----------
        received
            Earliest time of reception, UTC.
        number
            Number from the previous call; only later notices are returned.
        limit
            Largest number of notices; negative for all.
        """
        rows = self._rows(
            "select number, record from notice where received >= ? and number > ? order by number limit ?",
            received.timestamp(), number, limit,
        )  # fmt: skip
        return (rows[-1][0] if rows else number), [SkyNotice.model_validate_json(row[1]) for row in rows]

    @property
    def has_unread(self) -> bool:
        """True if received notices may wait to be read, as in a storm of them."""
        return (self.folder / UNREAD).exists()

    def note_unread(self) -> None:
        """Record that notices wait to be read.

        Raises
        ------
        OSError
            The record cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / UNREAD).touch()

    def note_all_read(self) -> None:
        """Remove the record of waiting notices."""
        (self.folder / UNREAD).unlink(missing_ok=True)

    def unread(self, start: datetime, end: datetime) -> int:
        """Return the number of unreadable notices that were received in an interval.

        Parameters
        ----------
        start, end
            The interval, UTC.
        """
        rows = self._rows(
            "select count(*) from unread where received between ? and ?", start.timestamp(), end.timestamp()
        )
        return int(rows[0][0]) if rows else 0

    def unreadable(self, limit: int = 1000) -> list[QuarantineNote]:
        """Return the notices that could not be read, with the reasons, newest first.

        Parameters
        ----------
        limit
            Largest number of notices.
        """
        rows = self._rows(
            "select digest, file, source, size, received, reason from unread order by received desc limit ?",
            limit,
        )
        return [
            QuarantineNote(
                sha256=digest,
                input=escaped(source or file),
                reason=reason,
                size=size,
                time=datetime.fromtimestamp(received, UTC),
            )
            for digest, file, source, size, received, reason in rows
        ]

    def counts(self) -> dict[str, int]:
        """Return the number of notices in the index, and of those that could not be read."""
        read = self._rows("select count(*) from notice")
        unread = self._rows("select count(*) from unread")
        return {"read": int(read[0][0]) if read else 0, "unreadable": int(unread[0][0]) if unread else 0}

    def sky_map(self, notice: SkyNotice) -> ProbabilityMap:
        """Return the sky map inside a notice.

        Parameters
        ----------
        notice
            A notice with ``has_map``.

        Raises
        ------
        InvalidInput
            The notice has no valid map, or its file is missing.
        """
        path = next(self.folder.glob(f"*/{notice.digest}.json"), None)
        if path is None:
            raise InvalidInput(f"{notice.digest}.json: missing in {self.folder}; restore it from a backup")
        return _sky_map(path)

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query; none before the first notice."""
        if not self.is_in_use:
            return []
        with self._open() as index:
            return index.execute(query, values).fetchall()

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """Open the index; an empty one is made if it is missing.

        Raises
        ------
        OSError
            The index cannot be read or written. A damaged one is set aside.
        """
        opened = None
        try:
            if not self.is_in_use:
                self._make()
            opened = self._inode()
            with closing(sqlite3.connect(self._index, timeout=BUSY_S)) as index:
                index.execute("pragma synchronous = off")  # the files are durable, see `missing`
                index.execute(_BY_DETECTOR)
                yield index
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & _PRIMARY not in _DAMAGED:
                raise OSError(f"{self._index}: {error}") from error
            self._set_aside(opened)
            raise OSError(f"{self._index}: {error}; it is built again from the notices") from error

    def _inode(self) -> int | None:
        try:
            return self._index.stat().st_ino
        except FileNotFoundError:
            return None

    def _set_aside(self, damaged: int | None) -> None:
        """Set a damaged index aside, unless another process did, so that its notices are read again."""
        with self._locked():
            if self._inode() == damaged is not None:
                self.note_unread()
                self._index.replace(self._index.with_suffix(".damaged"))

    def _make(self) -> None:
        """Make the tables under another name, so that no process sees an incomplete index."""
        with self._locked():
            if self.is_in_use:
                return
            part = self._index.with_suffix(".part")
            part.unlink(missing_ok=True)
            with closing(sqlite3.connect(part)) as index:
                index.executescript(_TABLES)
                # Numbers begin with the time: they are larger than those of an index set aside before.
                with index:
                    index.execute(_FIRST_NUMBER, (int(datetime.now(UTC).timestamp() * 1e6),))
            part.replace(self._index)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _digests(index: sqlite3.Connection, only: str | None = None) -> set[str]:
    """Return the digests of the messages in the index: all, or only one if it is there."""
    condition, values = ("", ()) if only is None else (" where digest = ?", (only, only))
    query = f"select digest from notice{condition} union select digest from unread{condition}"  # noqa: S608
    return {row[0] for row in index.execute(query, values)}


def _add(index: sqlite3.Connection, path: Path, received: datetime, source: str) -> tuple[SkyNotice, ...]:
    raw, name = path.read_bytes(), escaped(source or path.name)
    try:
        notices = read_sky_notices(raw, received=received)
    except Exception as error:
        reason = escaped(error, 500)
        if not isinstance(error, InvalidInput):
            # A notice that triggers a defect must not block the notices behind it.
            reason = f"internal error {type(error).__name__}: {reason}"
            log.exception("%s: internal error", name)
        log.warning("%s: %s; the notice is kept as %s and counted as unreadable", name, reason, path)
        with index:
            row = path.stem, path.name, source, len(raw), received.timestamp(), reason
            index.execute("insert or ignore into unread values (?, ?, ?, ?, ?, ?)", row)
        return ()
    rows = [
        (
            path.stem, one.part, one.mission, one.instrument, one.event_id, one.time.timestamp(),
            one.is_test, received.timestamp(), one.model_dump_json(),
        )
        for one in notices
    ]  # fmt: skip
    with index:
        index.executemany(
            "insert or ignore into notice (digest, part, mission, instrument, event, time, is_test, received,"
            " record) values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )
    return notices


def _is_missing(path: Path, known: set[str]) -> bool:
    return path.suffix in (".json", ".xml") and not path.name.startswith(".") and path.stem not in known


def _changed(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)


@lru_cache(maxsize=8)
def _sky_map(path: Path) -> ProbabilityMap:
    return embedded_map(json_object(path.read_bytes()))
