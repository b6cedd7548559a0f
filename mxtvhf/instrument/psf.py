"""The point spread function of a lobster-eye telescope on its detector.

A square-pore optic reflects once in the plane of the rows, once in the plane of the columns, both or
neither, so its image is a product of two profiles: a core (both), two cross arms (one of them) and a
diffuse patch (neither). The product makes everything here cheap: an image is an outer product of two
256-vectors.

Coordinates are continuous 0-based detector pixels, x along columns and y along rows; pixel ``i`` covers
``i - 0.5 .. i + 0.5``. Images are indexed ``[row, column]``.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from mxtvhf.errors import InvalidInput
from mxtvhf.instrument.calibration import PsfCalibration, default_calibration
from mxtvhf.instrument.constants import instrument, pixel_scale_arcsec
from mxtvhf.models.arrays import Floats


def detector_pixels() -> int:
    """Return the number of columns, and of rows, of the square detector."""
    return instrument().detector.columns


class SeparablePsf(Protocol):
    """What the localisation asks of a PSF: P(x, y) = X(x) X(y), integrated over pixels. Hashable."""

    def fractions(self, centre: npt.ArrayLike, size: int) -> Floats:
        """Return the part of X that falls on each of the pixels 0..size-1 of an axis.

        Shape ``centre.shape + (size,)``; 1 in total over the whole plane, not over the detector.
        """
        ...

    def response(self, centre: npt.ArrayLike, size: int) -> Floats:
        """Return ``fractions`` and its first and second derivative by ``centre``, stacked in front.

        Shape ``(3,) + centre.shape + (size,)``.
        """
        ...

    def __hash__(self) -> int: ...


@runtime_checkable
class VariableWidthPsf(SeparablePsf, Protocol):
    """A PSF whose core's width is not known exactly, and that can be had with another one."""

    @property
    def width_sigma(self) -> float:
        """Standard error of the logarithm of the core's width; 0: known exactly."""
        ...

    def scaled(self, factor: float) -> VariableWidthPsf:
        """Return the PSF with the width of its core multiplied by ``factor``."""
        ...


@dataclass(frozen=True)
class LobsterEyePsf:
    """Analytic lobster-eye PSF P(x, y) = X(x) X(y), by default that of the package's latest calibration.

    ::

        X(u) ~ 1 / (1 + (2u/G)^2) + eta (G/H) (1 - (u/H)^2)     for |u| < H, 0 beyond

    a Lorentzian core of full width G at half maximum on an arm of half length H (R. Willingale, QSOFT
    ``qri_lepsf`` with alp = 1). It is normalised to 1 over its whole support |u| < H, which is wider than
    the detector: part of the flux falls beside it, and ``enclosed`` tells which part does not.

    Parameters
    ----------
    core_fwhm_arcmin
        G, arcmin.
    arm_half_length_pixel
        H, pixels.
    eta
        Strength of the arms.
    core_fwhm_sigma
        Relative standard error of G; 0: known exactly.

    Raises
    ------
    InvalidInput
        A parameter that is not finite, a width or length that is not positive, a negative ``eta``.
    """

    core_fwhm_arcmin: float = field(default_factory=lambda: default_calibration().psf.core_fwhm_arcmin)
    arm_half_length_pixel: float = field(
        default_factory=lambda: default_calibration().psf.arm_half_length_pixel
    )
    eta: float = field(default_factory=lambda: default_calibration().psf.eta)
    core_fwhm_sigma: float = field(default_factory=lambda: default_calibration().psf.core_fwhm_sigma)

    def __post_init__(self) -> None:
        for name in ("core_fwhm_arcmin", "arm_half_length_pixel"):
            if not 0.0 < getattr(self, name) < np.inf:
                raise InvalidInput(f"PSF: {name} = {getattr(self, name)} is not a positive number")
        for name in ("eta", "core_fwhm_sigma"):
            if not 0.0 <= getattr(self, name) < np.inf:
                raise InvalidInput(f"PSF: {name} = {getattr(self, name)} is not a number >= 0")

    @classmethod
    def of(cls, calibration: PsfCalibration) -> LobsterEyePsf:
        """Return the PSF of a calibration file."""
        return cls(
            calibration.core_fwhm_arcmin,
            calibration.arm_half_length_pixel,
            calibration.eta,
            calibration.core_fwhm_sigma,
        )

    @property
    def width_sigma(self) -> float:
        """Standard error of the logarithm of the core's width; see ``VariableWidthPsf``."""
        return self.core_fwhm_sigma

    def scaled(self, factor: float) -> LobsterEyePsf:
        """Return the PSF with another width of its core, see ``VariableWidthPsf``.

        Spot and arms keep their parts of the photons.
        """
        return replace(self, core_fwhm_arcmin=factor * self.core_fwhm_arcmin)

    @cached_property
    def core_fwhm_pixel(self) -> float:
        """G in pixels."""
        return 60.0 * self.core_fwhm_arcmin / pixel_scale_arcsec()

    @cached_property
    def _arm(self) -> float:
        return self.eta * self.core_fwhm_pixel / self.arm_half_length_pixel

    @cached_property
    def _norm(self) -> float:
        """Integral of X over its support."""
        return 2.0 * float(self._antiderivative(np.float64(self.arm_half_length_pixel)))

    def _antiderivative(self, u: npt.NDArray[np.float64] | np.float64) -> Floats:
        core, half = self.core_fwhm_pixel, self.arm_half_length_pixel
        arm = self._arm * u * (1.0 - (u / half) ** 2 / 3.0)
        return np.asarray(0.5 * core * np.arctan(2.0 * u / core) + arm)

    def cumulative(self, u: npt.ArrayLike) -> Floats:
        """Integral of the normalised profile from the centre to ``u`` pixels (-0.5 .. 0.5)."""
        half = self.arm_half_length_pixel
        inside = np.minimum(np.maximum(u, -half), half)
        return self._antiderivative(inside) / self._norm

    def profile(self, u: npt.ArrayLike) -> Floats:
        """Return the normalised X at ``u`` pixels from the centre, per pixel."""
        u = np.asarray(u, dtype=np.float64)
        half = self.arm_half_length_pixel
        value = 1.0 / (1.0 + (2.0 * u / self.core_fwhm_pixel) ** 2) + self._arm * (1.0 - (u / half) ** 2)
        return np.where(np.abs(u) < half, value, 0.0) / self._norm

    def fractions(self, centre: npt.ArrayLike, size: int) -> Floats:
        """Return the part of X on each of the pixels 0..size-1; see ``SeparablePsf``."""
        return np.diff(self.cumulative(_edges(centre, size)), axis=-1)

    def response(self, centre: npt.ArrayLike, size: int) -> Floats:
        """Return ``fractions`` with first and second derivative by ``centre``; see ``SeparablePsf``."""
        u, half = _edges(centre, size), self.arm_half_length_pixel
        part, outwards = u / half, np.where(np.abs(u) < half, -1.0, 0.0)
        core = 1.0 / (1.0 + (2.0 / self.core_fwhm_pixel * u) ** 2)
        at_edges = np.empty((3, *u.shape))
        at_edges[0] = self._antiderivative(np.minimum(np.maximum(u, -half), half))
        at_edges[1] = outwards * (core + self._arm * (1.0 - part**2))
        at_edges[2] = outwards * (8.0 / self.core_fwhm_pixel**2 * u * core**2 + 2.0 * self._arm / half * part)
        return np.diff(at_edges, axis=-1) / self._norm

    def image(self, x: float, y: float) -> Floats:
        """Probability of each detector pixel for a photon of a source at (x, y), shape (256, 256)."""
        size = detector_pixels()
        return np.outer(self.fractions(y, size), self.fractions(x, size))

    def gradient(self, x: float, y: float) -> Floats:
        """Return the derivatives of ``image`` by x and by y, per pixel, shape (2, 256, 256)."""
        size = detector_pixels()
        value, slope, _ = self.response((x, y), size)
        return np.stack([np.outer(value[1], slope[0]), np.outer(slope[1], value[0])])

    def enclosed(self, x: float, y: float, good: npt.NDArray[np.bool_] | None = None) -> float:
        """Part of the source's photons that falls on the detector, or on its ``good`` pixels only."""
        image = self.image(x, y)
        return float(image.sum() if good is None else image[good].sum())


def _edges(centre: npt.ArrayLike, size: int) -> Floats:
    """Edges of the pixels 0..size-1 seen from ``centre``, shape ``centre.shape + (size + 1,)``."""
    return np.arange(size + 1) - 0.5 - np.asarray(centre, dtype=np.float64)[..., np.newaxis]
