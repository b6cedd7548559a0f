"""The background's smooth spectrum, by the photons of both regions and the calibrated components.

Particles are about flat in pulse height, the sky comes through the optics and falls steeply, fluorescence
makes lines: what the mixture is changes with the orbit and the field. So the parts of the components of the
calibration file ``background`` are fitted to the photons, which are mostly those far from the source, with
source spectra of several kinds beside them. Parts are found by expectation maximisation with a Dirichlet
prior of equal parts (Dempster et al. 1977, J. R. Stat. Soc. B 39, 1).

The true background is nearly a mixture of these components, not quite. What is wrong with the mixture would
be taken for source photons, so its level is free in pieces of the band (see `analysis.cstat`): the more
photons, the more pieces.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mxtvhf.analysis.absorption import transmission
from mxtvhf.analysis.constants import analysis_constants
from mxtvhf.analysis.regions import Regions
from mxtvhf.instrument.calibration import Background
from mxtvhf.instrument.response import Response
from mxtvhf.models.arrays import Floats

_ITERATIONS = 200


def component_spectra(background: Background, response: Response, edges: Floats) -> Floats:
    """Return the spectrum of each component per bin with the sum 1: continua, then lines.

    Parameters
    ----------
    background
        The components; one that is flat in pulse height where it names none.
    response
        Of the detector, its matrix summed over the channels of each bin.
    edges
        Of the bins, keV.
    """
    energy, widths, middle = response.energies, np.diff(edges), 0.5 * (edges[1:] + edges[:-1])
    seen = response.area * np.diff(response.energy_edges)
    rows = [] if background.continua else [widths]
    for part in background.continua:
        at = energy if part.through_optics else middle
        cut = 1.0 if part.kt_kev is None else np.exp(-at / part.kt_kev)
        density = at**-part.index * cut * transmission(at, part.nh_cm2)
        rows.append((density * seen) @ response.matrix if part.through_optics else density * widths)
    for line in background.lines:
        rows.append(response.matrix[int(np.argmin(np.abs(energy - line.energy_kev)))])
    return np.array([row / row.sum() for row in rows])


def background_shape(
    counts: npt.NDArray[np.int64],
    regions: Regions,
    sources: Floats,
    components: Floats,
    others: Floats | float = 0.0,
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
    others
        Expected photons of other sources in the field, shape (2, bins).
    """
    fractions = np.array([regions.source_fraction, regions.background_fraction])
    areas = np.array(regions.areas)
    areas = areas / areas.sum()
    kinds = sources / sources.sum(axis=1, keepdims=True)
    prior_photons = analysis_constants().spectrum.background_prior_photons
    prior = np.full(len(components), prior_photons / len(components))
    amounts = np.full(len(kinds), 0.5 * counts.sum() / fractions.sum() / len(kinds))
    parts, level = prior / prior.sum(), 0.5 * counts.sum()
    for _ in range(_ITERATIONS):
        shape = parts @ components
        means = np.outer(fractions, amounts @ kinds) + np.outer(areas, level * shape) + others
        ratio = counts / np.maximum(means, 1e-30)
        amounts = amounts * (kinds @ (fractions @ ratio)) / fractions.sum()
        found = level * parts * (components @ (areas @ ratio))
        level, parts = found.sum(), (found + prior) / (found.sum() + prior.sum())
    return np.asarray(parts @ components)


def background_pieces(shape: Floats, photons: int) -> npt.NDArray[np.intp]:
    """Return the first bin of each piece in which the background's level is free; the first is 0.

    Pieces hold equal parts of the fitted spectrum, as far as bins allow. They do not follow the photons
    themselves: a piece that ends behind a photon would be too bright on the average.

    Parameters
    ----------
    shape
        Spectrum of the background per bin.
    photons
        In the background region.
    """
    rules = analysis_constants().spectrum
    wanted = int(np.clip(photons // rules.background_photons_per_piece, 1, rules.most_background_pieces))
    before = np.cumsum(shape) - shape
    starts = np.searchsorted(before, shape.sum() * np.arange(1, wanted) / wanted)
    return np.unique(np.append(0, starts[starts < shape.size]))
