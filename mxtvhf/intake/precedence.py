"""Precedence of our own alerts over the notices of other missions.

While an alert of ours is on its way to a report, a storm of notices of other missions must not take its
processor and disk. The listener then takes the first few of them at once, as always, and further ones slowly.
The others wait where they are durable already: in the inbox, in the NATS stream, or at GCN.
"""

from __future__ import annotations

import time
from collections.abc import Callable

HOLD_S = 10.0
"""Time after the last message or run of ours, in which its report is made, seconds."""
LONGEST_S = 60.0
"""Longest time without a break in which notices of other missions are held back, seconds."""
BREAK_S = 20.0
"""Time for the notices of other missions after `LONGEST_S`, seconds."""
AT_ONCE = 10
"""Notices of other missions that are taken at once in this time; without a storm there are fewer."""
PAUSE_S = 1.0
"""Pause after each further one, seconds."""


class Precedence:
    """Tells the sources and the reader of notices of other missions when to slow down.

    Parameters
    ----------
    clock
        Returns seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = self._last = float("-inf")
        self._taken = 0

    def ours_arrived(self) -> None:
        """Note that a message of ours arrived or a run of ours was started."""
        now = self._clock()
        if now - self._last >= HOLD_S + BREAK_S or now - self._began >= LONGEST_S + BREAK_S:
            self._began, self._taken = now, 0
        self._last = now

    def other_taken(self) -> None:
        """Count a notice of another mission."""
        self._taken += 1

    @property
    def pause_s(self) -> float:
        """Pause before the next notice of another mission is taken, seconds; 0 if none is needed."""
        now = self._clock()
        is_held = now - self._last < HOLD_S and now - self._began < LONGEST_S
        return PAUSE_S if is_held and self._taken > AT_ONCE else 0.0
