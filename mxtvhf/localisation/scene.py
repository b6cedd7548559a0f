"""Everything that the photons came from: the background and the sources found so far.

The photons have the density

    L(place, energy, time) = b C(time) sum_g E_g(energy) G_g(place) + sum_s f_s s_s(energy, time) p_s(place),

with b + sum f = 1: E, G and C are the background's spectrum, shape and course (module ``background``), the
first two for each group of components, those through the optics and those beside them; s and p are those of
each source. All are over a density that is flat in place, pulse height and time. The parts of all components
are fitted to the photons together. M is the mean of L over the good pixels, the density of energies and times
alone; L / M is that of places, energies and times given.
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
from mxtvhf.localisation.mixture import mixture_parts
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
        weights = counts.weights if fit.kinds is None else counts.of_kind(fit.kinds).weights
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
        Of the background's components in energy, in place (for each group, shape (groups, shapes)) and in
        time, each with the sum 1.
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
        shapes = background_shapes(counts.column, counts.row, counts.good)
        scene = cls(counts, shapes, (_FLAT, _FLAT[np.newaxis], _FLAT), 1.0, np.zeros(0), ())
        spectrum, shape, course = (np.full(len(one), 1.0 / len(one)) for one in scene._densities)
        groups = 1 if counts.groups is None else int(counts.groups.max()) + 1
        return replace(scene, parts=(spectrum, np.tile(shape, (groups, 1)), course)).fitted()

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
        fitted = mixture_parts(np.vstack(densities), self.counts.number, self._expected(kind), start)
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
        """Return the parts of the components of a kind; in place those of each group, with its part."""
        if kind != _PLACE:
            return self.parts[kind]
        return (self.parts[_PLACE] * self._group_parts[:, np.newaxis]).ravel()

    def _parts_with(self, kind: int, fitted: Floats) -> tuple[Floats, Floats, Floats]:
        spectrum, shape, course = self.parts
        if kind == _ENERGY:
            return fitted, shape, course
        if kind == _TIME:
            return spectrum, shape, fitted
        by_group = fitted.reshape(shape.shape)
        total = by_group.sum(axis=1)
        shape = by_group / np.maximum(total, _NOTHING)[:, np.newaxis]
        spectrum = spectrum * (total / np.maximum(self._group_parts, _NOTHING))[self._groups]
        return spectrum / spectrum.sum(), shape, course

    def _expected(self, kind: int) -> Floats:
        """Return the photons that count as seen of each component beforehand."""
        trust = detection_constants().background
        if kind == _ENERGY:
            return np.full(self.parts[_ENERGY].size, trust.photons_per_component)
        expected = np.zeros(self.parts[kind].shape)
        expected[..., 0] = trust.photons_steady
        if kind == _PLACE:
            expected[:, 0] = trust.photons_flat * self._group_parts
        return expected.ravel()

    def _background_densities(self, kind: int) -> Floats:
        """Return the densities of the components of a kind, with what the others have now."""
        if kind == _TIME:
            return np.asarray(self._densities[_TIME] * (self._group_spectra * self._group_shapes).sum(axis=0))
        if kind == _ENERGY:
            return np.asarray(self._densities[_ENERGY] * self._group_shapes[self._groups] * self._course)
        each = self._group_spectra[:, np.newaxis] * self._densities[_PLACE] * self._course
        # Each group's components have the density 1 on the average, as all others have.
        each /= np.maximum(self._group_parts, _NOTHING)[:, np.newaxis, np.newaxis]
        return np.asarray(each.reshape(-1, self.counts.number.size))

    @cached_property
    def _densities(self) -> tuple[Floats, Floats, Floats]:
        """Of the background's components in energy, place and time, at the photons."""
        ones = np.ones((1, self.counts.number.size))
        spectra, courses = self.counts.spectra, self.counts.courses
        return ones if spectra is None else spectra, self.shapes, ones if courses is None else courses

    @property
    def _groups(self) -> npt.NDArray[np.intp]:
        """Group of each component in energy: those of a group have one shape."""
        groups = self.counts.groups
        return np.zeros(self.parts[_ENERGY].size, np.intp) if groups is None else groups

    @cached_property
    def _group_parts(self) -> Floats:
        """Part of each group of the background."""
        return np.asarray(np.bincount(self._groups, self.parts[_ENERGY], len(self.parts[_PLACE])), np.float64)

    @cached_property
    def _group_spectra(self) -> Floats:
        """Of each group at the photons, with its part, shape (groups, entries)."""
        member = self._groups == np.arange(len(self.parts[_PLACE]))[:, np.newaxis]
        return np.asarray((member * self.parts[_ENERGY]) @ self._densities[_ENERGY])

    @cached_property
    def _group_shapes(self) -> Floats:
        """G of each group at the photons, shape (groups, entries)."""
        return np.asarray(self.parts[_PLACE] @ self.shapes)

    @cached_property
    def _course(self) -> Floats:
        """C at the photons."""
        return np.asarray(self.parts[_TIME] @ self._densities[_TIME])

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
        background = (self._group_spectra * self._group_shapes).sum(axis=0) * self._course
        return np.asarray(self.background_part * background + self.source_density)

    @cached_property
    def overall(self) -> Floats:
        """M at the photons."""
        total = self.background_part * self._group_spectra.sum(axis=0) * self._course
        for part, source in zip(self.source_parts, self.sources, strict=True):
            total = total + part * source.spectrum
        return np.asarray(total)

    @cached_property
    def log_likelihood(self) -> float:
        """Sum of ln L over the photons."""
        return float(self.counts.number @ np.log(self.density))

    @cached_property
    def log_likelihood_of_places(self) -> float:
        """Sum of ln (L / M), the likelihood of the places with energies and times given."""
        return self.log_likelihood - float(self.counts.number @ np.log(self.overall))

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
