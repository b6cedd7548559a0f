"""A source: the inbox, a folder into which alerts, packets and attitude products are laid."""

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
from pathlib import Path
from typing import BinaryIO

from mxtvhf.archive.inputs import MAX_PACKETS_BYTES, TooLarge, read_open_file
from mxtvhf.intake.spool import ReceivedMessage
from mxtvhf.models.kept import log_once
from mxtvhf.models.text import escaped

log = logging.getLogger(__name__)

SUFFIXES = (".xml", ".voevent", ".bin", ".vhf", ".fits")
"""In lower or upper case."""
ASIDE = ".set-aside"
"""Folder inside the inbox for what can never be taken in."""
MAX_DEPTH = 20
"""Folders inside folders; a thousand of them would take a second of every scan."""
SCAN_S = 0.2
PATIENCE_S = 10.0
"""For whoever lays a file down and then makes it readable."""
NOT_REGULAR = "a link, a pipe or a device, not a regular file"
_Stamp = tuple[int, int, int]


class Inbox:
    """Takes notices, packets and attitude products out of a folder and its subfolders, once complete.

    A file is complete when nobody has it open for writing and its size and times did not change between two
    scans; where the file system cannot tell who writes, slow writers use a name that begins with a dot or has
    another suffix, and rename. What is kept is removed from the inbox. What has one of the suffixes and
    cannot be taken in (a link, a pipe, an unreadable file) is moved to `ASIDE`, with a note in the
    quarantine; other files stay. Names may be any bytes: they are shown with escapes.

    Parameters
    ----------
    folder
        Made when it is missing.
    keep
        Keeps a message durably, as `Intake.keep`.
    refuse
        Notes durably what cannot be taken in and why, as `Intake.refuse`.
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
            The folder cannot be read, or nothing can be kept; what is there stays there.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        log.info("inbox: %s (%s)", self.folder, " ".join(SUFFIXES))
        while not stop.is_set():
            self.scan()
            works()
            stop.wait(SCAN_S)

    def scan(self) -> None:
        """Take what has not changed since the scan before."""
        found = {path: stamp for path in self._files() if (stamp := _stamp(path)) is not None}
        self._left = {path: stamp for path, stamp in self._left.items() if found.get(path) == stamp}
        for path, stamp in sorted(found.items()):
            if path.suffix.lower() not in SUFFIXES:
                self._leave(path)
            elif self._stamps.get(path) == stamp and path not in self._left:
                self._take(path, stamp)
        self._stamps = found
        self._others &= found.keys()

    def _leave(self, path: Path) -> None:
        if path not in self._others:
            self._others.add(path)
            log.info("inbox: %s stays there: its suffix is not one of %s", escaped(path), " ".join(SUFFIXES))

    def _files(self) -> Iterator[Path]:
        """All but hidden files and folders."""
        folders = [(self.folder, 0)]
        while folders:
            folder, depth = folders.pop()
            if depth > MAX_DEPTH:
                log_once(f"inbox: {escaped(folder)}: more than {MAX_DEPTH} folders deep; it is not watched")
                continue
            try:
                with os.scandir(folder) as entries:
                    shown = [entry for entry in entries if not entry.name.startswith(".")]
            except OSError as error:
                if folder == self.folder:
                    raise
                if error.errno != errno.ENOENT:
                    log_once(f"inbox: {escaped(folder)}: {error.strerror}; it is not watched")
                continue
            for entry in shown:
                path = Path(entry.path)
                if entry.is_dir(follow_symlinks=False):
                    folders.append((path, depth + 1))
                else:
                    yield path

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
            log.error("inbox: %s was kept, but cannot be removed: %s", escaped(path), error.strerror)

    def _set_aside(self, path: Path, stamp: _Stamp, reason: str) -> None:
        """Note what cannot be taken in, and move it out of the way; once."""
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
    """Open a regular file; never a link, and never a pipe, which would block until somebody writes."""
    if not stat.S_ISREG(path.lstat().st_mode):
        raise OSError(errno.EINVAL, NOT_REGULAR)
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    file = os.fdopen(number, "rb")
    if not stat.S_ISREG(os.fstat(number).st_mode):  # exchanged between the two calls
        file.close()
        raise OSError(errno.EINVAL, NOT_REGULAR)
    return file


def _content(file: BinaryIO, path: Path) -> bytes:
    try:
        return read_open_file(file, MAX_PACKETS_BYTES, name=escaped(path))
    except TooLarge as error:
        # One byte more than the limit: whoever files it sees that it is too large.
        return error.start + b"\0"


def _is_being_written(file: BinaryIO) -> bool:
    """Tell whether any process has a file open for writing; False where the system cannot tell.

    Linux grants a read lease (fcntl(2), F_SETLEASE) only on a file that nobody writes.
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
    """Tell whether a file that may not be read was laid down or changed a moment ago."""
    try:
        changed = path.lstat().st_ctime
    except FileNotFoundError:
        return True
    return error.errno == errno.EACCES and abs(time.time() - changed) < PATIENCE_S


def _stamp(path: Path) -> _Stamp | None:
    """Size and times of an entry; None when it is gone."""
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns
