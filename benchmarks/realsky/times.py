"""Arrival times of fading sources, flares and variable backgrounds, in seconds after T0."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.realsky.facts import Floats


@dataclass(frozen=True)
class Fading:
    """A rate proportional to t^-index; negative: rising."""

    index: float = 1.2

    def draw(self, start: float, stop: float, count: int, rng: np.random.Generator) -> Floats:
        """Draw arrival times."""
        place, power = rng.random(count), 1.0 - self.index
        if abs(power) < 1e-9:
            return np.asarray(start * (stop / start) ** place)
        # Relative to the start: t^power of steep decays would underflow.
        return np.asarray(start * (1.0 + place * ((stop / start) ** power - 1.0)) ** (1.0 / power))

    def part(self, start: float, stop: float, until: float) -> float:
        """Return the part of the photons from start to stop that comes before ``until``."""
        power = 1.0 - self.index
        if abs(power) < 1e-9:
            return float(np.log(until / start) / np.log(stop / start))
        return float(((until / start) ** power - 1.0) / ((stop / start) ** power - 1.0))


@dataclass(frozen=True)
class Flare:
    """A Gaussian pulse; its middle and width as parts of the observation's length."""

    middle: float = 0.7
    width: float = 0.02

    def draw(self, start: float, stop: float, count: int, rng: np.random.Generator) -> Floats:
        """Draw arrival times; times outside the observation are moved to its ends."""
        length = stop - start
        drawn = start + length * (self.middle + self.width * rng.standard_normal(count))
        return np.clip(drawn, start, stop - 1e-3)


@dataclass(frozen=True)
class Varying:
    """A constant rate, and a fraction ``extra`` of all photons in a decay after the SAA or in a flare."""

    extra: float = 0.0
    decay_time: float = 0.1
    """e-folding time of the decay as a part of the observation's length; 0: a flare instead."""

    def draw(self, start: float, stop: float, count: int, rng: np.random.Generator) -> Floats:
        """Draw arrival times."""
        length = stop - start
        steady = rng.uniform(start, stop, count)
        if self.decay_time:
            scale = self.decay_time
            extra = start - length * scale * np.log1p(-rng.random(count) * -np.expm1(-1.0 / scale))
        else:
            extra = Flare(middle=0.5, width=0.04).draw(start, stop, count, rng)
        return np.where(rng.random(count) < self.extra, extra, steady)


Times = Fading | Flare
