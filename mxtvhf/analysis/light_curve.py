"""Light curve of the source: fixed bins and Bayesian blocks, with their exposures.

The counts of the background region are subtracted bin by bin (see `analysis.regions`), so the background may
vary in time; other sources in the field are subtracted as constant (see `analysis.other_sources`). Errors
combine the exact limits of the two Poisson numbers (Garwood 1936, tabulated by Gehrels 1986, ApJ 303, 336) in
quadrature: an upper error uses the upper limit of the source region and the lower limit of the background
region.

Bayesian blocks (Scargle et al. 2013, ApJ 764, 167, event data) are computed from all photons of the source
region in the GTIs, with gaps removed; if the background is constant, every change is a change of the source.
The rates of the blocks are background-subtracted like those of the bins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import gammaincinv, ndtr

from mxtvhf.analysis.constants import analysis_constants
from mxtvhf.analysis.model import Measurement, RateBin
from mxtvhf.analysis.other_sources import NO_OTHERS, OthersLight
from mxtvhf.analysis.regions import Regions
from mxtvhf.instrument.constants import instrument
from mxtvhf.models.arrays import Floats
from mxtvhf.models.intervals import live_time


@dataclass(frozen=True, eq=False)
class RegionPhotons:
    """Photons of the two regions within the GTIs.

    Attributes
    ----------
    regions
        Source and background region.
    gti
        Good time intervals, s of MET, sorted and disjoint, shape (intervals, 2).
    source_time, background_time
        Start times of their frames, s of MET, in order.
    source_energy, background_energy
        Energies of the same photons, keV.
    others
        Expected counts of other sources in the regions.
    """

    regions: Regions
    gti: Floats
    source_time: Floats
    background_time: Floats
    source_energy: Floats
    background_energy: Floats
    others: OthersLight = NO_OTHERS

    @property
    def exposure(self) -> float:
        """Sum of the GTIs, s."""
        return float((self.gti[:, 1] - self.gti[:, 0]).sum())

    def net_rate(self, source: int, background: int, live: float) -> Measurement:
        """Return the source rate, background-subtracted and corrected for the regions, counts/s.

        Parameters
        ----------
        source, background
            Photons of each region.
        live
            Exposure of these photons, s.
        """
        net = net_counts(
            source, background, self.regions.area_ratio, self.others.counts * live / self.exposure
        )
        return net.scaled(1.0 / (self.regions.effective_fraction * live))


def time_of_live(live: Floats, gti: Floats) -> Floats:
    """Return the MET at given exposures; if it falls into a gap, the middle of the gap.

    Parameters
    ----------
    live
        Accumulated exposures since the start of the first GTI, s.
    gti
        Good time intervals, s of MET, sorted and disjoint, shape (intervals, 2).
    """
    length = gti[:, 1] - gti[:, 0]
    before = np.concatenate([[0.0], np.cumsum(length)])
    early, late = (
        np.clip(np.searchsorted(before, live, side=side) - 1, 0, len(gti) - 1) for side in ("left", "right")
    )
    first, last = (gti[k, 0] + np.clip(live - before[k], 0.0, length[k]) for k in (early, late))
    return np.asarray(0.5 * (first + last))


def fixed_edges(photons: RegionPhotons) -> Floats:
    """Return the edges (MET) of bins of equal width from the first to the last GTI.

    Parameters
    ----------
    photons
        Photons of the source and background region.
    """
    rules = analysis_constants().light_curve
    start, stop = photons.gti[0, 0], photons.gti[-1, 1]
    most = min(rules.most_bins, (stop - start) / instrument().detector.frame_time_s)
    bins = int(np.clip(photons.source_time.size / rules.photons_per_bin, 1.0, max(most, 1.0)))
    return np.linspace(start, stop, bins + 1)


def block_edges(photons: RegionPhotons) -> Floats:
    """Return the edges (MET) of the Bayesian blocks of the source-region photons (Scargle et al. 2013).

    Parameters
    ----------
    photons
        Photons of the source and background region.
    """
    from astropy.stats import bayesian_blocks

    from mxtvhf.analysis.event_blocks import EventBlocks

    rules, gti = analysis_constants().blocks, photons.gti
    width = max(instrument().detector.frame_time_s, photons.exposure / rules.most_cells)
    cell, count = np.unique(np.floor(live_time(photons.source_time, gti) / width), return_counts=True)
    if cell.size < 2:
        return np.array([gti[0, 0], gti[-1, 1]])
    middle = np.minimum((cell + 0.5) * width, photons.exposure)
    edges = bayesian_blocks(middle, x=count, fitness=EventBlocks(p0=rules.false_alarm_rate))
    # The blocks begin and end with photons, but the observation begins earlier and ends later.
    return np.asarray([gti[0, 0], *time_of_live(edges[1:-1], gti), gti[-1, 1]])


def rate_bins(photons: RegionPhotons, edges: Floats, zero: float) -> tuple[RateBin, ...]:
    """Return the net rates in time bins.

    A bin with less exposure than a frame has no rate, since nothing was read out in it.

    Parameters
    ----------
    photons
        Photons of the source and background region.
    edges
        Edges of the bins, s of MET, shape (bins + 1,).
    zero
        Time zero of the returned bins, s of MET.
    """
    frame = instrument().detector.frame_time_s
    exposure = np.diff(live_time(edges, photons.gti))
    counts = [_histogram(time, edges) for time in (photons.source_time, photons.background_time)]
    return tuple(
        RateBin(
            start_s=float(low - zero),
            stop_s=float(high - zero),
            exposure_s=float(live),
            source_photons=int(source),
            background_photons=int(background),
            rate=photons.net_rate(int(source), int(background), float(live)) if live >= frame else None,
        )
        for low, high, live, source, background in zip(edges, edges[1:], exposure, *counts, strict=False)
    )


def _histogram(time: Floats, edges: Floats) -> npt.NDArray[np.int64]:
    """Count photons per bin; a time on an edge, within rounding errors, belongs to the later bin."""
    index = np.searchsorted(edges[1:-1], time + 1e-6, side="right")
    return np.bincount(index, minlength=len(edges) - 1)


def net_counts(
    source: int, background: int, area_ratio: float, others: Floats = NO_OTHERS.counts
) -> Measurement:
    """Return the source counts in the source region with their errors; see the module.

    Parameters
    ----------
    source, background
        Photons of each region.
    area_ratio
        Ratio of the areas of source and background region.
    others
        Expected photons of other sources in each region.
    """
    tail = ndtr(-analysis_constants().light_curve.sigma)
    counts = np.array([source, background], dtype=np.float64)
    lower = counts - np.where(counts > 0.0, gammaincinv(np.maximum(counts, 1.0), tail), 0.0)
    upper = gammaincinv(counts + 1.0, 1.0 - tail) - counts
    return Measurement(
        value=float(source - others[0] - area_ratio * (background - others[1])),
        error_low=float(np.hypot(lower[0], area_ratio * upper[1])),
        error_high=float(np.hypot(upper[0], area_ratio * lower[1])),
    )
