"""Simulate the photons of a burst on the detector: positions, times and energies.

`mxtvhf.simulator.readout` simulates split events and pile-up. Energy-dependent vignetting over the field is
not simulated.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mxtvhf.analysis.powerlaw import PowerLaw
from mxtvhf.analysis.throughput import ENERGY_STEP_KEV, energy_bins
from mxtvhf.errors import InvalidInput
from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.calibration import FWHM_PER_SIGMA, Calibration, Gain, default_calibration
from mxtvhf.instrument.constants import instrument
from mxtvhf.instrument.psf import LobsterEyePsf, SeparablePsf, detector_pixels
from mxtvhf.localisation.position import bad_pixel_mask
from mxtvhf.models.arrays import Floats


def simulate_photons(
    *,
    x: float,
    y: float,
    counts: float,
    background: float,
    start: float,
    stop: float,
    rng: np.random.Generator,
    burst_time: float | None = None,
    decay_index: float = 0.0,
    spectrum: PowerLaw | None = None,
    calibration: Calibration | None = None,
    psf: SeparablePsf | None = None,
    bad_pixels: npt.ArrayLike | None = None,
    exact: bool = False,
) -> PhotonList:
    """Draw the photons of a source and of the background.

    Parameters
    ----------
    x, y
        Position of the source on the detector, continuous 0-based pixels.
    counts
        Expected number of source photons on the whole detector, including those lost on bad pixels.
    background
        Expected number of background photons on the whole detector, flat in position, time and pulse height
        (assumed).
    start, stop
        Of the observation, MET seconds.
    rng
        Random number generator; the same state gives the same photons.
    burst_time, decay_index
        The source's rate falls as (t - burst_time)^-decay_index; ``burst_time`` (MET) is before ``start``. By
        default the rate is constant.
    spectrum
        Spectrum; by default that of ``analysis/spectrum.toml``.
    calibration
        Calibration; by default the latest one of the package.
    psf
        PSF; by default that of the calibration.
    bad_pixels
        Same as for ``localise``; their photons are left out.
    exact
        Use ``counts`` and ``background`` (integers) as exact numbers instead of drawing Poisson numbers.

    Returns
    -------
    PhotonList
        Photons in time order; times are the starts of detector frames counted from ``start``.

    Raises
    ------
    InvalidInput
        The position is off the detector, a number is negative or infinite, the time range is empty, or a
        decay has no burst time before ``start``.
    """
    _check(x, y, counts, background, start, stop, burst_time, decay_index)
    calibration = calibration or default_calibration()
    psf = psf or LobsterEyePsf.of(calibration.psf)
    n_source, n_background = (
        (round(counts), round(background)) if exact else (rng.poisson(counts), rng.poisson(background))
    )
    total = n_source + n_background
    size = detector_pixels()
    column, row = rng.integers(0, size, (2, total))
    column[:n_source], row[:n_source] = draw_pixels(rng, n_source, x, y, psf)
    time = rng.uniform(start, stop, total)
    time[:n_source] = draw_times(rng, n_source, start, stop, burst_time, decay_index)
    pha = rng.uniform(*_channels_of_the_band(calibration.gain), total)
    pha[:n_source] = draw_pulse_heights(rng, n_source, spectrum or PowerLaw(), calibration)
    frame = instrument().detector.frame_time_s
    time = start + frame * np.floor((time - start) / frame)
    keep = np.flatnonzero(~bad_pixel_mask(bad_pixels)[row, column])
    order = keep[np.lexsort((row[keep], column[keep], time[keep]))]
    return PhotonList(
        time[order],
        column[order].astype(np.int16),
        row[order].astype(np.int16),
        np.rint(pha[order]).astype(np.int32),
    )


def draw_pixels(
    rng: np.random.Generator, number: int, x: float, y: float, psf: SeparablePsf
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Draw columns and rows of source photons, given that they fall on the detector.

    Parameters
    ----------
    rng
        Random number generator.
    number
        Number of photons.
    x, y
        Position of the source, continuous 0-based pixels.
    psf
        PSF of the source.
    """
    column, row = psf.fractions((x, y), detector_pixels())
    return _draw(rng, number, column), _draw(rng, number, row)


def draw_times(
    rng: np.random.Generator,
    number: int,
    start: float,
    stop: float,
    burst_time: float | None,
    decay_index: float,
) -> Floats:
    """Draw arrival times (MET) of a source that fades as (t - burst_time)^-decay_index.

    The times are drawn by inversion of the cumulative distribution.

    Parameters
    ----------
    rng
        Random number generator.
    number
        Number of photons.
    start, stop
        Interval of the observation, s of MET.
    burst_time
        T0, s of MET, before ``start``; None for a constant rate.
    decay_index
        Decay index; 0 for a constant rate.
    """
    uniform = rng.random(number)
    if burst_time is None or decay_index == 0.0:
        return np.asarray(start + uniform * (stop - start))
    first, last = start - burst_time, stop - burst_time
    power = 1.0 - decay_index
    if abs(power) < 1e-9:
        return np.asarray(burst_time + first * (last / first) ** uniform)
    # Computed relative to the first time, so that steep power laws neither overflow nor cancel.
    grown = np.log1p(uniform * np.expm1(power * np.log(last / first))) / power
    return np.asarray(burst_time + first * np.exp(grown))


def draw_pulse_heights(
    rng: np.random.Generator, number: int, spectrum: PowerLaw, calibration: Calibration
) -> Floats:
    """Draw pulse heights (unrounded channels) of photons of a spectrum that pass optics and detector.

    Parameters
    ----------
    rng
        Random number generator.
    number
        Number of photons.
    spectrum
        Spectrum of the source.
    calibration
        Calibration with effective area, energy resolution and gain.
    """
    centre = energy_bins(*instrument().energy.band_kev)
    energy = centre[_draw(rng, number, spectrum.density(centre) * calibration.effective_area.at(centre))]
    energy += ENERGY_STEP_KEV * (rng.random(number) - 0.5)
    energy += calibration.redistribution.fwhm(energy) / FWHM_PER_SIGMA * rng.standard_normal(number)
    return np.clip(calibration.gain.channel(energy), *_channels_of_the_band(calibration.gain))


def _channels_of_the_band(gain: Gain) -> tuple[float, float]:
    """Return the first and last pulse height channel in the energy band."""
    energy = instrument().energy
    low, high = gain.channel(energy.band_kev)
    # A rounding error must not exclude a channel at the edge of the band.
    return max(np.ceil(low - 1e-9), 0.0), min(np.floor(high + 1e-9), energy.pha_channels - 1.0)


def _draw(rng: np.random.Generator, number: int, weight: Floats) -> npt.NDArray[np.intp]:
    """Draw random indices with the given weights, by inversion of their cumulative sum."""
    total = np.cumsum(weight)
    return np.asarray(np.searchsorted(total, rng.random(number) * total[-1], side="right"), dtype=np.intp)


def _check(
    x: float,
    y: float,
    counts: float,
    background: float,
    start: float,
    stop: float,
    burst_time: float | None,
    decay_index: float,
) -> None:
    edge = detector_pixels() - 0.5
    if not (-0.5 <= x <= edge and -0.5 <= y <= edge):
        raise InvalidInput(f"simulated source: position ({x}, {y}) is outside the detector")
    for name, value in (("counts", counts), ("background", background)):
        if not 0.0 <= value < np.inf:
            raise InvalidInput(f"simulated source: {name} = {value}; expected a number >= 0")
    if not -np.inf < start < stop < np.inf:
        raise InvalidInput(f"simulated source: start {start} is not before stop {stop}")
    if not np.isfinite(decay_index) or (decay_index and (burst_time is None or burst_time >= start)):
        raise InvalidInput(
            f"simulated source: a decay of index {decay_index} needs a burst time before {start}, "
            f"not {burst_time}"
        )
