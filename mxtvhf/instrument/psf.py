"""Point spread function of a lobster-eye telescope on its detector.

A square-pore optic reflects once in the plane of the rows, once in the plane of the columns, both or neither,
so its image is a product of two profiles: a core (both), two cross arms (one of them) and a diffuse patch
(neither). The product form makes all computations cheap: an image is an outer product of two 256-vectors.

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

_NODES = np.linspace(-3.6, 3.6, 13)
"""Points, in standard deviations, of the trapezoidal sum over a normal distribution. The sum converges
exponentially with the ratio of the PSF core width to the spacing of the points: to 1 % of the peak for 45
pixels."""
_NODE_WEIGHTS = np.exp(-0.5 * _NODES**2)
_NODE_WEIGHTS /= _NODE_WEIGHTS.sum()


def detector_pixels() -> int:
    """Return the number of columns (equal to the number of rows) of the square detector."""
    return instrument().detector.columns


class SeparablePsf(Protocol):
    """PSF interface of the localisation: P(x, y) = X(x) X(y), integrated over pixels; hashable."""

    def fractions(self, centre: npt.ArrayLike, size: int) -> Floats:
        """Return the fraction of X that falls on each of the pixels 0..size-1 of an axis.

        The shape is ``centre.shape + (size,)``; the sum is 1 over the whole plane, not over the detector.

        Parameters
        ----------
        centre
            Source position on the axis, 0-based continuous pixels, any shape.
        size
            Number of pixels of the axis.
        """
        ...

    def response(self, centre: npt.ArrayLike, size: int) -> Floats:
        """Return ``fractions`` and its first and second derivative by ``centre`` along a new first axis.

        The shape is ``(3,) + centre.shape + (size,)``.

        Parameters
        ----------
        centre
            Source position on the axis, 0-based continuous pixels, any shape.
        size
            Number of pixels of the axis.
        """
        ...

    def __hash__(self) -> int: ...


@runtime_checkable
class VariableWidthPsf(SeparablePsf, Protocol):
    """A PSF with an uncertain core width, which can be scaled."""

    @property
    def width_sigma(self) -> float:
        """Standard error of the logarithm of the core width; 0 if it is known exactly."""
        ...

    def scaled(self, factor: float) -> VariableWidthPsf:
        """Return the PSF with the width of its core multiplied by ``factor``.

        Parameters
        ----------
        factor
            Ratio of the new to the old core width.
        """
        ...


@dataclass(frozen=True)
class ExtendedPsf:
    """Image of an extended source: a PSF convolved with a round Gaussian brightness profile.

    A round Gaussian is separable like the PSF, so each axis is convolved on its own.

    Attributes
    ----------
    psf
        PSF of a point source.
    sigma_pixel
        Standard deviation of the brightness per axis, pixels.
    """

    psf: SeparablePsf
    sigma_pixel: float

    def fractions(self, centre: npt.ArrayLike, size: int) -> Floats:
        """Return the fraction on each of the pixels 0..size-1 of an axis; see ``SeparablePsf``.

        Parameters
        ----------
        centre
            Source position on the axis, 0-based continuous pixels, any shape.
        size
            Number of pixels of the axis.
        """
        return np.asarray(_NODE_WEIGHTS @ self.psf.fractions(self._points(centre), size))

    def response(self, centre: npt.ArrayLike, size: int) -> Floats:
        """Return ``fractions`` with first and second derivative by ``centre``; see ``SeparablePsf``.

        Parameters
        ----------
        centre
            Source position on the axis, 0-based continuous pixels, any shape.
        size
            Number of pixels of the axis.
        """
        return np.asarray(_NODE_WEIGHTS @ self.psf.response(self._points(centre), size))

    def _points(self, centre: npt.ArrayLike) -> Floats:
        return np.asarray(centre, dtype=np.float64)[..., np.newaxis] + self.sigma_pixel * _NODES


@dataclass(frozen=True)
class CoreShape:
    """Deviation of the shape of a PSF from its formula.

    Attributes
    ----------
    roll
        Angle by which the pore axes are rotated from the detector's, radians, from +column to +row.
    stretch
        Natural logarithm of a factor on the core width.
    elongation
        Half the natural logarithm of the ratio of the core widths along the first and second axis.
    skew_x, skew_y
        Fraction by which the core is wider on the side of increasing columns (or rows) and narrower on the
        other side.
    """

    roll: float = 0.0
    stretch: float = 0.0
    elongation: float = 0.0
    skew_x: float = 0.0
    skew_y: float = 0.0

    @property
    def parameters(self) -> Floats:
        """All parameters in the order above, shape (5,)."""
        return np.array([self.roll, self.stretch, self.elongation, self.skew_x, self.skew_y])


@dataclass(frozen=True)
class LobsterEyePsf:
    """Analytic lobster-eye PSF P(x, y) = X(x) X(y); by default that of the package's latest calibration.

    ::

        X(u) ~ 1 / (1 + (2u/G)^2) + eta (G/H) (1 - (u/H)^2)     for |u| < H, 0 beyond

    X is a Lorentzian core with full width G at half maximum on an arm of half length H (R. Willingale, QSOFT
    ``qri_lepsf`` with alp = 1). It is normalised to 1 over its whole support ``|u| < H``, which is wider than
    the detector: a fraction of the flux falls outside it, and ``enclosed`` gives the fraction inside.

    Attributes
    ----------
    core_fwhm_arcmin
        G, arcmin.
    arm_half_length_pixel
        H, pixels.
    eta
        Strength of the arms.
    core_fwhm_sigma
        Relative standard error of G; 0 if it is known exactly.
    shape
        Known deviations from this form; only ``density_with_slopes`` applies them.
    shape_errors
        Standard errors of these deviations; 0 if they are known exactly. That of ``stretch`` is
        ``core_fwhm_sigma``; those of the skews apply to a core that is skewed.
    skew_probability
        Prior probability that the core is skewed.

    Raises
    ------
    InvalidInput
        A parameter is not finite, a width or length is not positive, ``eta`` is negative, or
        ``skew_probability`` is outside 0..1.
    """

    core_fwhm_arcmin: float = field(default_factory=lambda: default_calibration().psf.core_fwhm_arcmin)
    arm_half_length_pixel: float = field(
        default_factory=lambda: default_calibration().psf.arm_half_length_pixel
    )
    eta: float = field(default_factory=lambda: default_calibration().psf.eta)
    core_fwhm_sigma: float = field(default_factory=lambda: default_calibration().psf.core_fwhm_sigma)
    shape: CoreShape = CoreShape()
    shape_errors: CoreShape = CoreShape()
    skew_probability: float = 1.0

    def __post_init__(self) -> None:
        for name in ("core_fwhm_arcmin", "arm_half_length_pixel"):
            if not 0.0 < getattr(self, name) < np.inf:
                raise InvalidInput(f"PSF: {name} = {getattr(self, name)}; expected a positive number")
        for name in ("eta", "core_fwhm_sigma"):
            if not 0.0 <= getattr(self, name) < np.inf:
                raise InvalidInput(f"PSF: {name} = {getattr(self, name)}; expected a number >= 0")
        if not 0.0 <= self.skew_probability <= 1.0:
            raise InvalidInput(
                f"PSF: skew_probability = {self.skew_probability}; expected a value from 0 to 1"
            )

    @classmethod
    def of(cls, calibration: PsfCalibration) -> LobsterEyePsf:
        """Return the PSF of a calibration file.

        Parameters
        ----------
        calibration
            Calibration file with width, arms and errors of the shape.
        """
        return cls(
            calibration.core_fwhm_arcmin,
            calibration.arm_half_length_pixel,
            calibration.eta,
            calibration.core_fwhm_sigma,
            CoreShape(roll=np.radians(calibration.roll_deg)),
            CoreShape(
                roll=np.radians(calibration.roll_sigma_deg),
                elongation=calibration.elongation_sigma,
                skew_x=calibration.skew_sigma,
                skew_y=calibration.skew_sigma,
            ),
            calibration.skew_probability,
        )

    @cached_property
    def shape_sigma(self) -> Floats:
        """Standard errors of the shape parameters, in their order; 0 if known exactly."""
        return replace(self.shape_errors, stretch=self.core_fwhm_sigma).parameters

    @property
    def width_sigma(self) -> float:
        """Standard error of the logarithm of the core width; see ``VariableWidthPsf``."""
        return self.core_fwhm_sigma

    def scaled(self, factor: float) -> LobsterEyePsf:
        """Return the PSF with another core width; see ``VariableWidthPsf``.

        Spot and arms keep their fractions of the photons.

        Parameters
        ----------
        factor
            Ratio of the new to the old core width.
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
        """Return the integral of X over its support."""
        return 2.0 * float(self._antiderivative(np.float64(self.arm_half_length_pixel)))

    def _antiderivative(self, u: npt.NDArray[np.float64] | np.float64) -> Floats:
        core, half = self.core_fwhm_pixel, self.arm_half_length_pixel
        arm = self._arm * u * (1.0 - (u / half) ** 2 / 3.0)
        return np.asarray(0.5 * core * np.arctan(2.0 * u / core) + arm)

    def cumulative(self, u: npt.ArrayLike) -> Floats:
        """Return the integral of the normalised profile from the centre to ``u`` pixels (-0.5 .. 0.5).

        Parameters
        ----------
        u
            Distances from the centre along an axis, pixels, any shape.
        """
        half = self.arm_half_length_pixel
        inside = np.minimum(np.maximum(u, -half), half)
        return self._antiderivative(inside) / self._norm

    def profile(self, u: npt.ArrayLike) -> Floats:
        """Return the normalised X at ``u`` pixels from the centre, per pixel.

        Parameters
        ----------
        u
            Distances from the centre along an axis, pixels, any shape.
        """
        u = np.asarray(u, dtype=np.float64)
        half = self.arm_half_length_pixel
        value = 1.0 / (1.0 + (2.0 * u / self.core_fwhm_pixel) ** 2) + self._arm * (1.0 - (u / half) ** 2)
        return np.where(np.abs(u) < half, value, 0.0) / self._norm

    def density_with_slopes(
        self, dx: npt.ArrayLike, dy: npt.ArrayLike, shape: CoreShape
    ) -> tuple[Floats, Floats]:
        """Return P per pixel at offsets from the source, and the derivatives of ln P.

        Parameters
        ----------
        dx, dy
            Column and row offsets from the source, pixels; their shapes must broadcast.
        shape
            Deviations of the shape; of these, only the rotation affects the arms.

        Returns
        -------
        density, slopes
            P, and the derivatives of ln P by the source position x and y and by the parameters of the shape,
            along a new first axis of length 7; they are 0 where P is 0.
        """
        dx, dy = np.asarray(dx, dtype=np.float64), np.asarray(dy, dtype=np.float64)
        cos, sin = np.cos(shape.roll), np.sin(shape.roll)
        u, v = cos * dx + sin * dy, cos * dy - sin * dx
        first, by_u, by_width, by_skew = self._profile(u, shape.stretch + shape.elongation, shape.skew_x)
        second, by_v, by_height, by_skew_y = self._profile(v, shape.stretch - shape.elongation, shape.skew_y)
        slopes = [
            sin * by_v - cos * by_u,
            -sin * by_u - cos * by_v,
            v * by_u - u * by_v,
            by_width + by_height,
            by_width - by_height,
            by_skew,
            by_skew_y,
        ]
        return first * second, np.array(slopes)

    def _profile(self, u: Floats, stretch: float, skew: float) -> tuple[Floats, Floats, Floats, Floats]:
        """Return X at ``u`` pixels for a skewed core exp(stretch) times as wide, with the same total.

        It is followed by the derivatives of ln X by ``u``, ``stretch`` and ``skew``, which are 0 where X is.
        """
        side, half = np.sign(u), self.arm_half_length_pixel
        relative = 1.0 + skew * side
        square = (2.0 / self.core_fwhm_pixel * np.exp(-stretch) / relative) ** 2
        falling = 1.0 / (1.0 + square * u**2)
        core = np.exp(-stretch) * falling
        value = core + self._arm * (1.0 - (u / half) ** 2)
        inside = np.abs(u) < half
        inverse = np.where(inside, 1.0 / value, 0.0)
        steepness = 2.0 * core * falling * square
        by_width = steepness * u**2
        return (
            np.where(inside, value, 0.0) / self._norm,
            -(steepness + 2.0 * self._arm / half**2) * u * inverse,
            (by_width - core) * inverse,
            by_width * side / relative * inverse,
        )

    def fractions(self, centre: npt.ArrayLike, size: int) -> Floats:
        """Return the fraction of X on each of the pixels 0..size-1; see ``SeparablePsf``.

        Parameters
        ----------
        centre
            Source position on the axis, 0-based continuous pixels, any shape.
        size
            Number of pixels of the axis.
        """
        at_edges = self.cumulative(_edges(centre, size))
        return at_edges[..., 1:] - at_edges[..., :-1]

    def response(self, centre: npt.ArrayLike, size: int) -> Floats:
        """Return ``fractions`` with first and second derivative by ``centre``; see ``SeparablePsf``.

        Parameters
        ----------
        centre
            Source position on the axis, 0-based continuous pixels, any shape.
        size
            Number of pixels of the axis.
        """
        u, half = _edges(centre, size), self.arm_half_length_pixel
        part, outwards = u / half, np.where(np.abs(u) < half, -1.0, 0.0)
        core = 1.0 / (1.0 + (2.0 / self.core_fwhm_pixel * u) ** 2)
        at_edges = np.empty((3, *u.shape))
        at_edges[0] = self._antiderivative(np.minimum(np.maximum(u, -half), half))
        at_edges[1] = outwards * (core + self._arm * (1.0 - part**2))
        at_edges[2] = outwards * (8.0 / self.core_fwhm_pixel**2 * u * core**2 + 2.0 * self._arm / half * part)
        return (at_edges[..., 1:] - at_edges[..., :-1]) / self._norm

    def image(self, x: float, y: float) -> Floats:
        """Return the probability of each pixel for a photon of a source at (x, y), shape (256, 256).

        Parameters
        ----------
        x, y
            Source position, 0-based continuous column and row.
        """
        size = detector_pixels()
        return np.outer(self.fractions(y, size), self.fractions(x, size))

    def gradient(self, x: float, y: float) -> Floats:
        """Return the derivatives of ``image`` by x and by y, per pixel, shape (2, 256, 256).

        Parameters
        ----------
        x, y
            Source position, 0-based continuous column and row.
        """
        size = detector_pixels()
        value, slope, _ = self.response((x, y), size)
        return np.stack([np.outer(value[1], slope[0]), np.outer(slope[1], value[0])])

    def enclosed(self, x: float, y: float, good: npt.NDArray[np.bool_] | None = None) -> float:
        """Return the enclosed fraction of source photons on the detector, or on its ``good`` pixels only.

        Parameters
        ----------
        x, y
            Source position, 0-based continuous column and row.
        good
            Mask of the pixels to include, ``[row, column]``; None: all pixels.
        """
        image = self.image(x, y)
        return float(image.sum() if good is None else image[good].sum())


def _edges(centre: npt.ArrayLike, size: int) -> Floats:
    """Return the pixel edges relative to ``centre``, shape ``centre.shape + (size + 1,)``."""
    return np.arange(size + 1) - 0.5 - np.asarray(centre, dtype=np.float64)[..., np.newaxis]
