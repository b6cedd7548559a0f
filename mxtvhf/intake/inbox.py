"""The inbox, a folder watched for notices, packets and attitude products."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from heapq import nsmallest
from pathlib import Path
from typing import BinaryIO

from mxtvhf.archive.inputs import MAX_PACKETS_BYTES, TooLarge, read_open_file
from mxtvhf.intake.spool import ReceivedMessage
from mxtvhf.models.kept import log_once
from mxtvhf.models.text import escaped

log = logging.getLogger(__name__)

SUFFIXES = (".xml", ".voevent", ".bin", ".vhf", ".fits", ".json")
"""File name suffixes of inputs, in lower or upper case."""
JSON = ".json"
JSON_A_SCAN = 20
"""Notices of other missions taken in a scan, so that an alert never waits for a storm of them."""
ASIDE = ".set-aside"
"""Folder inside the inbox for files that can never be read."""
MAX_DEPTH = 20
"""Largest depth of subfolders. A thousand nested folders would take a second of every scan."""
SCAN_S = 0.2
PATIENCE_S = 10.0
"""Time for a sender to make a file readable after creating it, seconds."""
NOT_REGULAR = "a link, a pipe or a device; expected a regular file"
_Stamp = tuple[int, int, int]


class Inbox:
    """Watches a folder and its subfolders for complete notices, packets and attitude products.

    A file is complete if no process has it open for writing and its size and times did not change between
    two scans. On a file system that does not report writers, a slow sender writes under a name that begins
    with a dot or has another suffix, and renames the file when it is complete.

    A stored file is removed from the inbox. A file with one of the `SUFFIXES` that can never be read (a link,
    a pipe, an unreadable file) is moved to `ASIDE` and recorded in the quarantine. Other files stay.
    File names may contain any bytes; logs show them with escapes.

    Parameters
    ----------
    folder
        The watched folder; created if missing.
    keep
        Stores a message durably, as `Intake.keep`.
    refuse
        Records a rejected file and the reason durably, as `Intake.refuse`.
    """

    def __init__(
        self,
        folder: Path,
        keep: Callable[[ReceivedMessage], None],
        refuse: Callable[[ReceivedMessage, str], None],
    ) -> None:
        self.folder = folder
        self._keep = keep
        self._refuse = refuse
        self._stamps: dict[Path, _Stamp] = {}
        self._left: dict[Path, _Stamp] = {}
        self._others: set[Path] = set()

    def run(self, stop: threading.Event, works: Callable[[], None] = lambda: None) -> None:
        """Watch the folder until ``stop`` is set.

        Parameters
        ----------
        stop
            Ends the watch.
        works
            Called after each scan.

        Raises
        ------
        OSError
            The folder cannot be read, or a message cannot be stored. The files stay in the inbox.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        log.info("inbox: %s (%s)", self.folder, " ".join(SUFFIXES))
        while not stop.is_set():
            self.scan()
            works()
            stop.wait(SCAN_S)

    def scan(self) -> None:
        """Take in the files that did not change since the previous scan."""
        found = {path: stamp for path in self._candidates() if (stamp := _stamp(path)) is not None}
        self._left = {path: stamp for path, stamp in self._left.items() if found.get(path) == stamp}
        for path, stamp in self._in_turn(found):
            if path.suffix.lower() not in SUFFIXES:
                self._leave(path)
            elif self._stamps.get(path) == stamp and path not in self._left:
                self._take(path, stamp)
        self._stamps = found
        self._others &= found.keys()

    def _candidates(self) -> list[Path]:
        """Return the files to examine: all of ours, and the next notices of other missions by name.

        The others of a storm are not examined: that would take longer than the pause between two scans.
        """
        own, others = list[str](), list[str]()
        for path in self._files():
            (others if path.lower().endswith(JSON) else own).append(path)
        waiting = (path for path in others if Path(path) not in self._left) if self._left else others
        return [*map(Path, own), *map(Path, nsmallest(2 * JSON_A_SCAN, waiting)), *self._left]

    def _in_turn(self, found: dict[Path, _Stamp]) -> list[tuple[Path, _Stamp]]:
        """Return the files to look at in a scan: notices of other missions come last, and only some."""
        own = sorted(path for path in found if path.suffix.lower() != JSON)
        others = sorted(
            path
            for path, stamp in found.items()
            if path.suffix.lower() == JSON and self._stamps.get(path) == stamp and path not in self._left
        )
        return [(path, found[path]) for path in (*own, *others[:JSON_A_SCAN])]

    def _leave(self, path: Path) -> None:
        if path not in self._others:
            self._others.add(path)
            log.info("inbox: %s ignored: its suffix is not one of %s", escaped(path), " ".join(SUFFIXES))

    def _files(self) -> Iterator[str]:
        """Yield the files of the inbox and its subfolders, hidden files and folders excluded."""
        folders = [(self.folder, 0)]
        while folders:
            folder, depth = folders.pop()
            if depth > MAX_DEPTH:
                log_once(f"inbox: {escaped(folder)}: more than {MAX_DEPTH} folders deep; not watched")
                continue
            try:
                with os.scandir(folder) as entries:
                    shown = [entry for entry in entries if not entry.name.startswith(".")]
            except OSError as error:
                if folder == self.folder:
                    raise
                if error.errno != errno.ENOENT:
                    log_once(f"inbox: {escaped(folder)}: {error.strerror}; not watched")
                continue
            for entry in shown:
                if entry.is_dir(follow_symlinks=False):
                    folders.append((Path(entry.path), depth + 1))
                else:
                    yield entry.path

    def _take(self, path: Path, stamp: _Stamp) -> None:
        try:
            with _opened(path) as file:
                if _is_being_written(file):
                    return
                raw = _content(file, path)
        except FileNotFoundError:
            return
        except OSError as error:
            if _may_become_readable(path, error):
                return
            self._set_aside(path, stamp, f"cannot be read: {error.strerror}")
            return
        self._keep(self._received(path, raw))
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            self._left[path] = stamp
            log.error("inbox: %s was stored but cannot be removed: %s", escaped(path), error.strerror)

    def _set_aside(self, path: Path, stamp: _Stamp, reason: str) -> None:
        """Record a file that cannot be read in the quarantine and move it to `ASIDE`, once."""
        received = self._received(path, b"")
        target = self.folder / ASIDE / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}" / path.name
        self._refuse(received, f"{received.source}: {reason}; the file was moved to {ASIDE} in the inbox")
        try:
            target.parent.mkdir(parents=True)
            path.rename(target)
        except OSError as error:
            self._left[path] = stamp
            log.error("inbox: %s cannot be moved to %s: %s", escaped(path), ASIDE, error.strerror)

    def _received(self, path: Path, raw: bytes) -> ReceivedMessage:
        return ReceivedMessage(raw, f"inbox {path.relative_to(self.folder)}", datetime.now(UTC))


def _opened(path: Path) -> BinaryIO:
    """Open a regular file. Links are rejected, and so are pipes, because reading one blocks."""
    if not stat.S_ISREG(path.lstat().st_mode):
        raise OSError(errno.EINVAL, NOT_REGULAR)
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    file = os.fdopen(number, "rb")
    if not stat.S_ISREG(os.fstat(number).st_mode):  # replaced between the two calls
        file.close()
        raise OSError(errno.EINVAL, NOT_REGULAR)
    return file


def _content(file: BinaryIO, path: Path) -> bytes:
    try:
        return read_open_file(file, MAX_PACKETS_BYTES, name=escaped(path))
    except TooLarge as error:
        # One byte more than the limit, so that filing rejects the message as too large.
        return error.start + b"\0"


def _is_being_written(file: BinaryIO) -> bool:
    """Return True if a process has a file open for writing, False if not or if the system cannot tell.

    Linux grants a read lease (fcntl(2), F_SETLEASE) only on a file that no process has open for writing.
    """
    try:
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _may_become_readable(path: Path, error: OSError) -> bool:
    """Return True if an unreadable file changed less than `PATIENCE_S` ago."""
    try:
        changed = path.lstat().st_ctime
    except FileNotFoundError:
        return True
    return error.errno == errno.EACCES and abs(time.time() - changed) < PATIENCE_S


def _stamp(path: Path) -> _Stamp | None:
    """Return the size and the times of a file; None if the file is gone."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns
