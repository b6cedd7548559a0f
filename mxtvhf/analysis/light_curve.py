"""The source's rate against time: fixed bins, Bayesian blocks, and what good time each of them has.

The background is subtracted region from region (see `analysis.regions`), bin by bin, so that it may change
in time; other sources of the field are, too, as constant ones (see `analysis.other_sources`). Errors are
those of the two Poisson numbers, each with the exact limits that Gehrels 1986, ApJ 303, 336, tabulates
(Garwood 1936), in quadrature: for an upper error the upper limit of the source region and the lower one of
the background region.

Bayesian blocks (Scargle et al. 2013, ApJ 764, 167, event data) are made of all photons of the source region
in good time: gaps are cut out, and where the background is constant in time every change is one of the
source. Rates of the blocks are then background-subtracted as those of the bins.
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
    """The photons of the two regions, within the good time intervals.

    Attributes
    ----------
    regions
        Where they were taken.
    gti
        Good time intervals, s of MET, in order and apart from each other, shape (intervals, 2).
    source_time, background_time
        Starts of their frames, s of MET, in order.
    source_energy, background_energy
        keV, of the same photons.
    others
        What other sources of the field put into the regions.
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
        """Sum of the good time intervals, s."""
        return float((self.gti[:, 1] - self.gti[:, 0]).sum())

    def net_rate(self, source: int, background: int, live: float) -> Measurement:
        """Source counts per second, background-subtracted and corrected for the regions.

        Parameters
        ----------
        source, background
            Photons of each region.
        live
            Good time in which they came, s.
        """
        net = net_counts(
            source, background, self.regions.area_ratio, self.others.counts * live / self.exposure
        )
        return net.scaled(1.0 / (self.regions.effective_fraction * live))


def time_of_live(live: Floats, gti: Floats) -> Floats:
    """Return the MET of amounts of good time; where they name both ends of a gap, the middle of the gap."""
    length = gti[:, 1] - gti[:, 0]
    before = np.concatenate([[0.0], np.cumsum(length)])
    early, late = (
        np.clip(np.searchsorted(before, live, side=side) - 1, 0, len(gti) - 1) for side in ("left", "right")
    )
    first, last = (gti[k, 0] + np.clip(live - before[k], 0.0, length[k]) for k in (early, late))
    return np.asarray(0.5 * (first + last))


def fixed_edges(photons: RegionPhotons) -> Floats:
    """Edges (MET) of bins of equal width, from the first to the end of the last good time."""
    rules = analysis_constants().light_curve
    start, stop = photons.gti[0, 0], photons.gti[-1, 1]
    most = min(rules.most_bins, (stop - start) / instrument().detector.frame_time_s)
    bins = int(np.clip(photons.source_time.size / rules.photons_per_bin, 1.0, max(most, 1.0)))
    return np.linspace(start, stop, bins + 1)


def block_edges(photons: RegionPhotons) -> Floats:
    """Edges (MET) of the Bayesian blocks of the source region's photons."""
    from astropy.stats import bayesian_blocks

    rules, gti = analysis_constants().blocks, photons.gti
    width = max(instrument().detector.frame_time_s, photons.exposure / rules.most_cells)
    cell, count = np.unique(np.floor(live_time(photons.source_time, gti) / width), return_counts=True)
    if cell.size < 2:
        return np.array([gti[0, 0], gti[-1, 1]])
    middle = np.minimum((cell + 0.5) * width, photons.exposure)
    edges = bayesian_blocks(middle, x=count, fitness="events", p0=rules.false_alarm_rate)
    # The blocks begin and end with photons, the observation before and after them.
    return np.asarray([gti[0, 0], *time_of_live(edges[1:-1], gti), gti[-1, 1]])


def rate_bins(photons: RegionPhotons, edges: Floats, zero: float) -> tuple[RateBin, ...]:
    """Net rates between edges (MET); their times count from ``zero`` (MET).

    A bin with less good time than a frame has no rate: nothing was read out in it.
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
    """Count per bin; what lies on an edge to within a rounding error of MET belongs to the later bin."""
    index = np.searchsorted(edges[1:-1], time + 1e-6, side="right")
    return np.bincount(index, minlength=len(edges) - 1)


def net_counts(
    source: int, background: int, area_ratio: float, others: Floats = NO_OTHERS.counts
) -> Measurement:
    """Source counts in the source region with their errors, see the module.

    Parameters
    ----------
    source, background
        Photons of each region.
    area_ratio
        Of the regions, source over background.
    others
        Photons of other sources expected in each region.
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
