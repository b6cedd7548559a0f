"""Positions of a source's photons: core, arms and patch of the PSF, drawn as a mixture."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from benchmarks.realsky.facts import MIDDLE, SIZE, Floats, facts, pixel_arcmin


@dataclass(frozen=True)
class Optics:
    """The lobster-eye PSF by Willingale's formula (``realsky.toml``), and its deviations."""

    core_fwhm_arcmin: float = field(default_factory=lambda: float(facts("optics")["core_fwhm_arcmin"]))
    eta: float = field(default_factory=lambda: float(facts("optics")["eta"]))
    half_length: float = field(default_factory=lambda: float(facts("optics")["arm_half_length_pixel"]))
    """Of the arms, pixels."""
    rotation_deg: float = 0.0
    """Of core and arms about the source."""
    elongation: float = 0.0
    """The core is wider by this part along x than along y, at the same mean width."""
    skew: float = 0.0
    """The core's half width differs by this part between its two sides, along x and along y."""

    def offsets(self, count: int, rng: np.random.Generator) -> Floats:
        """Draw offsets from the source's place, pixels, shape (2, count); many fall beside the detector."""
        stretch = np.sqrt(1.0 + self.elongation)
        widths = self.core_fwhm_arcmin / pixel_arcmin() * np.array([stretch, 1.0 / stretch])
        u, v = (self._axis(count, width, rng) for width in widths)
        angle = np.radians(self.rotation_deg)
        return np.stack([np.cos(angle) * u - np.sin(angle) * v, np.sin(angle) * u + np.cos(angle) * v])

    def _axis(self, count: int, width: float, rng: np.random.Generator) -> Floats:
        half = self.half_length
        in_arm = rng.random(count) < arm_part(width, self.eta, half)
        # A Lorentzian cut at the arm's ends, by its inverse distribution.
        reach = np.arctan(2.0 * half / width)
        core = 0.5 * width * np.tan(rng.uniform(-reach, reach, count))
        if self.skew:
            # Both sides have their own width; the wider one has more photons, so that the peak is continuous.
            wide, narrow = 1.0 + 0.5 * self.skew, 1.0 - 0.5 * self.skew
            upper = rng.random(count) < 0.5 * wide
            core = np.where(upper, wide, -narrow) * np.abs(core)
        # 1 - u^2 on -1..1: the median of three uniform numbers has it as its distribution.
        arm = half * np.median(rng.uniform(-1.0, 1.0, (3, count)), axis=0)
        return np.where(in_arm, arm, core)

    def places(self, x: float, y: float, count: int, rng: np.random.Generator) -> Floats:
        """Draw exactly ``count`` continuous places on the detector, pixels, shape (2, count)."""
        found = np.empty((2, 0))
        while found.shape[1] < count:
            drawn = self.offsets(2 * count + 20, rng) + np.array([[x], [y]])
            found = np.concatenate([found, drawn[:, on_detector(drawn)]], axis=1)
        return found[:, :count]

    def enclosed(self, x: float, y: float) -> float:
        """Return the fraction of a source's photons on the detector, from a fixed sample if necessary."""
        if self.rotation_deg or self.skew or self.elongation:
            drawn = self.offsets(400_000, np.random.default_rng(0)) + np.array([[x], [y]])
            return float(on_detector(drawn).mean())
        width, half = self.core_fwhm_arcmin / pixel_arcmin(), self.half_length
        arm, reach = arm_part(width, self.eta, half), np.arctan(2.0 * half / width)
        product = 1.0
        for place in (x, y):
            u = np.clip(np.array([-0.5, SIZE - 0.5]) - place, -half, half)
            core = 0.5 * np.arctan(2.0 * u / width) / reach
            cross = 0.75 * (u / half - (u / half) ** 3 / 3.0)
            product *= float(np.diff((1.0 - arm) * core + arm * cross)[0])
        return product

    def enclosed_in_the_middle(self) -> float:
        """Return this fraction for a source in the middle of the detector."""
        return self.enclosed(MIDDLE, MIDDLE)


def arm_part(width: float, eta: float, half: float) -> float:
    """Return the fraction of the profile X in the arms: integrals of both terms of the formula."""
    core = width * float(np.arctan(2.0 * half / width))
    arm = 4.0 / 3.0 * eta * width
    return arm / (core + arm)


def on_detector(places: Floats) -> np.ndarray:
    """Return whether continuous positions are on the detector."""
    return np.asarray(((places >= -0.5) & (places < SIZE - 0.5)).all(axis=0))
