"""Photons as the likelihood uses them: counts per pixel and photon weight.

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
"""Lowest and highest power of two of the weight that the whole-field map distinguishes."""

_FEWEST_MERGED = 4000
"""Below this number each photon is kept separately, with its exact weight."""

_WEIGHT_STEPS = 8
"""Steps per power of two into which the weights of many photons are grouped."""

_UNWEIGHTED = ("total", "area", "_complete", "_cells")
"""Cached properties that do not depend on the weights."""


@dataclass(frozen=True, eq=False)
class Counts:
    """Photons per pixel, or per block of ``block`` x ``block`` pixels, and per weight.

    An entry is a group of photons in the same block with nearly the same weight, energy and time.

    Attributes
    ----------
    column, row, number
        Block address (0-based) of each entry, and its number of photons; shape (entries,).
    good
        Exposed fraction of each block, 0..1: good pixels per pixel, times their fraction of the exposure;
        shape (size, size).
    weights
        Photon weights of the entries (w of module ``likelihood``), shape (entries,); None: 1 for all.
    block
        Pixels per side of a block.
    template_weights
        Photon weights for each source template, shape (templates, entries); ``weights`` is an average of
        them. None with one template.
    shares
        Prior probability of each template, shape (templates,); None: all are equal.
    spectra
        Densities of the spectral components of the background at the energies of the entries, shape
        (components, entries), see module ``background``; None: energies are not used.
    groups, vignetting
        Group of each spectral component, numbered from 0, and the vignetting of each group; see
        ``background.BackgroundDensities``.
    courses
        Densities of the light curves of the background at the times of the entries, shape (components,
        entries); None: times are not used.
    concentration
        Density of everything but the source at the pixel of an entry, divided by its mean over the good
        pixels, for the energy and time of the entry, shape (entries,); see module ``likelihood``. None: 1 for
        all.
    known
        Prior photons of the spectral components of the background, shape (components,); None: their fractions
        are unknown.
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
        """Return the photons of a detector image that lie on good pixels, without weights.

        Parameters
        ----------
        image
            Photons per pixel, ``[row, column]``.
        good
            Exposed fraction of each pixel, 0..1, the same shape.
        """
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
        """Return the photons that lie on good pixels, with their weights; many are grouped by similar weight.

        Parameters
        ----------
        column, row
            Pixel addresses, shape (photons,).
        weights
            Photon weights relative to a flat density, shape (photons,) or (templates, photons).
        good
            Exposed fraction of each pixel, 0..1, ``[row, column]``.
        shares
            Prior probability of each template, shape (templates,); None: all are equal.
        spectra
            Densities of the background components in energy, shape (components, photons); None: not used.
        groups
            Group of each spectral component, shape (components,); None: all are in one group.
        courses
            Densities of the background components in time, the same way.
        vignetting
            Vignetting of each group.
        known
            Prior photons of the spectral components, shape (components,); None: their fractions are unknown.
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
        """Return the photons with their weights averaged over the source templates.

        Parameters
        ----------
        probability
            Probability of each template, shape (templates,).
        """
        return (
            self
            if self.template_weights is None
            else self._reweighted(weights=probability @ self.template_weights)
        )

    def against(self, density: Floats, overall: Floats) -> Counts:
        """Return the photons with their weights relative to another density than the present one.

        Parameters
        ----------
        density
            Density of everything but the source at the pixel, energy and time of each entry.
        overall
            Its mean over the good pixels, at the energy and time of each entry.
        """
        weights = np.ones(self.number.size) if self.weights is None else self.weights
        return self._reweighted(
            weights=weights / density,
            template_weights=None if self.template_weights is None else self.template_weights / density,
            concentration=density / overall,
        )

    @property
    def positions_only(self) -> Counts:
        """Return the photons with weights for their positions only.

        The source then has the energies and times of everything else.
        """
        if self.concentration is None:
            return self._reweighted(weights=None, template_weights=None)
        return self._reweighted(weights=1.0 / self.concentration, template_weights=None)

    def _reweighted(self, **changes: Floats | None) -> Counts:
        """Return the photons with other weights; the sums over photons and pixels are not computed again."""
        other = replace(self, **changes)  # type: ignore[arg-type]
        vars(other).update({name: vars(self)[name] for name in _UNWEIGHTED if name in vars(self)})
        return other

    @property
    def overall_weights(self) -> Floats | None:
        """Return the weights averaged over the positions, v of module ``likelihood``; None: 1 for all."""
        if self.weights is None or self.concentration is None:
            return self.weights
        return self.weights * self.concentration

    @cached_property
    def total(self) -> float:
        """Return the number of photons on good pixels."""
        return float(self.number.sum())

    @property
    def well_known(self) -> bool:
        """Return whether the background spectrum has at least as many prior photons as this field has."""
        return self.known is not None and bool(self.known.sum() >= self.total)

    @cached_property
    def area(self) -> float:
        """Return the sum of the exposed fractions, in pixels: A of module ``likelihood``."""
        return float(self.good.sum()) * self.block**2

    def cells(self, side: int) -> Floats:
        """Return the sum of the exposed fractions in cells of ``side`` x ``side`` blocks, ``[row, column]``.

        Parameters
        ----------
        side
            Blocks per side of a cell.
        """
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
        """Return the fraction of the PSF on good pixels: D of module ``likelihood``.

        Parameters
        ----------
        row, column
            PSF profiles along the axes, as from ``fractions``, shape (m, size) and (k, size) or (size,).

        Returns
        -------
        numpy.ndarray
            ``row @ good @ column.T``, shape (m, k).
        """
        if self._complete:
            return np.asarray(np.multiply.outer(row.sum(axis=-1), column.sum(axis=-1)))
        return np.asarray(row @ self.good @ column.T)

    def profile(self, psf: SeparablePsf, centre: npt.ArrayLike) -> Floats:
        """Return the PSF at the entries divided by its mean over the good pixels.

        It is 0 everywhere if no photon of the source falls on a good pixel.

        Parameters
        ----------
        psf
            PSF of the source.
        centre
            Position (x, y) of the source, continuous 0-based pixels.
        """
        column, row = self.fractions(psf, centre)
        seen = float(self.enclosed(row, column)) / self.area
        if not seen > 0.0:
            return np.zeros(self.number.size)
        return np.asarray(column[self.column] * row[self.row] / seen)

    def images(self, side: int = 1) -> tuple[Floats, int]:
        """Return the photons per cell and power of two of the weight, and the lowest power.

        A photon whose weight lies between two powers is shared between both, linearly in ln w; the error of
        this interpolation is of second order in the step.

        Parameters
        ----------
        side
            Blocks per side of a cell.

        Returns
        -------
        images, lowest
            Shape (powers, size, size), ``[power, row, column]``; the exponent of the first image.
        """
        size = self.good.shape[0] // side
        place = self.row // side * size + self.column // side
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
        """Return the photons per power of two of their overall weight, the lowest first.

        Photons between two powers are shared as in ``images``.
        """
        low, high = WEIGHT_POWERS
        weights = self.overall_weights
        lower, upper = _shares(np.ones(self.number.size) if weights is None else weights)
        number = np.bincount(lower - low, self.number * (1.0 - upper), high + 1 - low).astype(np.float64)
        number += np.bincount(lower - low + 1, self.number * upper, high + 1 - low)
        return number

    def rebinned(self, factor: int) -> Counts:
        """Return the photons in larger blocks, with entries of similar weight, energy and time merged.

        A merged entry has the mean weight of its photons, also for each template, and the mean densities of
        the background components. To first order this leaves ln L unchanged, because the sum of the weights
        is kept; see section "Rebinning" of ``docs/explanation/localisation.md``.

        Parameters
        ----------
        factor
            Blocks per side that become one block; it divides the number of blocks.
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
        """Return group numbers that are equal for entries of nearly the same weight, energy and time."""
        step = np.zeros(self.number.size, dtype=np.intp) if self.weights is None else _steps(self.weights)
        # Photons of the same weight may differ in the densities of the background components.
        for densities in (self.spectra, self.courses):
            if densities is not None:
                step = step + (step.max() + 1) * _steps((1.0 + np.arange(len(densities))) @ densities)
        return step

    def fractions(self, psf: SeparablePsf, centre: npt.ArrayLike) -> Floats:
        """Return the fraction of the PSF profile on each block of an axis.

        Parameters
        ----------
        psf
            PSF of the source.
        centre
            Coordinates of the source along the axis, continuous 0-based pixels, any shape.

        Returns
        -------
        numpy.ndarray
            Shape ``centre.shape + (size,)``.
        """
        pixels = psf.fractions(centre, self.good.shape[0] * self.block)
        return np.asarray(pixels.reshape(*pixels.shape[:-1], -1, self.block).sum(axis=-1))


def _shares(weights: Floats) -> tuple[npt.NDArray[np.intp], Floats]:
    """Return the exponent of the power of two below each weight, and the fraction for the next one."""
    low, high = WEIGHT_POWERS
    power = np.clip(np.log2(np.maximum(weights, 2.0**low)), low, high)
    lower = np.minimum(np.floor(power).astype(np.intp), high - 1)
    return lower, power - lower


def _steps(values: Floats) -> npt.NDArray[np.intp]:
    """Return the logarithms of numbers as whole steps above the lowest one."""
    step = np.round(_WEIGHT_STEPS * np.log2(np.maximum(values, 2.0 ** WEIGHT_POWERS[0])))
    return np.asarray(step - step.min(), dtype=np.intp)
