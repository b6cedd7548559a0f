"""Everything that the photons came from: the background and the sources found so far.

The photons have the density

    L(place, energy, time) = b E(energy) G(place) C(time) + sum_s f_s s_s(energy, time) p_s(place),

with b + sum f = 1: E, G and C are the background's spectrum, shape and course (module ``background``), s
and p those of each source; all are over a density that is flat in place, pulse height and time. The parts of
all components are fitted to the photons together. M is the mean of L over the good pixels, the density of
energies and times alone; L / M is that of places, energies and times given.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

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


@dataclass(frozen=True, eq=False)
class SceneSource:
    """A source of the scene: its densities at the photons."""

    fit: SourceFit
    spectrum: Floats
    """s, in energy and time."""
    place: Floats
    """p, over its mean on the good pixels."""

    @cached_property
    def density(self) -> Floats:
        """Return s p at the photons."""
        return self.spectrum * self.place

    @classmethod
    def of(cls, counts: Counts, psf: SeparablePsf, fit: SourceFit) -> SceneSource:
        """Return the source of a fit to photons whose weights are over the flat density."""
        column, row = counts.fractions(psf, (fit.x, fit.y))
        seen = float(counts.seen(row, column)) / counts.area
        weights = counts.weights if fit.kinds is None else counts.of_kind(fit.kinds).weights
        spectrum = np.ones(counts.number.size) if weights is None else weights
        return cls(fit, spectrum, column[counts.column] * row[counts.row] / seen)


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
        Of the background's components in energy, place and time, each with the sum 1.
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
        scene = cls(counts, shapes, (_FLAT, _FLAT, _FLAT), 1.0, np.zeros(0), ())
        spectrum, shape, course = (np.full(len(one), 1.0 / len(one)) for one in scene._densities)
        return replace(scene, parts=(spectrum, shape, course)).fitted()

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
        own = self.parts[kind]
        others = [self._factors[other] for other in range(len(self.parts)) if other != kind]
        densities = [self._densities[kind] * np.prod(others, axis=0), *(one.density for one in self.sources)]
        expected = np.zeros(own.size + len(self.sources))
        trust = detection_constants().background
        if kind == _ENERGY:
            expected[: own.size] = trust.photons_per_component
        else:
            expected[0] = trust.photons_flat if kind == _PLACE else trust.photons_steady
        start = np.concatenate([self.background_part * own, self.source_parts])
        fitted = mixture_parts(np.vstack(densities), self.counts.number, expected, start)
        # What is expected of the background has seen photons beforehand: the sum does not vanish.
        background = float(fitted[: own.size].sum())
        parts = list(self.parts)
        parts[kind] = fitted[: own.size] / background
        return replace(
            self,
            parts=(parts[0], parts[1], parts[2]),
            background_part=background,
            source_parts=fitted[own.size :],
        )

    @cached_property
    def _densities(self) -> tuple[Floats, Floats, Floats]:
        """Of the background's components in energy, place and time, at the photons."""
        ones = np.ones((1, self.counts.number.size))
        spectra, courses = self.counts.spectra, self.counts.courses
        return ones if spectra is None else spectra, self.shapes, ones if courses is None else courses

    @cached_property
    def _factors(self) -> tuple[Floats, ...]:
        """E, G and C at the photons."""
        return tuple(parts @ densities for parts, densities in zip(self.parts, self._densities, strict=True))

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
        spectrum, shape, course = self._factors
        return np.asarray(self.background_part * spectrum * shape * course + self.source_density)

    @cached_property
    def overall(self) -> Floats:
        """M at the photons."""
        total = self.background_part * self._factors[_ENERGY] * self._factors[_TIME]
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
