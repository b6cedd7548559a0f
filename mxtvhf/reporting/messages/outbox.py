"""The outbox: a folder in which messages wait for NATS, one file each.

::

    outbox/<microseconds since 1970>-<kind>-<id>.json     waits
    outbox/refused/<the same name> + .reason              can never be published, with the reason

A message in the format of a later version of this software waits for that version.

Messages survive the end of every process. They are not synced to the disk one by one, which would slow the
runs down: a power cut may lose the last ones.
"""

from __future__ import annotations

import logging
from pathlib import Path

from mxtvhf.reporting.messages.model import OutgoingMessage

log = logging.getLogger(__name__)


class Outbox:
    """The outbox in one folder, for any number of processes at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, message: OutgoingMessage) -> Path:
        """Lay a message in, complete or not at all, and return its file."""
        microseconds = int(message.time.timestamp() * 1e6)
        path = self.folder / f"{microseconds:016d}-{message.kind}-{message.id}.json"
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.part")
        temporary.write_bytes(message.model_dump_json().encode())
        return temporary.replace(path)

    def waiting(self) -> list[Path]:
        """Return the files that wait, oldest message first."""
        return sorted(path for path in self.folder.glob("*.json") if not path.name.startswith("."))

    def read(self, path: Path) -> bytes | None:
        """Return a message's bytes; None when another forwarder has finished it."""
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None

    def done(self, path: Path) -> None:
        """Remove a published message."""
        path.unlink(missing_ok=True)

    def refuse(self, path: Path, reason: str) -> None:
        """Set a message aside for good, so that it holds up nobody behind it."""
        refused = self.folder / "refused"
        refused.mkdir(exist_ok=True)
        try:
            path.replace(refused / path.name)
        except FileNotFoundError:
            return
        (refused / f"{path.name}.reason").write_text(reason + "\n")
        log.error("%s: cannot be published and was set aside: %s", path.name, reason)

    def limit(self, most: int) -> int:
        """Drop the oldest step messages beyond ``most`` waiting ones; others stay. Return how many."""
        waiting = self.waiting()
        surplus = len(waiting) - most
        dropped = [path for path in waiting if "-step-" in path.name][:surplus] if surplus > 0 else []
        for path in dropped:
            self.done(path)
        if dropped:
            log.error(
                "%s: more than %d messages wait for NATS: the %d oldest about steps were dropped",
                self.folder,
                most,
                len(dropped),
            )
        return len(dropped)
