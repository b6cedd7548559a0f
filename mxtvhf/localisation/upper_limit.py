"""Upper limits of the brightness of a source that was not detected.

Two quantities are distinguished (Kashyap et al. 2010, ApJ 719, 900). The *upper bound*,
``source_upper_bound``, is the largest source that the observed photons allow. The *upper limit*,
``detectable_photons``, is the source that would be detected with a given probability; it depends on detector
and background only. The bound alone may by chance lie below what can be detected.

Both count photons. The flux for a given number of photons depends on the spectrum, by a factor of forty
between a soft source and one behind dense gas, and on the position, since the detector receives only a
fraction of a source near its edge. Flux limits are therefore given for each expected spectrum at the least
favourable position. See section "Upper limits" of ``docs/explanation/localisation.md``.
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
"""Number of values of the source fraction f, 0..1."""
_NH_UNIT = 1e22
_R90_PER_SIGMA = float(np.sqrt(2.0 * np.log(10.0)))
"""90 % radius of a round Gaussian over its standard deviation per axis."""
_DIRECTIONS = 32
"""Number of points on the edge of a circle that are tried."""


def source_upper_bound(
    field: tuple[Floats, Floats], weight: Floats, photons: float, part: float = 0.9
) -> float:
    """Return the upper bound of the expected number of source photons.

    Position and strength of the source are free; the prior is flat in its fraction f of the photons, and
    ``weight`` in its position. The expected number of all photons has the posterior of a Poisson mean with a
    flat prior, a gamma distribution of shape n + 1.

    Parameters
    ----------
    field
        ln L and f from ``likelihood.whole_field``, ``[r, row, column]``.
    weight
        Prior probability of the cells, not normalised, ``[row, column]``.
    photons
        Photons on good pixels, n.
    part
        Probability that the expected number is below the bound.

    Returns
    -------
    float
        Photons on good pixels.
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
        """Return the probability beyond a bound minus the one required.

        Parameters
        ----------
        bound
            Expected source photons.
        """
        return float(density @ gammaincc(photons + 1.0, bound / middle)) - (1.0 - part)

    return float(brentq(beyond, 0.0, 10.0 * (photons + 10.0), xtol=1e-3))


def detectable_photons(
    counts: Counts, psf: SeparablePsf, ts_threshold: float, least_photons: float, part: float = 0.9
) -> float:
    """Return the expected photons of a source that would be detected with probability ``part``.

    The source is placed in the middle of the detector, on the photons of an observation without a source. Its
    TS is the position-only one for the expected counts (the Asimov data set of Cowan et al. 2011, Eur. Phys.
    J. C 71, 1554); the square root of TS scatters by 1 (Wilks 1938, Ann. Math. Stat. 9, 60).

    Parameters
    ----------
    counts
        Photons of the field, all from the background.
    psf
        PSF of the source.
    ts_threshold
        Detection threshold of the TS.
    least_photons
        Detection threshold of the number of source photons.
    part
        Probability of the detection.

    Returns
    -------
    float
        Photons on good pixels; infinite if the good pixels are too few to distinguish a source from
        background.
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
        """Return the TS of a source minus the one required.

        Parameters
        ----------
        photons
            Expected source photons.
        """
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
    """Return the upper limit without any photon, that of a Poisson mean for 0 counts: 2.3 for 90 %.

    Parameters
    ----------
    part
        Probability that the mean is below the limit.
    """
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
    """Return the fluxes that correspond to a number of photons at the least favourable position.

    That is a corner of the detector, or the position in the 90 % circle of the prior from which the detector
    receives the smallest fraction. Sources at other positions give more photons for the same flux.

    Parameters
    ----------
    photons
        Upper limit of the photons on good pixels.
    exposure_s
        Exposure, seconds.
    spectra
        Spectra of the sources.
    calibration
        Calibration with effective area and PSF.
    good_part
        Fraction of the detector that is good.
    prior
        Prior of the position; None: anywhere on the detector.
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
    """Return the flux above which a fraction of the expected sources is excluded, whatever their spectrum.

    It is the limit of the spectrum whose flux per photon this fraction of the sources does not exceed.
    Sources with softer spectra are found with a higher probability, those with harder ones with a lower one.

    Parameters
    ----------
    limits
        Flux limit of each spectrum.
    shares
        Fraction of the sources with each spectrum, sum 1.
    part
        Fraction of the sources.
    """
    order = np.argsort([limit.flux for limit in limits])
    # The sum of the shares may differ from 1 by a rounding error.
    reached = int(np.searchsorted(np.cumsum(shares[order]), part - 1e-9))
    return limits[int(order[reached])].flux


def _least_favourable_place(psf: LobsterEyePsf, prior: PositionPrior | None) -> tuple[float, float]:
    """Return the position from which the detector receives the smallest fraction of the photons."""
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
