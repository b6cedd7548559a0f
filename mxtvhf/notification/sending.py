"""Sending of a message by a channel in a separate process with a time limit.

Apprise waits for each piece of an answer, so a slow server could block its call forever. A thread cannot be
stopped, but a process can. The processes are forked from a server that has loaded Apprise
(``multiprocessing``, start method ``forkserver``), so the listener itself never loads it.
"""

from __future__ import annotations

import multiprocessing
import time
from functools import cache
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from typing import Literal

from mxtvhf.notification.channels import Channel

TIMEOUT_S = 30.0
"""Time limit for a message, seconds. Apprise itself waits 4 s for a connection and for each piece of data."""

State = Literal["sent", "failed"]


class Sending:
    """A message that is being sent by a channel.

    Parameters
    ----------
    channel
        Channel that delivers the message.
    title, body
        Message as plain text.
    timeout_s
        Time limit after which the attempt has failed, seconds.
    """

    def __init__(self, channel: Channel, title: str, body: str, *, timeout_s: float = TIMEOUT_S) -> None:
        self.channel = channel
        self._timeout_s = timeout_s
        self._answer, theirs = _context().Pipe(duplex=False)
        self._process = _context().Process(target=_send, args=(theirs, channel, title, body), daemon=True)
        self._process.start()
        theirs.close()
        self._deadline = time.monotonic() + timeout_s

    def outcome(self, wait_s: float = 0.0) -> tuple[State, str] | None:
        """Return the state and the reason; None while the message is being sent.

        Parameters
        ----------
        wait_s
            Longest time to wait for the outcome, seconds.
        """
        left = max(0.0, self._deadline - time.monotonic())
        if not self._answer.poll(min(wait_s, left)):
            if left > wait_s:
                return None
            self.stop()
            return "failed", f"no answer within {self._timeout_s:.0f} s"
        try:
            state, reason = self._answer.recv()
        except EOFError:
            state, reason = "failed", "the sending process ended without a result"
        self.stop()
        return state, self.channel.blanked(reason)

    def stop(self) -> None:
        """End the sending process."""
        self._process.kill()
        self._process.join()
        self._process.close()
        self._answer.close()


def warm_up() -> None:
    """Load Apprise in the fork server, so that the first message is not delayed."""
    process = _context().Process(target=_send_nothing, daemon=True)
    process.start()
    process.join()
    process.close()


def _send_nothing() -> None:
    """Do nothing. `warm_up` runs this function in a process."""


def _send(answer: Connection, channel: Channel, title: str, body: str) -> None:
    from mxtvhf.notification.service import send

    send(answer, channel, title, body)


@cache
def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["mxtvhf.notification.service", __name__])
    return context
