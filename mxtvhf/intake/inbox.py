"""A source: the inbox, a folder into which alerts and packets are laid."""

from __future__ import annotations

import fcntl
import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from mxtvhf.archive.inputs import MAX_PACKETS_BYTES, TooLarge, read_limited
from mxtvhf.errors import InvalidInput
from mxtvhf.intake.spool import ReceivedMessage

log = logging.getLogger(__name__)

SUFFIXES = (".xml", ".voevent", ".bin", ".vhf")
SCAN_S = 0.2
_Stamp = tuple[int, int]


class Inbox:
    """Takes notices and packets out of a folder, subfolders included, once they are complete.

    A file is complete when nobody has it open for writing and its size and time did not change between two
    scans; where the file system cannot tell who writes, slow writers use a name that begins with a dot or has
    another suffix, and rename. What is kept is removed from the inbox; other files stay.

    Parameters
    ----------
    folder
        Made when it is missing.
    keep
        Keeps a message durably, as `Intake.keep`.
    """

    def __init__(self, folder: Path, keep: Callable[[ReceivedMessage], None]) -> None:
        self.folder = folder
        self._keep = keep
        self._stamps: dict[Path, _Stamp] = {}
        self._left: set[Path] = set()

    def run(self, stop: threading.Event) -> None:
        """Watch the folder until ``stop`` is set."""
        self.folder.mkdir(parents=True, exist_ok=True)
        log.info("inbox: %s (%s)", self.folder, " ".join(SUFFIXES))
        while not stop.is_set():
            try:
                self.scan()
            except OSError as error:
                log.error("inbox %s: %s; what is there stays there", self.folder, error)
                stop.wait(10 * SCAN_S)
            stop.wait(SCAN_S)

    def scan(self) -> None:
        """Take what has not changed since the scan before."""
        stamps = {path: stamp for path in self._candidates() if (stamp := _stamp(path)) is not None}
        for path in [path for path, stamp in stamps.items() if self._stamps.get(path) == stamp]:
            if not _is_being_written(path):
                self._take(path)
                del stamps[path]
        self._stamps = stamps

    def _candidates(self) -> list[Path]:
        found = [path for path in self.folder.rglob("*") if not _is_hidden(path, self.folder)]
        for path in found:
            if path.suffix not in SUFFIXES and path not in self._left and path.is_file():
                self._left.add(path)
                log.info("inbox: %s is left there, it has none of the suffixes %s", path, " ".join(SUFFIXES))
        return sorted(path for path in found if path.suffix in SUFFIXES)

    def _take(self, path: Path) -> None:
        source = f"inbox {path.relative_to(self.folder)}"
        try:
            raw = read_limited(path, MAX_PACKETS_BYTES)
        except TooLarge as error:
            # One byte more than the limit: whoever files it sees that it is too large.
            raw = error.start + b"\0"
        except InvalidInput as error:
            log.error("inbox: %s", error)
            return
        self._keep(ReceivedMessage(raw, source, datetime.now(UTC)))
        path.unlink(missing_ok=True)


def _is_hidden(path: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(root).parts)


def _is_being_written(path: Path) -> bool:
    """Tell whether any process has a file open for writing; False where the system cannot tell.

    Linux grants a read lease (fcntl(2), F_SETLEASE) only on a file that nobody writes.
    """
    try:
        with path.open("rb") as file:
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _stamp(path: Path) -> _Stamp | None:
    """Size and time of a regular file; None for anything else, e.g. a link that leads elsewhere."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    return (status.st_size, status.st_mtime_ns) if path.is_file() and not path.is_symlink() else None
