"""Model of all photons of a field: the background and the sources found so far.

The density of the photons is

    L(position, energy, time) = b sum_g E_g(energy) G_g(position) C_g(time)
                                + sum_s f_s s_s(energy, time) p_s(position),

with b + sum_s f_s = 1. E, G and C are the spectrum, shape and light curve of the background (module
``background``) for each group g of components: those that do not come through the optics, and those that do,
which are constant in time. s and p are the spectral-temporal density and the PSF of each source. All
densities are relative to one that is flat in position, PHA and time. The fractions of all components are
fitted together. M is the mean of L over the good pixels, the density of energies and times; L / M is the
density of positions given energies and times. See section "Background and scene" of
``docs/explanation/localisation.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from mxtvhf.instrument.psf import SeparablePsf
from mxtvhf.localisation.background import background_shapes
from mxtvhf.localisation.constants import detection_constants
from mxtvhf.localisation.counts import Counts
from mxtvhf.localisation.likelihood import SourceFit
from mxtvhf.localisation.mixture import KnownSums, mixture_fractions
from mxtvhf.models.arrays import Floats

_MAX_ROUNDS = 6
"""Number of times that spectrum, shape and light curve of the background are fitted in turn."""
_CONVERGED = 0.02
"""A round with less gain of ln L ends the fit. The gain is checked after whole rounds only, since each factor
has its own prior, so that ln L varies within a round."""
_ENERGY, _PLACE, _TIME = range(3)
"""The three factors of the background density; ``kind`` is one of them."""
_NOTHING = 1e-300


@dataclass(frozen=True, eq=False)
class Factors:
    """Components of the background at the photons, for energy, position and time.

    Attributes
    ----------
    densities
        Density of each component at each entry, shape (components, entries).
    groups
        Group of each component, shape (components,); only the first group varies in time.
    """

    densities: tuple[Floats, Floats, Floats]
    groups: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.intp]]

    @classmethod
    def of(cls, counts: Counts) -> Factors:
        """Return the components at some photons.

        Parameters
        ----------
        counts
            Photons with the densities of the components in energy and time.
        """
        shapes = background_shapes(counts.column, counts.row, counts.good, counts.vignetting)
        number, size = len(shapes), counts.number.size
        spectra = np.ones((1, size)) if counts.spectra is None else counts.spectra
        courses = np.ones((1, size)) if counts.courses is None else counts.courses
        steady = np.ones((number - 1, size))
        return cls(
            (spectra, shapes.reshape(-1, size), np.vstack([courses, steady])),
            (
                np.zeros(len(spectra), np.intp) if counts.groups is None else counts.groups,
                np.repeat(np.arange(number), shapes.shape[1]),
                np.repeat(np.arange(number), [len(courses)] + (number - 1) * [1]),
            ),
        )

    @cached_property
    def members(self) -> tuple[Floats, ...]:
        """Return 1 for each component of a group, else 0, each of shape (groups, components)."""
        number = np.arange(self.groups[_PLACE].max() + 1)[:, np.newaxis]
        return tuple((groups == number).astype(np.float64) for groups in self.groups)


@dataclass(frozen=True, eq=False)
class SceneSource:
    """A source of the scene with its densities at the photons."""

    fit: SourceFit
    spectrum: Floats
    """s, density in energy and time."""
    place: Floats
    """p, PSF divided by its mean over the good pixels."""
    psf: SeparablePsf

    @cached_property
    def density(self) -> Floats:
        """Return s p at the photons."""
        return self.spectrum * self.place

    @classmethod
    def of(cls, counts: Counts, psf: SeparablePsf, fit: SourceFit) -> SceneSource:
        """Return the source of a fit.

        Parameters
        ----------
        counts
            Photons with their weights relative to the flat density.
        psf
            PSF of the source.
        fit
            Position and template probabilities of the source.
        """
        weights = (
            counts.weights
            if fit.template_probabilities is None
            else counts.averaged_over_templates(fit.template_probabilities).weights
        )
        spectrum = np.ones(counts.number.size) if weights is None else weights
        return cls(fit, spectrum, counts.profile(psf, (fit.x, fit.y)), psf)


@dataclass(frozen=True, eq=False)
class Scene:
    """Densities of all components at the photons, and their fractions.

    Attributes
    ----------
    counts
        Photons with their weights relative to the flat density.
    factors
        Components of the background at the photons.
    parts
        Fractions of the background components in energy (sum 1), in position and in time (sum 1 per group).
    background_fraction
        b, fraction of the background.
    source_fractions
        f, fraction of each source, shape (sources,).
    sources
        Sources in the order in which they were found.
    empty
        The fitted background without sources; None: this scene has none.
    last
        Last fitted fractions of the components of each factor and of the sources, from which the next fit of
        the factor starts; None: not fitted yet.
    """

    counts: Counts
    factors: Factors
    parts: tuple[Floats, Floats, Floats]
    background_fraction: float
    source_fractions: Floats
    sources: tuple[SceneSource, ...]
    empty: Scene | None = None
    last: tuple[Floats | None, ...] = (None, None, None)

    @classmethod
    def of_background(cls, counts: Counts) -> Scene:
        """Return the scene of a background without sources, fitted.

        Parameters
        ----------
        counts
            Photons with their weights relative to the flat density.
        """
        factors = Factors.of(counts)
        energy, place, time = (1.0 / np.bincount(groups)[groups] for groups in factors.groups)
        parts = (energy / energy.sum(), place, time)
        return cls(counts, factors, parts, 1.0, np.zeros(0), ()).fitted()

    def with_sources(self, sources: tuple[SceneSource, ...], parts: Floats) -> Scene:
        """Return the scene with other sources, fitted.

        Parameters
        ----------
        sources
            All sources of the new scene.
        parts
            Their fractions at the start of the fit, shape (sources,).
        """
        return replace(
            self, sources=sources, source_fractions=parts, background_fraction=max(1.0 - parts.sum(), 0.0),
            empty=self.empty or self,
        ).fitted()  # fmt: skip

    def fitted(self) -> Scene:
        """Return the scene with the fractions of all components fitted to the photons."""
        kinds = [kind for kind, densities in enumerate(self.factors.densities) if len(densities) > 1]
        scene = self
        for _ in range(_MAX_ROUNDS):
            before = scene.log_likelihood
            for kind in kinds:
                scene = scene._with_parts(kind)
            # The fit of a single factor is complete.
            if len(kinds) == 1 or scene.log_likelihood < before + _CONVERGED:
                break
        return scene

    def _with_parts(self, kind: int) -> Scene:
        """Return the scene with the fractions of one factor of the background, and of the sources, fitted."""
        own = self._own_parts(kind)
        densities = [self._background_densities(kind), *(source.density for source in self.sources)]
        start = self.last[kind]
        if start is None or start.size != own.size + len(self.sources):
            start = np.concatenate([self.background_fraction * own, self.source_fractions])
        fitted = mixture_fractions(
            np.vstack(densities), self.counts.number, self._expected(kind), start, self._known_sums(kind)
        )
        last = (*self.last[:kind], fitted, *self.last[kind + 1 :])
        background = float(fitted[: own.size].sum())
        if not background > _NOTHING:
            return replace(self, background_fraction=0.0, source_fractions=fitted[own.size :], last=last)
        return replace(
            self,
            last=last,
            parts=self._parts_with(kind, fitted[: own.size] / background),
            background_fraction=background,
            source_fractions=fitted[own.size :],
        )

    def _own_parts(self, kind: int) -> Floats:
        """Return the fractions of the components of a factor.

        In position and time they are multiplied by the fraction of their group.
        """
        if kind == _ENERGY:
            return self.parts[kind]
        return np.asarray(self.parts[kind] * self._group_parts[self.factors.groups[kind]])

    def _parts_with(self, kind: int, fitted: Floats) -> tuple[Floats, Floats, Floats]:
        spectrum, shape, course = self.parts
        if kind == _ENERGY:
            return fitted, shape, course
        groups = self.factors.groups[kind]
        total = np.bincount(groups, fitted)
        fitted = fitted / np.maximum(total, _NOTHING)[groups]
        spectrum = spectrum * (total / np.maximum(self._group_parts, _NOTHING))[self.factors.groups[_ENERGY]]
        spectrum = spectrum / spectrum.sum()
        return (spectrum, fitted, course) if kind == _PLACE else (spectrum, shape, fitted)

    def _expected(self, kind: int) -> Floats:
        """Return the prior photons of each component of a factor."""
        trust = detection_constants().background
        if kind == _ENERGY:
            known = 0.0 if self.counts.known is None else self.counts.known
            return np.full(self.parts[_ENERGY].size, trust.photons_per_component) + known
        groups = self.factors.groups[kind]
        photons = trust.photons_flat if kind == _PLACE else trust.photons_steady
        # The first component of each group is the expected one.
        return np.where(np.diff(groups, prepend=-1) > 0, photons * self._group_parts[groups], 0.0)

    def _known_sums(self, kind: int) -> KnownSums | None:
        """Return the prior photons of the groups; None for the spectrum, whose components have their own."""
        known = self.counts.known
        if known is None or kind == _ENERGY:
            return None
        members = self.factors.members
        of_sources = np.zeros((len(self.sources), len(members[kind])))
        return KnownSums(np.vstack([members[kind].T, of_sources]), members[_ENERGY] @ known)

    def _background_densities(self, kind: int) -> Floats:
        """Return the densities of the components of a factor, times those of the other two factors."""
        one, other = (self._of_groups[each] for each in (_ENERGY, _PLACE, _TIME) if each != kind)
        rest = one * other
        if kind != _ENERGY:
            # The components of each group then have a mean density of 1, like all others.
            rest /= np.maximum(self._group_parts, _NOTHING)[:, np.newaxis]
        return np.asarray(self.factors.densities[kind] * rest[self.factors.groups[kind]])

    @cached_property
    def _group_parts(self) -> Floats:
        """Return the fraction of each group of the background."""
        return np.asarray(self.factors.members[_ENERGY] @ self.parts[_ENERGY])

    @cached_property
    def _of_groups(self) -> tuple[Floats, Floats, Floats]:
        """Return E times the group fraction, G and C of each group, each of shape (groups, entries)."""
        energy, place, time = (
            (members * parts) @ densities
            for members, parts, densities in zip(
                self.factors.members, self.parts, self.factors.densities, strict=True
            )
        )
        return energy, place, time

    @cached_property
    def source_density(self) -> Floats:
        """Return the summed density of all sources at the photons, including their fractions."""
        total = np.zeros(self.counts.number.size)
        for part, source in zip(self.source_fractions, self.sources, strict=True):
            total += part * source.density
        return total

    @cached_property
    def density(self) -> Floats:
        """Return L at the photons."""
        energy, place, time = self._of_groups
        return np.asarray(
            self.background_fraction * (energy * place * time).sum(axis=0) + self.source_density
        )

    @cached_property
    def overall(self) -> Floats:
        """Return M at the photons."""
        energy, _, time = self._of_groups
        total = self.background_fraction * (energy * time).sum(axis=0)
        for part, source in zip(self.source_fractions, self.sources, strict=True):
            total = total + part * source.spectrum
        return np.asarray(total)

    @cached_property
    def log_likelihood(self) -> float:
        """Return the sum of ln L over the photons."""
        return float(self.counts.number @ np.log(self.density))

    def log_likelihood_with(self, sources: Sequence[SceneSource]) -> float:
        """Return the highest ln L with further sources, this scene itself unchanged but for its fraction.

        Parameters
        ----------
        sources
            Further sources; only their fractions are fitted.
        """
        densities = np.vstack([self.density, *(source.density for source in sources)])
        parts = mixture_fractions(densities, self.counts.number, np.zeros(1))
        return float(self.counts.number @ np.log(parts @ densities))

    @cached_property
    def positional_log_likelihood(self) -> float:
        """Return the sum of ln(L / M): the log-likelihood of the positions given energies and times."""
        return self.log_likelihood - float(self.counts.number @ np.log(self.overall))

    @cached_property
    def gain_when_free(self) -> float:
        """Return twice the gain of ln L when the known background spectrum is ignored; 0 if none is known."""
        if self.counts.known is None:
            return 0.0
        free = replace(self, counts=replace(self.counts, known=None)).fitted()
        return 2.0 * (free.log_likelihood - self.log_likelihood)

    def without(self, index: int) -> Scene:
        """Return the scene without one of its sources, the other fractions rescaled but not fitted.

        Parameters
        ----------
        index
            Index of the source.
        """
        kept = [k for k in range(len(self.sources)) if k != index]
        rest = 1.0 - self.source_fractions[index]
        return replace(
            self,
            sources=tuple(self.sources[k] for k in kept),
            source_fractions=self.source_fractions[kept] / rest,
            background_fraction=self.background_fraction / rest,
        )

    def refitted_without(self, index: int) -> Scene:
        """Return the scene without one of its sources, fitted.

        Parameters
        ----------
        index
            Index of the source.
        """
        if len(self.sources) == 1 and self.empty is not None:
            return self.empty
        return self.without(index).fitted()

    @property
    def photons_to_explain(self) -> Counts:
        """Return the photons with their weights relative to the scene, for the search of one more source."""
        return self.counts.against(self.density, self.overall)
