"""Sending by a channel: in a process of its own, which is ended when the service does not answer in time.

Apprise waits for each piece of an answer, so a server that drips one never ends its call; a thread could
not be stopped, a process can. The processes are forked from a server that has loaded Apprise
(``multiprocessing``, start method ``forkserver``): the process of the intake pays for none of it.
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
"""For a service to take a message; Apprise itself waits 4 s for a connection and for a piece of an answer."""

State = Literal["sent", "failed"]


class Sending:
    """A message on its way by one channel.

    Parameters
    ----------
    channel
        Takes it.
    title, body
        The message, plain text.
    timeout_s
        After so long it has failed, seconds.
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
        """Return what became of it and why; None while it is on its way.

        Parameters
        ----------
        wait_s
            How long to wait for it, seconds.
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
            state, reason = "failed", "the sending process was ended"
        self.stop()
        return state, self.channel.blanked(reason)

    def stop(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.join()
        self._process.close()
        self._answer.close()


def warm_up() -> None:
    """Have the server of the processes load Apprise now, so that the first message need not wait for it."""
    process = _context().Process(target=_send_nothing, daemon=True)
    process.start()
    process.join()
    process.close()


def _send_nothing() -> None:
    """Do nothing; the target of `warm_up`."""


def _send(answer: Connection, channel: Channel, title: str, body: str) -> None:
    from mxtvhf.notification.service import send

    send(answer, channel, title, body)


@cache
def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["mxtvhf.notification.service", __name__])
    return context
