"""The photons that the likelihood counts: per pixel, and per kind of source that they may come from.

Arrays are indexed ``[row, column]``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from mxtvhf.instrument.psf import SeparablePsf
from mxtvhf.models.arrays import Floats

WEIGHT_POWERS = (-8, 4)
"""Lowest and highest power of two of the weight that the whole-field map tells apart."""

_FEWEST_MERGED = 4000
"""Fewer photons than this are kept one by one, with their exact weight."""

_WEIGHT_STEPS = 8
"""Per power of two, for the weights of many photons, which are joined."""


@dataclass(frozen=True, eq=False)
class Counts:
    """Photons per pixel, or per block of ``block`` x ``block`` pixels, and per weight.

    Attributes
    ----------
    column, row, number
        Of the entries: position (0-based, in blocks) and photons.
    good
        Part of each block and of the time in which good pixels looked, 0..1, shape (size, size).
    weights
        Of the entries, see ``likelihood``; None: 1 for all.
    block
        Pixels per side of a block.
    kinds
        Weights of the entries, were the source of each of several kinds, shape (kinds, entries);
        ``weights`` is a mean of them. None: of one kind.
    shares
        Probability of each kind beforehand, shape (kinds,); None: all are equally probable.
    spectra
        Densities of the background's components at the energies of the entries, shape (components, entries);
        see ``background``. None: energies are not used.
    groups, vignetting
        Of the background's components in energy, numbers from 0 on, and how much fainter each group is in the
        corners of the detector than in its middle: see ``background.BackgroundDensities``.
    courses
        Of its components in time, at the times of the entries, the same way.
    concentration
        Density of everything but the source at an entry's place over its mean over the good pixels, given the
        entry's energy and time, see ``likelihood``; None: 1 for all.
    known
        Photons that count as seen beforehand of the background's components in energy, shape (components,);
        None: nothing is known of their parts.
    """

    column: npt.NDArray[np.intp]
    row: npt.NDArray[np.intp]
    number: Floats
    good: Floats
    weights: Floats | None = None
    block: int = 1
    template_weights: Floats | None = None
    shares: Floats | None = None
    spectra: Floats | None = None
    groups: npt.NDArray[np.intp] | None = None
    courses: Floats | None = None
    concentration: Floats | None = None
    vignetting: tuple[float, ...] = (0.0,)
    known: Floats | None = None

    @classmethod
    def from_image(cls, image: npt.NDArray[np.int64], good: Floats) -> Counts:
        """Count the photons on the good pixels of a detector image."""
        filled = np.flatnonzero((image > 0) & (good > 0.0))
        row, column = np.divmod(filled, image.shape[1])
        return cls(column, row, image.ravel()[filled].astype(np.float64), good)

    @classmethod
    def from_photons(
        cls,
        column: npt.NDArray[np.intp],
        row: npt.NDArray[np.intp],
        weights: Floats,
        good: Floats,
        *,
        shares: Floats | None = None,
        spectra: Floats | None = None,
        groups: npt.NDArray[np.intp] | None = None,
        courses: Floats | None = None,
        vignetting: tuple[float, ...] = (0.0,),
        known: Floats | None = None,
    ) -> Counts:
        """Take the photons on good pixels with their weights; many are joined to about equal ones.

        ``weights`` has the shape (photons,), or (kinds, photons); ``spectra`` and ``courses`` (components,
        photons).
        """
        kept = good[row, column] > 0.0
        templates = weights[:, kept] if weights.ndim == 2 else None
        mean = weights[kept] if templates is None else np.average(templates, axis=0, weights=shares)
        photons = cls(
            column[kept], row[kept], np.ones(kept.sum()), good, mean,
            template_weights=templates, shares=shares,
            spectra=None if spectra is None else spectra[:, kept],
            groups=groups,
            courses=None if courses is None else courses[:, kept],
            vignetting=vignetting, known=known,
        )  # fmt: skip
        return photons if photons.number.size < _FEWEST_MERGED else photons.rebinned(1)

    def averaged_over_templates(self, probability: Floats) -> Counts:
        """Return them with the mean weight of the kinds, each with its probability."""
        return (
            self
            if self.template_weights is None
            else replace(self, weights=probability @ self.template_weights)
        )

    def against(self, density: Floats, overall: Floats) -> Counts:
        """Return them with their weights over something else than the reference of these.

        Parameters
        ----------
        density
            Of everything but the source at each entry's place, energy and time.
        overall
            Its mean over the good pixels, at each entry's energy and time.
        """
        weights = np.ones(self.number.size) if self.weights is None else self.weights
        return replace(
            self,
            weights=weights / density,
            template_weights=None if self.template_weights is None else self.template_weights / density,
            concentration=density / overall,
        )

    @property
    def positions_only(self) -> Counts:
        """The photons as if only their places counted: the source has the energies and times of all else."""
        if self.concentration is None:
            return replace(self, weights=None, template_weights=None)
        return replace(self, weights=1.0 / self.concentration, template_weights=None)

    @property
    def overall_weights(self) -> Floats | None:
        """Weights of the entries, were their places not known; None: 1 for all."""
        if self.weights is None or self.concentration is None:
            return self.weights
        return self.weights * self.concentration

    @cached_property
    def total(self) -> float:
        """Photons on good pixels."""
        return float(self.number.sum())

    @property
    def well_known(self) -> bool:
        """Whether the background's spectrum is known by at least as many photons as there are here."""
        return self.known is not None and bool(self.known.sum() >= self.total)

    @cached_property
    def area(self) -> float:
        """Good pixels."""
        return float(self.good.sum()) * self.block**2

    def cells(self, side: int) -> Floats:
        """Good pixels of cells of ``side`` x ``side`` blocks, ``[row, column]``."""
        if side not in self._cells:
            rows = self.good.reshape(self.good.shape[0] // side, side, -1).sum(axis=1)
            self._cells[side] = rows.reshape(len(rows), -1, side).sum(axis=2)
        return self._cells[side]

    @cached_property
    def _cells(self) -> dict[int, Floats]:
        return {}

    @cached_property
    def _complete(self) -> bool:
        return self.area == self.good.size * self.block**2

    def enclosed(self, row: Floats, column: Floats) -> Floats:
        """Part of the PSF on good pixels: ``row @ good @ column.T`` for stacked profiles (m, size)."""
        if self._complete:
            return np.asarray(np.multiply.outer(row.sum(axis=-1), column.sum(axis=-1)))
        return np.asarray(row @ self.good @ column.T)

    def profile(self, psf: SeparablePsf, centre: npt.ArrayLike) -> Floats:
        """PSF at the entries of a source at (x, y), over its mean on the good pixels; 0 if none is lit."""
        column, row = self.fractions(psf, centre)
        seen = float(self.enclosed(row, column)) / self.area
        if not seen > 0.0:
            return np.zeros(self.number.size)
        return np.asarray(column[self.column] * row[self.row] / seen)

    def images(self) -> tuple[Floats, int]:
        """Photons per block and power of two of the weight, ``[power, row, column]``; the lowest power.

        A photon between two powers is shared by both in proportion to its distance in ln w: that is exact
        to second order of it.
        """
        size = self.good.shape[0]
        place = self.row * size + self.column
        if self.weights is None:
            return np.bincount(place, self.number, size**2).astype(np.float64).reshape(1, size, size), 0
        lower, upper = _shares(self.weights)
        first = int(lower.min())
        layers = int(lower.max()) + 2 - first
        place = place + (lower - first) * size**2
        flat = np.bincount(place, self.number * (1.0 - upper), layers * size**2).astype(np.float64)
        flat += np.bincount(place + size**2, self.number * upper, layers * size**2)
        return flat.reshape(layers, size, size), first

    def numbers(self) -> Floats:
        """Photons by the power of two of their overall weight, the lowest first; shared as in ``images``."""
        low, high = WEIGHT_POWERS
        weights = self.overall_weights
        lower, upper = _shares(np.ones(self.number.size) if weights is None else weights)
        number = np.bincount(lower - low, self.number * (1.0 - upper), high + 1 - low).astype(np.float64)
        number += np.bincount(lower - low + 1, self.number * upper, high + 1 - low)
        return number

    def rebinned(self, factor: int) -> Counts:
        """Join ``factor`` x ``factor`` blocks into one, and photons of about the same weight.

        What is joined gets the mean weight, and that of each kind.
        """
        size = self.good.shape[0] // factor
        key = (self.row // factor) * size + self.column // factor
        if self.weights is None:
            flat = np.bincount(key, self.number).astype(np.float64)
            filled, weights, templates, spectra, courses = np.flatnonzero(flat), None, None, None, None
            concentration = None
            number = flat[filled]
        else:
            key = key + size**2 * self._alike()
            filled, entry = np.unique(key, return_inverse=True)
            number = np.bincount(entry, self.number).astype(np.float64)

            def mean(values: Floats) -> Floats:
                return np.asarray(np.bincount(entry, self.number * values) / number)

            weights = mean(self.weights)
            templates = (
                None
                if self.template_weights is None
                else np.stack([mean(one) for one in self.template_weights])
            )
            spectra = None if self.spectra is None else np.stack([mean(one) for one in self.spectra])
            courses = None if self.courses is None else np.stack([mean(one) for one in self.courses])
            concentration = None if self.concentration is None else mean(self.concentration)
        good = self.cells(factor) / factor**2
        row, column = np.divmod(filled % size**2, size)
        return Counts(
            column, row, number, good, weights, self.block * factor, templates, self.shares, spectra,
            self.groups, courses, concentration, self.vignetting, self.known,
        )  # fmt: skip

    def _alike(self) -> npt.NDArray[np.intp]:
        """Return a number for each entry, the same for those with about the same weight, energy and time."""
        step = np.zeros(self.number.size, dtype=np.intp) if self.weights is None else _steps(self.weights)
        # Two photons may have the same weight but not the same densities of the background's components.
        for densities in (self.spectra, self.courses):
            if densities is not None:
                step = step + (step.max() + 1) * _steps((1.0 + np.arange(len(densities))) @ densities)
        return step

    def fractions(self, psf: SeparablePsf, centre: npt.ArrayLike) -> Floats:
        """Part of the PSF's profile on each block of an axis, shape ``centre.shape + (size,)``."""
        pixels = psf.fractions(centre, self.good.shape[0] * self.block)
        return np.asarray(pixels.reshape(*pixels.shape[:-1], -1, self.block).sum(axis=-1))


def _shares(weights: Floats) -> tuple[npt.NDArray[np.intp], Floats]:
    """Return the power of two below each weight, and the part that the next one has of it, by ln w."""
    low, high = WEIGHT_POWERS
    power = np.clip(np.log2(np.maximum(weights, 2.0**low)), low, high)
    lower = np.minimum(np.floor(power).astype(np.intp), high - 1)
    return lower, power - lower


def _steps(values: Floats) -> npt.NDArray[np.intp]:
    """Return the logarithms of numbers in whole steps from the lowest one."""
    step = np.round(_WEIGHT_STEPS * np.log2(np.maximum(values, 2.0 ** WEIGHT_POWERS[0])))
    return np.asarray(step - step.min(), dtype=np.intp)
