"""Timing for the benchmarks: things that are compared are measured in turn, so that they share their luck."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import perf_counter


def in_turn(calls: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the shortest time of each call in seconds, over some rounds of all of them."""
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(rounds):
        for name, call in calls.items():
            start = perf_counter()
            call()
            best[name] = min(best[name], perf_counter() - start)
    return best


def print_times(times: Mapping[str, float]) -> None:
    """Print a table of them."""
    for name, seconds in times.items():
        print(f"  {name:44s} {seconds * 1e3:9.2f} ms")
