"""The inbox, a folder watched for notices, packets and attitude products."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import stat
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from heapq import nsmallest
from pathlib import Path
from typing import BinaryIO

from mxtvhf.archive.inputs import MAX_PACKETS_BYTES, TooLarge, read_open_file
from mxtvhf.intake.spool import ReceivedMessage
from mxtvhf.models.kept import log_once
from mxtvhf.models.text import escaped

log = logging.getLogger(__name__)

SUFFIXES = (".xml", ".voevent", ".bin", ".vhf", ".fits")
"""File name suffixes of inputs, in lower or upper case."""
JSON = ".json"
"""Suffix of notices of other missions."""
JSON_A_SCAN = 40
"""Largest number of notices of other missions taken in a scan."""
WRITERS = 8
"""Notices stored at the same time. The file system makes several durable with one commit, which takes a
fifth of the time on ext4."""
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

    `OtherMissionsInbox` takes the JSON files of the same folder.

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

    suffixes: tuple[str, ...] = SUFFIXES
    """Suffixes of the files that it takes."""

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
        log.info("inbox: %s (%s)", self.folder, " ".join(self.suffixes))
        while not stop.is_set():
            self.scan()
            works()
            stop.wait(self._scan_pause_s())

    def _scan_pause_s(self) -> float:
        """Return the pause before the next scan, seconds."""
        return SCAN_S

    def scan(self) -> None:
        """Take in the files that did not change since the previous scan."""
        unchanged = self._unchanged()
        for path, stamp in unchanged.items():
            if path.suffix.lower() in self.suffixes:
                self._take(path, stamp)
            else:
                self._leave(path)
        self._others &= self._stamps.keys()

    def _unchanged(self) -> dict[Path, _Stamp]:
        """Return the complete files in the order of their names, without those that cannot be removed."""
        found = {path: stamp for path in self._candidates() if (stamp := _stamp(path)) is not None}
        self._left = {path: stamp for path, stamp in self._left.items() if found.get(path) == stamp}
        before, self._stamps = self._stamps, found
        return {
            path: stamp
            for path, stamp in sorted(found.items())
            if before.get(path) == stamp and path not in self._left
        }

    def _candidates(self) -> Iterable[Path]:
        """Return the files to examine. Notices of other missions are not: there may be thousands."""
        return [Path(path) for path in self._files() if not path.lower().endswith(JSON)]

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
                read, raw = os.fstat(file.fileno()), _content(file, path)
        except FileNotFoundError:
            return
        except OSError as error:
            if _may_become_readable(path, error):
                return
            self._set_aside(path, stamp, f"cannot be read: {error.strerror}")
            return
        self._keep(self._received(path, raw))
        try:
            _remove(path, read)
        except FileNotFoundError:
            return
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


class OtherMissionsInbox(Inbox):
    """Takes notices of other missions from an inbox, some in each scan, so that a storm of them waits there.

    Parameters
    ----------
    folder, keep, refuse
        As for `Inbox`; ``keep`` is called from several threads.
    pause_s
        Returns the pause after each notice, seconds, as `Precedence.pause_s`.
    """

    suffixes = (JSON,)

    def __init__(
        self,
        folder: Path,
        keep: Callable[[ReceivedMessage], None],
        refuse: Callable[[ReceivedMessage, str], None],
        pause_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        super().__init__(folder, keep, refuse)
        self._pause_s = pause_s

    def _scan_pause_s(self) -> float:
        """Return the pause before the next scan, which is longer while an alert of ours is processed."""
        return max(SCAN_S, self._pause_s())

    def scan(self) -> None:
        """Take in the next notices that did not change since the previous scan."""
        most = 1 if self._pause_s() else JSON_A_SCAN
        ready = list(self._unchanged().items())[:most]
        if len(ready) < WRITERS:
            for path, stamp in ready:
                self._take(path, stamp)
            return
        with ThreadPoolExecutor(WRITERS, thread_name_prefix="inbox") as pool:
            for _ in pool.map(self._take, *zip(*ready, strict=True)):
                pass  # raises the error of a notice that cannot be stored

    def _candidates(self) -> Iterable[Path]:
        """Return the next notices by name. To examine all of a storm would take longer than a scan."""
        every = (path for path in self._files() if path.lower().endswith(JSON))
        waiting = (path for path in every if Path(path) not in self._left) if self._left else every
        return [*map(Path, nsmallest(2 * JSON_A_SCAN, waiting)), *self._left]


def _remove(path: Path, read: os.stat_result) -> None:
    """Remove a file that was read and stored, unless it was replaced or written while it was being stored."""
    now = path.lstat()
    if (now.st_ino, now.st_size, now.st_mtime_ns) == (read.st_ino, read.st_size, read.st_mtime_ns):
        path.unlink()


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
