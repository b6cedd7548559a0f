"""Smooth spectrum of the background from the photons of both regions and calibrated components.

The particle background is about flat in pulse height, the sky background comes through the optics and falls
steeply, and fluorescence makes lines; their mixture changes with the orbit and the field. The fractions of
the components of the calibration file ``background`` are therefore fitted to the photons, most of which are
far from the source, together with several source spectra. The fractions are found by expectation maximisation
with a Dirichlet prior of equal fractions (Dempster et al. 1977, J. R. Stat. Soc. B 39, 1).

The true background is only approximately a mixture of these components. Deviations would be mistaken for
source photons, so the level of the background is free in pieces of the band (see `analysis.cstat`). More
photons allow more pieces.
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
    """Return the normalised spectrum of each component per bin: continua, then lines.

    Parameters
    ----------
    background
        Background calibration; if it has no components, one that is flat in pulse height is used.
    response
        Response of the detector, with the matrix summed over the channels of each bin.
    edges
        Edges of the bins, keV.
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
    """Return the normalised spectrum of the background.

    Parameters
    ----------
    counts
        Photons of the source and the background region per bin, shape (2, bins).
    regions
        Source and background region.
    sources
        Spectra whose mixture stands for the source, shape (sources, bins).
    components
        Spectra of the background components, see `component_spectra`.
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
    """Return the first bin of each piece with a free background level; the first is 0.

    Pieces contain equal fractions of the fitted spectrum, as far as the bins allow. They do not depend on the
    photons themselves: a piece that ends just after a photon would be too bright on average.

    Parameters
    ----------
    shape
        Spectrum of the background per bin.
    photons
        Number of photons in the background region.
    """
    rules = analysis_constants().spectrum
    wanted = int(np.clip(photons // rules.background_photons_per_piece, 1, rules.most_background_pieces))
    before = np.cumsum(shape) - shape
    starts = np.searchsorted(before, shape.sum() * np.arange(1, wanted) / wanted)
    return np.unique(np.append(0, starts[starts < shape.size]))
