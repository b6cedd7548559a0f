"""Everything that the photons came from: the background and the sources found so far.

The photons have the density

    L(place, energy, time) = b sum_g E_g(energy) G_g(place) C_g(time)
                             + sum_s f_s s_s(energy, time) p_s(place),

with b + sum f = 1: E, G and C are the background's spectrum, shape and course (module ``background``) for
each group of components, those beside the optics and those through them, which are steady in time; s and p
are those of each source. All are over a density that is flat in place, pulse height and time. The parts of
all components are fitted to the photons together. M is the mean of L over the good pixels, the density of
energies and times alone; L / M is that of places, energies and times given.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from mxtvhf.instrument.psf import SeparablePsf
from mxtvhf.localisation.background import background_shapes
from mxtvhf.localisation.constants import detection_constants
from mxtvhf.localisation.counts import Counts
from mxtvhf.localisation.likelihood import SourceFit
from mxtvhf.localisation.mixture import KnownSums, mixture_parts
from mxtvhf.models.arrays import Floats

_MAX_ROUNDS = 6
"""In which the background's spectrum, shape and course are fitted in turn."""
_CONVERGED = 0.02
"""A round with less gain of ln L is the last one."""
_ENERGY, _PLACE, _TIME = range(3)
"""Kinds of the background's components."""
_FLAT: Floats = np.ones(1)
_NOTHING = 1e-300


@dataclass(frozen=True, eq=False)
class SceneSource:
    """A source of the scene: its densities at the photons."""

    fit: SourceFit
    spectrum: Floats
    """s, in energy and time."""
    place: Floats
    """p, over its mean on the good pixels."""
    psf: SeparablePsf

    @cached_property
    def density(self) -> Floats:
        """Return s p at the photons."""
        return self.spectrum * self.place

    @classmethod
    def of(cls, counts: Counts, psf: SeparablePsf, fit: SourceFit) -> SceneSource:
        """Return the source of a fit to photons whose weights are over the flat density."""
        weights = (
            counts.weights
            if fit.template_probabilities is None
            else counts.averaged_over_templates(fit.template_probabilities).weights
        )
        spectrum = np.ones(counts.number.size) if weights is None else weights
        return cls(fit, spectrum, counts.profile(psf, (fit.x, fit.y)), psf)


@dataclass(frozen=True, eq=False)
class Scene:
    """The densities of all components at the photons, and their parts.

    Attributes
    ----------
    counts
        The photons, with their weights over the flat density.
    shapes
        Of the background, see ``background.background_shapes``.
    parts
        Of the background's components in energy, their sum 1; in place and in time, the sum 1 for each group.
    background_part
        b.
    source_parts
        f, shape (sources,).
    sources
        In the order in which they were found.
    """

    counts: Counts
    shapes: Floats
    parts: tuple[Floats, Floats, Floats]
    background_part: float
    source_parts: Floats
    sources: tuple[SceneSource, ...]

    @classmethod
    def of_background(cls, counts: Counts) -> Scene:
        """Fit the background alone."""
        shapes = background_shapes(counts.column, counts.row, counts.good, counts.vignetting)
        scene = cls(counts, shapes, (_FLAT, _FLAT, _FLAT), 1.0, np.zeros(0), ())
        energy, place, time = (1.0 / np.bincount(groups)[groups] for groups in scene._groups)
        return replace(scene, parts=(energy / energy.sum(), place, time)).fitted()

    def with_sources(self, sources: tuple[SceneSource, ...], parts: Floats) -> Scene:
        """Fit the background and these sources, from about these parts on."""
        return replace(
            self, sources=sources, source_parts=parts, background_part=max(1.0 - parts.sum(), 0.0)
        ).fitted()

    def fitted(self) -> Scene:
        """Return it with the parts of all its components fitted to the photons."""
        scene, best = self, -np.inf
        for _ in range(_MAX_ROUNDS):
            for kind, densities in enumerate(scene._densities):
                if len(densities) > 1 or (kind == _ENERGY and self.sources):
                    scene = scene._with_parts(kind)
            if scene.log_likelihood < best + _CONVERGED:
                break
            best = scene.log_likelihood
        return scene

    def _with_parts(self, kind: int) -> Scene:
        """Fit the parts of the background's components of one kind, and of the sources."""
        own = self._own_parts(kind)
        densities = [self._background_densities(kind), *(source.density for source in self.sources)]
        start = np.concatenate([self.background_part * own, self.source_parts])
        fitted = mixture_parts(
            np.vstack(densities), self.counts.number, self._expected(kind), start, self._known_sums(kind)
        )
        background = float(fitted[: own.size].sum())
        if not background > _NOTHING:
            return replace(self, background_part=0.0, source_parts=fitted[own.size :])
        return replace(
            self,
            parts=self._parts_with(kind, fitted[: own.size] / background),
            background_part=background,
            source_parts=fitted[own.size :],
        )

    def _own_parts(self, kind: int) -> Floats:
        """Return the parts of the components of a kind; in place and time with the part of their group."""
        if kind == _ENERGY:
            return self.parts[kind]
        return np.asarray(self.parts[kind] * self._group_parts[self._groups[kind]])

    def _parts_with(self, kind: int, fitted: Floats) -> tuple[Floats, Floats, Floats]:
        spectrum, shape, course = self.parts
        if kind == _ENERGY:
            return fitted, shape, course
        groups = self._groups[kind]
        total = np.bincount(groups, fitted)
        fitted = fitted / np.maximum(total, _NOTHING)[groups]
        spectrum = spectrum * (total / np.maximum(self._group_parts, _NOTHING))[self._groups[_ENERGY]]
        spectrum = spectrum / spectrum.sum()
        return (spectrum, fitted, course) if kind == _PLACE else (spectrum, shape, fitted)

    def _expected(self, kind: int) -> Floats:
        """Return the photons that count as seen of each component beforehand."""
        trust = detection_constants().background
        if kind == _ENERGY:
            known = 0.0 if self.counts.known is None else self.counts.known
            return np.full(self.parts[_ENERGY].size, trust.photons_per_component) + known
        groups = self._groups[kind]
        photons = trust.photons_flat if kind == _PLACE else trust.photons_steady
        # The first component of each group is the one that is expected.
        return np.where(np.diff(groups, prepend=-1) > 0, photons * self._group_parts[groups], 0.0)

    def _known_sums(self, kind: int) -> KnownSums | None:
        """Return what is known beforehand of the groups' parts: in energy it is known of each component."""
        known = self.counts.known
        if known is None or kind == _ENERGY:
            return None
        number = np.arange(len(self.shapes))
        members = np.zeros((self._groups[kind].size + len(self.sources), number.size))
        members[: self._groups[kind].size] = self._groups[kind][:, np.newaxis] == number
        return KnownSums(members, np.bincount(self._groups[_ENERGY], known, number.size).astype(np.float64))

    def _background_densities(self, kind: int) -> Floats:
        """Return the densities of the components of a kind, with what the others have now."""
        one, other = (self._of_groups[each] for each in (_ENERGY, _PLACE, _TIME) if each != kind)
        rest = one * other
        if kind != _ENERGY:
            # Each group's components have the density 1 on the average, as all others have.
            rest /= np.maximum(self._group_parts, _NOTHING)[:, np.newaxis]
        return np.asarray(self._densities[kind] * rest[self._groups[kind]])

    @cached_property
    def _densities(self) -> tuple[Floats, Floats, Floats]:
        """Of the background's components in energy, place and time, at the photons."""
        size = self.counts.number.size
        spectra, courses = self.counts.spectra, self.counts.courses
        steady = np.ones((len(self.shapes) - 1, size))
        return (
            np.ones((1, size)) if spectra is None else spectra,
            self.shapes.reshape(-1, size),
            np.vstack([np.ones((1, size)) if courses is None else courses, steady]),
        )

    @cached_property
    def _groups(self) -> tuple[npt.NDArray[np.intp], ...]:
        """Group of each component in energy, place and time; only the first group varies in time."""
        energy, place, time = (len(densities) for densities in self._densities)
        number, groups = len(self.shapes), self.counts.groups
        return (
            np.zeros(energy, np.intp) if groups is None else groups,
            np.repeat(np.arange(number), place // number),
            np.repeat(np.arange(number), [time - number + 1] + (number - 1) * [1]),
        )

    @cached_property
    def _group_parts(self) -> Floats:
        """Part of each group of the background."""
        parts = np.bincount(self._groups[_ENERGY], self.parts[_ENERGY], len(self.shapes))
        return np.asarray(parts, np.float64)

    @cached_property
    def _of_groups(self) -> tuple[Floats, Floats, Floats]:
        """E, with the part of the group, G and C of each group at the photons, shape (groups, entries)."""
        number = np.arange(len(self.shapes))[:, np.newaxis]
        energy, place, time = (
            ((groups == number) * parts) @ densities
            for groups, parts, densities in zip(self._groups, self.parts, self._densities, strict=True)
        )
        return energy, place, time

    @cached_property
    def source_density(self) -> Floats:
        """Of all sources, with their parts."""
        total = np.zeros(self.counts.number.size)
        for part, source in zip(self.source_parts, self.sources, strict=True):
            total += part * source.density
        return total

    @cached_property
    def density(self) -> Floats:
        """L at the photons."""
        energy, place, time = self._of_groups
        return np.asarray(self.background_part * (energy * place * time).sum(axis=0) + self.source_density)

    @cached_property
    def overall(self) -> Floats:
        """M at the photons."""
        energy, _, time = self._of_groups
        total = self.background_part * (energy * time).sum(axis=0)
        for part, source in zip(self.source_parts, self.sources, strict=True):
            total = total + part * source.spectrum
        return np.asarray(total)

    @cached_property
    def log_likelihood(self) -> float:
        """Sum of ln L over the photons."""
        return float(self.counts.number @ np.log(self.density))

    @cached_property
    def positional_log_likelihood(self) -> float:
        """Sum of ln (L / M), the likelihood of the places with energies and times given."""
        return self.log_likelihood - float(self.counts.number @ np.log(self.overall))

    @cached_property
    def gain_when_free(self) -> float:
        """Twice what ln L gains when nothing is known of the background's spectrum; 0 where that is so."""
        if self.counts.known is None:
            return 0.0
        free = replace(self, counts=replace(self.counts, known=None)).fitted()
        return 2.0 * (free.log_likelihood - self.log_likelihood)

    def without(self, index: int) -> Scene:
        """Return what is left without one of the sources, with the parts that the others have now."""
        kept = [k for k in range(len(self.sources)) if k != index]
        rest = 1.0 - self.source_parts[index]
        return replace(
            self,
            sources=tuple(self.sources[k] for k in kept),
            source_parts=self.source_parts[kept] / rest,
            background_part=self.background_part / rest,
        )

    @property
    def photons_to_explain(self) -> Counts:
        """The photons with their weights over the scene: for the search of one more source."""
        return self.counts.against(self.density, self.overall)
