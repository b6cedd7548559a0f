"""Time functions alternately, so that load on the machine affects all of them alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter


def in_turn(calls: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the shortest time of each call in seconds over several rounds."""
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(rounds):
        for name, call in calls.items():
            start = perf_counter()
            call()
            best[name] = min(best[name], perf_counter() - start)
    return best


def print_times(times: Mapping[str, float]) -> None:
    """Print times in ms, one line each."""
    for name, seconds in times.items():
        print(f"  {name:44s} {seconds * 1e3:9.2f} ms")
