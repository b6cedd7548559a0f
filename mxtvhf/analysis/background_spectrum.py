"""The background's smooth spectrum, by the photons of both regions and a calibrated set of components.

Particles are about flat in pulse height, the sky comes through the optics and falls steeply, fluorescence
makes lines: what the mixture is changes with the orbit and the field. So the parts of the components of
``background_spectrum.toml`` are fitted to the photons, which are mostly those far from the source, with
source spectra of several kinds beside them. Parts are found by expectation maximisation with a Dirichlet
prior about the expected ones (Dempster et al. 1977, J. R. Stat. Soc. B 39, 1).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mxtvhf.analysis.absorption import transmission
from mxtvhf.analysis.regions import Regions
from mxtvhf.instrument.response import Response
from mxtvhf.models.arrays import Floats
from mxtvhf.models.quantities import ColumnCm2, EnergyKev, Fraction, PhotonIndex, Positive, Text
from mxtvhf.models.toml import Constants, SourcedConstants, read_toml

_ITERATIONS = 200


class Particles(Constants):
    """Flat in pulse height."""

    part: Fraction


class FluorescenceLine(Constants):
    """A line, of the detector's resolution."""

    energy_kev: EnergyKev
    part: Fraction


class CosmicBackground(Constants):
    """An absorbed power law."""

    photon_index: PhotonIndex
    nh_cm2: ColumnCm2
    part: Fraction


class GalacticForeground(Constants):
    """N(E) ~ E^-index exp(-E / cutoff)."""

    photon_index: PhotonIndex
    cutoff_kev: EnergyKev
    part: Fraction


class BackgroundComponents(SourcedConstants):
    """``background_spectrum.toml``."""

    version: Text
    prior_photons: Positive
    """Weight of the expected parts."""
    particle: Particles
    line: tuple[FluorescenceLine, ...]
    cosmic: CosmicBackground
    foreground: GalacticForeground

    @property
    def parts(self) -> Floats:
        """Expected parts of particles, lines, cosmic background and foreground, with the sum 1."""
        lines = [line.part for line in self.line]
        given = np.array([self.particle.part, *lines, self.cosmic.part, self.foreground.part])
        return np.asarray(given / given.sum())


@cache
def background_components() -> BackgroundComponents:
    """Return the components; see the file for their source."""
    return read_toml(Path(__file__).with_name("background_spectrum.toml"), BackgroundComponents)


def component_spectra(response: Response, widths: Floats) -> Floats:
    """Return the spectrum of each component per bin with the sum 1, in the order of their parts.

    Parameters
    ----------
    response
        Of the detector, its matrix summed over the channels of each bin.
    widths
        Of the bins, keV.
    """
    components, energy = background_components(), response.energies
    rows = [widths]
    for line in components.line:
        rows.append(response.matrix[int(np.argmin(np.abs(energy - line.energy_kev)))])
    cosmic, foreground = components.cosmic, components.foreground
    for density in (
        energy**-cosmic.photon_index * transmission(energy, cosmic.nh_cm2),
        energy**-foreground.photon_index * np.exp(-energy / foreground.cutoff_kev),
    ):
        rows.append((density * response.area * np.diff(response.energy_edges)) @ response.matrix)
    return np.array([row / row.sum() for row in rows])


def background_shape(
    counts: npt.NDArray[np.int64], regions: Regions, sources: Floats, components: Floats
) -> Floats:
    """Return the spectrum of the background with the sum 1.

    Parameters
    ----------
    counts
        Photons of the source and the background region per bin, shape (2, bins).
    regions
        Where they were taken.
    sources
        Spectra that the source may be a mixture of, shape (sources, bins).
    components
        Of the background, see `component_spectra`.
    """
    fractions = np.array([regions.source_fraction, regions.background_fraction])
    areas = np.array(regions.areas)
    areas = areas / areas.sum()
    kinds = sources / sources.sum(axis=1, keepdims=True)
    prior = background_components().prior_photons * background_components().parts
    amounts = np.full(len(kinds), 0.5 * counts.sum() / fractions.sum() / len(kinds))
    parts, level = prior / prior.sum(), 0.5 * counts.sum()
    for _ in range(_ITERATIONS):
        shape = parts @ components
        means = np.outer(fractions, amounts @ kinds) + np.outer(areas, level * shape)
        ratio = counts / np.maximum(means, 1e-30)
        amounts = amounts * (kinds @ (fractions @ ratio)) / fractions.sum()
        found = level * parts * (components @ (areas @ ratio))
        level, parts = found.sum(), (found + prior) / (found.sum() + prior.sum())
    return np.asarray(parts @ components)
