"""Effects of the detector: split events, pile-up, noise and dead columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.realsky.facts import CHANNELS, FRAME_S, SIZE, Floats, Ints, channel, facts
from benchmarks.realsky.spectra import noise_energies


@dataclass(frozen=True)
class Splits:
    """Fractions of the photons whose charge is shared by two, three and four pixels."""

    doubles: float = 0.0
    triples: float = 0.0
    quadruples: float = 0.0


@dataclass(frozen=True)
class Faults:
    """Readout noise and dead columns; noise is constant in time unless stated otherwise."""

    hot_pixels: tuple[float, ...] = ()
    """Expected counts of each, anywhere on the detector."""
    flickering: float = 0.0
    """Counts of one pixel, all in a hundredth of the observation."""
    noisy_rows: tuple[float, ...] = ()
    """Counts of each, anywhere."""
    noisy_columns: tuple[float, ...] = ()
    near: float = 0.0
    """Noisy lines and dead columns are at most so many pixels from the first source; 0: anywhere."""
    cluster: float = 0.0
    """Counts of a block of 3 x 3 pixels together."""
    dead: int = 0
    """Dead columns that nobody listed."""


def read_out(
    x: Floats, y: Floats, energy: Floats, splits: Splits, rng: np.random.Generator
) -> tuple[Ints, Ints, Floats, Ints]:
    """Share the charge of photons among pixels.

    The neighbours are those that the photon is nearest to. The photon's own pixel keeps at least half of what
    it shares with each of them.

    Returns
    -------
    tuple
        Column, row and energy of each entry, and the number of its photon. Parts below the threshold and
        beside the detector are lost.
    """
    column, row = np.rint(x).astype(np.int64), np.rint(y).astype(np.int64)
    dx, dy = np.where(x > column, 1, -1), np.where(y > row, 1, -1)
    nearer_x = np.abs(x - column) > np.abs(y - row)
    kind = rng.random(x.size)
    double = kind < splits.doubles
    triple = ~double & (kind < splits.doubles + splits.triples)
    quadruple = ~double & ~triple & (kind < splits.doubles + splits.triples + splits.quadruples)
    many = triple | quadruple
    to_x, to_y = (rng.uniform(0.0, 0.5, x.size) for _ in range(2))
    to_x *= (double & nearer_x) | many
    to_y *= (double & ~nearer_x) | many
    corner = to_x * to_y * quadruple
    own = 1.0 - to_x - to_y + to_x * to_y * many
    shares = np.stack([own, to_x - to_x * to_y * many, to_y - to_x * to_y * many, corner])
    shares /= shares.sum(axis=0)
    columns = np.stack([column, column + dx, column, column + dx])
    rows = np.stack([row, row, row + dy, row + dy])
    photon = np.broadcast_to(np.arange(x.size), shares.shape)
    # An undivided charge is read whatever its energy.
    kept = (shares * energy >= facts("splits")["threshold_kev"]) | (shares == 1.0)
    kept &= (columns >= 0) & (columns < SIZE) & (rows >= 0) & (rows < SIZE)
    return columns[kept], rows[kept], (shares * energy)[kept], photon[kept]


def frames(time: Floats) -> Floats:
    """Return the start of the frame of each time."""
    return np.asarray(np.floor(time / FRAME_S) * FRAME_S)


def piled_up(
    column: Ints, row: Ints, pha: Ints, time: Floats, photon: Ints
) -> tuple[Ints, Ints, Ints, Floats, Ints]:
    """Sum the charge in one pixel and frame to one entry; return the entries in time order."""
    frame = np.rint(time / FRAME_S).astype(np.int64)
    _, first, group = np.unique((frame * SIZE + row) * SIZE + column, return_index=True, return_inverse=True)
    total = np.bincount(group, weights=pha, minlength=first.size).astype(np.int64)
    fits = total < CHANNELS
    first = first[fits]
    return column[first], row[first], total[fits], time[first], photon[first]


def noise(
    faults: Faults, around: Floats, start: float, stop: float, rng: np.random.Generator
) -> tuple[Ints, Ints, Ints, Floats]:
    """Draw the readout noise: columns, rows, channels and frame times.

    Parameters
    ----------
    faults
        What there is of it.
    around
        x and y of the first source.
    start, stop
        Of the observation.
    rng
        Source of the draws.
    """
    places: list[np.ndarray] = []
    times: list[Floats] = []

    def add(counts: float, column: np.ndarray, row: np.ndarray, first: float, last: float) -> None:
        places.append(np.stack([column, row]))
        times.append(rng.uniform(first, last, int(counts)))

    def anywhere() -> int:
        return int(rng.integers(5, SIZE - 5))

    for counts in faults.hot_pixels:
        n = int(rng.poisson(counts))
        add(n, np.full(n, anywhere()), np.full(n, anywhere()), start, stop)
    if faults.flickering:
        n, length = int(rng.poisson(faults.flickering)), 0.01 * (stop - start)
        first = rng.uniform(start, stop - length)
        add(n, np.full(n, anywhere()), np.full(n, anywhere()), first, first + length)
    for counts in faults.noisy_rows:
        n, line = int(rng.poisson(counts)), _line(faults, around[1], rng)
        add(n, rng.integers(0, SIZE, n), np.full(n, line), start, stop)
    for counts in faults.noisy_columns:
        n, line = int(rng.poisson(counts)), _line(faults, around[0], rng)
        add(n, np.full(n, line), rng.integers(0, SIZE, n), start, stop)
    if faults.cluster:
        n = int(rng.poisson(faults.cluster))
        add(n, anywhere() + rng.integers(0, 3, n), anywhere() + rng.integers(0, 3, n), start, stop)
    column, row = np.concatenate([np.empty((2, 0), np.int64), *places], axis=1)
    time = np.concatenate([np.empty(0), *times])
    energy = noise_energies(time.size, rng)
    return column[: energy.size], row[: energy.size], channel(energy), frames(time[: energy.size])


def dead_columns(faults: Faults, around: Floats, rng: np.random.Generator) -> Ints:
    """Draw the dead columns."""
    return np.array([_line(faults, around[0], rng) for _ in range(faults.dead)], dtype=np.int64)


def _line(faults: Faults, place: float, rng: np.random.Generator) -> int:
    if not faults.near:
        return int(rng.integers(0, SIZE))
    return int(np.clip(rng.uniform(place - faults.near, place + faults.near), 0, SIZE - 1))
