"""Prior of the source position from the error circle of another instrument."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, log, log1p

import numpy as np
import numpy.typing as npt

from mxtvhf.instrument.psf import detector_pixels
from mxtvhf.models.arrays import Floats


@dataclass(frozen=True)
class PositionPrior:
    """A round Gaussian about a position, mixed with a flat density over the detector.

    The flat part keeps the search open for a source far from the circle: two of the 14 public MXT notices are
    26 and 29 arcmin from their ECLAIRs position.

    Attributes
    ----------
    x, y
        Centre of the Gaussian, continuous 0-based pixels; may lie outside the detector.
    sigma
        Standard deviation per axis, pixels: the 90 % radius divided by 2.146.
    trust
        Fraction of the probability in the Gaussian, above 0, at most 1.
    """

    x: float
    y: float
    sigma: float
    trust: float

    def log_ratio(self, x: npt.ArrayLike, y: npt.ArrayLike) -> Floats:
        """Return the logarithm of the prior density relative to a flat prior on the detector.

        Parameters
        ----------
        x, y
            Positions, continuous 0-based pixels; their shapes must broadcast.
        """
        dx, dy = np.asarray(x, dtype=np.float64) - self.x, np.asarray(y, dtype=np.float64) - self.y
        return np.asarray(np.logaddexp(self._log_flat, self._log_gaussian(dx, dy)))

    def holds(self, x: float, y: float, sigma: tuple[float, float]) -> bool:
        """Return whether a position agrees with the Gaussian at the 99 % level.

        Parameters
        ----------
        x, y
            Position, continuous 0-based pixels.
        sigma
            Standard errors of x and y, pixels.
        """
        variance = self.sigma**2 + 0.5 * (sigma[0] ** 2 + sigma[1] ** 2)
        return (x - self.x) ** 2 + (y - self.y) ** 2 <= 2.0 * log(100.0) * variance

    def derivatives(self, x: float, y: float) -> tuple[Floats, Floats]:
        """Return gradient (2,) and Hessian (2, 2) of ``log_ratio`` with respect to x and y.

        Parameters
        ----------
        x, y
            Position, continuous 0-based pixels.
        """
        offset = np.array([x - self.x, y - self.y])
        part = np.exp(self._log_gaussian(offset[0], offset[1]) - self.log_ratio(x, y))
        slope = -offset / self.sigma**2
        second = part * (np.outer(slope, slope) * (1.0 - part) - np.eye(2) / self.sigma**2)
        return part * slope, second

    @property
    def _log_flat(self) -> float:
        return log1p(-self.trust) if self.trust < 1.0 else -inf

    def _log_gaussian(self, dx: npt.ArrayLike, dy: npt.ArrayLike) -> Floats:
        distance = np.square(dx) + np.square(dy)
        height = self.trust * detector_pixels() ** 2 / (2.0 * np.pi * self.sigma**2)
        return np.asarray(log(height) - 0.5 * distance / self.sigma**2)
