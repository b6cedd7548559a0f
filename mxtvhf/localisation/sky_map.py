"""Posterior of the position on the sky: a multi-order HEALPix map, and its credible regions.

The map covers the whole sky with cells as fine as their probability requires: a cell with more probability
than ``_HEAVY`` is split, down to 3.2 arcsec. Cells outside the detector are large and have probability 0.

HEALPix: Gorski et al. 2005, ApJ 622, 759. The detector is a tangent plane, so that a pixel at the angle theta
from the boresight covers ``scale^2 cos^3 theta`` sr (Calabretta & Greisen 2002, A&A 395, 1077, 5.1.3).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import pi, radians

import numpy as np
import numpy.typing as npt
from astropy import units as u
from astropy_healpix import (
    healpix_to_lonlat,
    level_ipix_to_uniq,
    level_to_nside,
    lonlat_to_healpix,
    neighbours,
    uniq_to_level_ipix,
)
from contourpy import contour_generator

from mxtvhf.instrument.constants import pixel_scale_arcsec
from mxtvhf.instrument.pointing import Pointing
from mxtvhf.instrument.psf import detector_pixels
from mxtvhf.localisation.model import CredibleRegion
from mxtvhf.localisation.posterior import PositionPosterior
from mxtvhf.models.arrays import Floats

Cells = npt.NDArray[np.int64]

FINEST = 16
"""Order of the finest cells: 3.2 arcsec, a quarter of the standard deviation of the systematic error."""
_DEEPEST = FINEST + 1
_SCANNED = 13
"""Order of the cells (26 arcsec) in which the density is evaluated over the whole detector."""
_SEEDS = 10
"""Order of the cells (3.4 arcmin) from which the cover of the detector starts."""
_COARSEST = 11
"""Order of the largest cells (1.7 arcmin) with probability: those on the edge of the detector."""
_HEAVY = 5e-4
"""Probability above which a cell is split."""
_LIGHT = 1e-6
"""Probability below which the density at the centre of a scanned cell is used for the whole cell."""
_ROUGH = 1e-6
"""Difference of probability between a cell and its four parts above which the parts are split again; the sum
over all cells of the map is then accurate to 0.001."""
_CONTOUR_STEPS = 24
"""Lowest number of grid steps across a region for its contour; steps are at most a detector pixel long."""
_SR_PER_ARCMIN2 = radians(1.0 / 60.0) ** 2


@dataclass(frozen=True, eq=False)
class SkyMap:
    """A probability density on the whole sky.

    Attributes
    ----------
    uniq
        HEALPix cells as ``4^(order + 1) + nested index``, ascending; they cover the sky once.
    density
        Probability per steradian of each cell.
    """

    uniq: Cells
    density: Floats

    @cached_property
    def order(self) -> Cells:
        """Return the order of each cell."""
        return np.asarray(uniq_to_level_ipix(self.uniq)[0], np.int64)

    @cached_property
    def area(self) -> Floats:
        """Return the solid angle of each cell, sr."""
        return cell_area(self.order)

    def centres(self) -> tuple[Floats, Floats]:
        """Return right ascension and declination of the cell centres, ICRS degrees."""
        order, index = uniq_to_level_ipix(self.uniq)
        return _centres(order, index)

    def region(self, part: float) -> npt.NDArray[np.bool_]:
        """Return the mask of the cells in the smallest region that holds a fraction of the probability.

        Parameters
        ----------
        part
            Fraction of the probability, between 0 and 1; the region holds at least this fraction.
        """
        order = np.argsort(-self.density, kind="stable")
        held = np.cumsum((self.density * self.area)[order])
        inside = np.zeros(self.uniq.size, dtype=np.bool_)
        inside[order[: np.searchsorted(held, part * held[-1]) + 1]] = True
        return inside


def cell_area(order: npt.ArrayLike) -> Floats:
    """Return the solid angle of HEALPix cells, sr.

    Parameters
    ----------
    order
        Order of the cells, any shape.
    """
    return np.asarray(pi / 3.0 / 4.0 ** np.asarray(order, dtype=np.float64))


def sky_map(posterior: PositionPosterior, pointing: Pointing) -> SkyMap:
    """Return the posterior on the sky.

    Parameters
    ----------
    posterior
        Posterior on the detector, convolved with the systematic error if the map is to include it.
    pointing
        Attitude of the observation.

    Returns
    -------
    SkyMap
        Map with a total probability of 1.
    """
    first, weight = _probabilities(posterior, pointing)
    held = np.concatenate([[0.0], np.cumsum(weight)])
    order, index = 0, np.arange(12, dtype=np.int64)
    uniq, density = [], []
    while index.size:
        span = 2 * (_DEEPEST - order)
        start, stop = np.searchsorted(first, [index << span, (index + 1) << span])
        probability = held[stop] - held[start]
        split = (probability > _HEAVY) | ((probability > 0.0) & (order < _COARSEST))
        split &= order < FINEST
        uniq.append(level_ipix_to_uniq(order, index[~split]))
        density.append(probability[~split] / cell_area(order))
        order, index = order + 1, _children(index[split], 1)
    return SkyMap(np.concatenate(uniq), np.concatenate(density) / held[-1])


def _probabilities(posterior: PositionPosterior, pointing: Pointing) -> tuple[Cells, Floats]:
    """Return the probability of cells of different orders that cover the detector once.

    Returns
    -------
    first, probability
        Index of the first part of order ``_DEEPEST`` of each cell, ascending; probability of the whole cell.
    """
    order, index = _SCANNED, _detector_cells(pointing)
    weight = _density(posterior, pointing, *_centres(order, index)) * cell_area(order)
    split = weight > _LIGHT
    parts = []
    while True:
        done = ~split & (weight > 0.0)
        parts.append((index[done] << 2 * (_DEEPEST - order), weight[done]))
        if order == _DEEPEST or not split.any():
            break
        order, index, mother = order + 1, _children(index[split], 1), weight[split]
        weight = _density(posterior, pointing, *_centres(order, index)) * cell_area(order)
        rough = np.abs(weight.reshape(-1, 4).sum(axis=1) - mother) > _ROUGH
        split = ((weight > _HEAVY) | np.repeat(rough, 4)) & (order < _DEEPEST)
    first, probability = (np.concatenate(column) for column in zip(*parts, strict=True))
    ascending = np.argsort(first)
    return first[ascending], probability[ascending]


def _detector_cells(pointing: Pointing) -> Cells:
    """Return the nested indices of cells of order ``_SCANNED`` that cover the detector and a margin."""
    edge = np.arange(0.0, detector_pixels() + 1.0, 4.0) - 0.5
    ra, dec = pointing.pixel_to_sky(edge, edge[:, np.newaxis])
    nside = level_to_nside(_SEEDS)
    seeds = np.unique(lonlat_to_healpix(ra * u.deg, dec * u.deg, nside, order="nested"))
    # A cell that only a corner of the detector overlaps may contain no point of the grid. At 8 corners of the
    # grid a cell has 7 neighbours; the library then warns, and the eighth index is -1.
    with np.errstate(invalid="ignore"):
        seeds = np.unique([*neighbours(seeds, nside, order="nested"), seeds])
    return _children(seeds[seeds >= 0], _SCANNED - _SEEDS)


def _children(index: Cells, levels: int) -> Cells:
    """Return the nested indices of the cells of a finer order within given cells."""
    return np.asarray((index[:, np.newaxis] << 2 * levels) + np.arange(4**levels)).ravel()


def _centres(order: npt.ArrayLike, index: Cells) -> tuple[Floats, Floats]:
    ra, dec = healpix_to_lonlat(index, level_to_nside(order), order="nested")
    return ra.to_value(u.deg), dec.to_value(u.deg)


def _density(posterior: PositionPosterior, pointing: Pointing, ra: Floats, dec: Floats) -> Floats:
    """Return the probability per steradian at sky positions (ICRS degrees); 0 outside the detector."""
    return _per_steradian(posterior, pointing, *pointing.sky_to_pixel(ra, dec))


def _per_steradian(posterior: PositionPosterior, pointing: Pointing, x: Floats, y: Floats) -> Floats:
    """Return the probability per steradian at detector pixels."""
    east, north = np.radians(pointing.plane_coordinates(x, y))
    pixel = radians(pixel_scale_arcsec() / 3600.0) ** 2 * (1.0 + east**2 + north**2) ** -1.5
    return np.asarray(posterior.density(x, y) / pixel)


def credible_region(
    sky: SkyMap, posterior: PositionPosterior, pointing: Pointing, part: float
) -> CredibleRegion:
    """Return the smallest region with a fraction of the probability, and its outline.

    Parameters
    ----------
    sky
        Map of the posterior from ``sky_map``.
    posterior
        Posterior that the map was made from; its density gives the outline, independent of the cells.
    pointing
        Attitude of the observation.
    part
        Fraction of the probability, between 0 and 1.
    """
    inside = sky.region(part)
    ra, dec = (column[inside] for column in sky.centres())
    x, y = pointing.sky_to_pixel(ra, dec)
    margin = np.sqrt(sky.area[inside].max()) / radians(pixel_scale_arcsec() / 3600.0)
    column, row = _grid(x, margin), _grid(y, margin)
    places = (axis.ravel() for axis in np.meshgrid(column, row))
    density = _per_steradian(posterior, pointing, *places).reshape(row.size, column.size)
    lines = contour_generator(column, row, density).lines(sky.density[inside].min())
    outlines = [np.round(pointing.pixel_to_sky(*np.asarray(line).T), 6).T for line in lines]
    return CredibleRegion(
        part=part,
        area_arcmin2=float(sky.area[inside].sum() / _SR_PER_ARCMIN2),
        outlines=tuple(tuple((float(a), float(d)) for a, d in outline) for outline in outlines),
    )


def _grid(places: Floats, margin: float) -> Floats:
    """Return points from before the first to after the last position, pixels."""
    low, high = places.min() - margin, places.max() + margin
    steps = max(_CONTOUR_STEPS, int(np.ceil(high - low)))
    return np.linspace(low, high, steps + 1)
