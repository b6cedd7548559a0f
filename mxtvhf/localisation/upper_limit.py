"""How bright a source may be that was not found.

Two questions, told apart by Kashyap et al. 2010, ApJ 719, 900. How many photons may a source have, given
those that were seen? The answer, their *upper bound*, is ``source_upper_bound``. How many must it have to be
detected with a given probability? That is their *upper limit*, ``detectable_photons``, and tells what the
detector and its background allow. A bound alone may lie below what can be detected, by chance.

Both are photons. What flux they are depends on the spectrum, by a factor of forty from a soft source to one
behind dense gas, and on the place, since of a source near an edge the detector gets a part only. So the
limit in flux is given for each expected spectrum, at the least favourable place.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import brentq
from scipy.special import gammaincc, gammaincinv, logsumexp, ndtri

from mxtvhf.analysis.powerlaw import PowerLaw
from mxtvhf.analysis.throughput import expected_counts
from mxtvhf.instrument.calibration import Calibration
from mxtvhf.instrument.psf import LobsterEyePsf, SeparablePsf, detector_pixels
from mxtvhf.localisation.counts import Counts
from mxtvhf.localisation.likelihood import CELL
from mxtvhf.localisation.model import FluxLimit
from mxtvhf.localisation.prior import PositionPrior
from mxtvhf.models.arrays import Floats

_STEPS = 1000
"""Values of the source's part f of the photons, 0..1."""
_NH_UNIT = 1e22
_R90_PER_SIGMA = float(np.sqrt(2.0 * np.log(10.0)))
"""Of a round Gaussian."""
_DIRECTIONS = 32
"""In which the edge of a circle is looked at."""


def source_upper_bound(
    field: tuple[Floats, Floats], weight: Floats, photons: float, part: float = 0.9
) -> float:
    """Return the upper bound of the expected number of a source's photons.

    The posterior of a source of free place and strength: flat in its part f of the photons, by ``weight``
    in its place. The number of photons of both kinds together has the posterior of a Poisson mean with a
    flat prior (a gamma distribution of shape n + 1).

    Parameters
    ----------
    field
        ln L and f from ``likelihood.whole_field``, ``[r, row, column]``.
    weights
        Prior probability of the cells, not normalised, ``[row, column]``.
    photons
        Photons on good pixels, n.
    part
        Probability that the expected number is below the bound.

    Returns
    -------
    float
        Photons on good pixels. Without any photon -ln(1 - part): 2.3 for 90 %.
    """
    log_likelihood, f = field
    weight = weight / weight.sum()
    over_places = logsumexp(log_likelihood, axis=(1, 2), b=weight)
    share = np.concatenate([[0.0], (f * weight).sum(axis=(1, 2)), [1.0]])
    known = np.concatenate([[0.0], over_places, over_places[-1:]])
    middle = (np.arange(_STEPS) + 0.5) / _STEPS
    density = np.interp(middle, share, known)
    density = np.exp(density - density.max())
    density /= density.sum()

    def beyond(bound: float) -> float:
        return float(density @ gammaincc(photons + 1.0, bound / middle)) - (1.0 - part)

    return float(brentq(beyond, 0.0, 10.0 * (photons + 10.0), xtol=1e-3))


def detectable_photons(
    counts: Counts, psf: SeparablePsf, ts_threshold: float, least_photons: float, part: float = 0.9
) -> float:
    """Return the expected photons of a source that would be detected with probability ``part``.

    It is added, in the middle of the detector, to the photons of an observation without a source. Of the ts
    only what the places tell is expected, with energies and times taken as given. The square root of ts is
    taken to scatter by 1 about that of its expectation (Wilks 1938, Ann. Math. Stat. 9, 60).

    Parameters
    ----------
    counts
        The photons, all of the background.
    psf
        Of the source.
    ts_threshold, least_photons
        ts and source photons of a detection.
    part
        Probability of the detection.

    Returns
    -------
    float
        Photons on good pixels; infinite where the good pixels are too few to tell a source from background.
    """
    cells = counts.rebinned(CELL // counts.block)
    number, power = cells.images()
    weights = 2.0 ** (power + np.arange(len(number)))[:, np.newaxis]
    share = number.sum(axis=(1, 2))[:, np.newaxis] / counts.total
    profile = cells.fractions(psf, 0.5 * (detector_pixels() - 1))
    good = cells.good.ravel() / cells.good.sum()
    density = np.outer(profile, profile).ravel()
    density /= density @ good
    needed = float(np.sqrt(max(ts_threshold, 0.0)) + ndtri(part)) ** 2
    mean = weights / (share * weights).sum()
    source = mean * density

    def lacking(photons: float) -> float:
        f = photons / (photons + counts.total)
        expected = share * good * (counts.total + photons * source)
        gain = np.log1p(f * (source - 1.0)) - np.log1p(f * (mean - 1.0))
        return float(2.0 * (expected * gain).sum() - needed)

    most = 100.0 * (counts.total + needed)
    if lacking(most) < 0.0:
        return float("inf")
    enough = float(brentq(lacking, 1e-3, most, xtol=1e-3))
    return max(enough, float(gammaincinv(least_photons, part)))


def empty_upper_limit(part: float = 0.9) -> float:
    """Return the upper limit where no photon came at all: that of a Poisson mean of 0 counts."""
    return float(-np.log1p(-part))


def flux_limits(
    photons: float,
    exposure_s: float,
    spectra: Sequence[PowerLaw],
    calibration: Calibration,
    *,
    good_part: float = 1.0,
    prior: PositionPrior | None = None,
) -> tuple[FluxLimit, ...]:
    """Return the fluxes that put so many photons on the good pixels, at the least favourable place.

    That is a corner of the detector, or the place in the 90 % circle of the prior of which the detector gets
    the least. Sources elsewhere put more photons on it.

    Parameters
    ----------
    photons
        Limit of the photons on good pixels.
    exposure_s
        Good time, s.
    spectra
        Of the sources.
    calibration
        Gives effective area and PSF.
    good_part
        Part of the detector that is good.
    prior
        Where the source is; None: anywhere on the detector.
    """
    x, y = _least_favourable_place(LobsterEyePsf.of(calibration.psf), prior)
    return tuple(
        FluxLimit(
            photon_index=spectrum.photon_index,
            nh_1e22_cm2=spectrum.nh_cm2 / _NH_UNIT,
            flux=photons / (good_part * expected_counts(1.0, exposure_s, x, y, spectrum, calibration)),
        )
        for spectrum in spectra
    )


def population_flux_limit(limits: Sequence[FluxLimit], shares: Floats, part: float = 0.9) -> float:
    """Return the flux above which a part of the expected sources is excluded, whichever of them it is.

    It is the limit of the spectrum that so many of the sources do not exceed in flux for a photon. Sources of
    softer spectra are found with a higher probability, of harder ones with a lower one.

    Parameters
    ----------
    limits
        Of each spectrum.
    shares
        Part of the sources that have it, with the sum 1.
    part
        Of the sources.
    """
    order = np.argsort([limit.flux for limit in limits])
    # A sum of shares may miss 1 by a rounding error.
    reached = int(np.searchsorted(np.cumsum(shares[order]), part - 1e-9))
    return limits[int(order[reached])].flux


def _least_favourable_place(psf: LobsterEyePsf, prior: PositionPrior | None) -> tuple[float, float]:
    """Return the place that the detector gets the least part of the photons of."""
    low, high = -0.5, detector_pixels() - 0.5
    if prior is None:
        return low, low
    angle = np.linspace(0.0, 2.0 * np.pi, _DIRECTIONS, endpoint=False)
    radius = _R90_PER_SIGMA * prior.sigma
    places = np.clip(
        np.stack([prior.x + radius * np.cos(angle), prior.y + radius * np.sin(angle)], axis=1), low, high
    )
    x, y = min(places.tolist(), key=lambda place: psf.enclosed(*place))
    return x, y
