"""The photons of a burst as the detector sees them: where, when and how energetic.

Left out on purpose: pile-up, split events, vignetting of the spectrum over the field.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

from mxtvhf.calibration import default_calibration
from mxtvhf.errors import InvalidInput
from mxtvhf.instrument import instrument
from mxtvhf.localisation import bad_pixel_mask, default_psf
from mxtvhf.photons import PhotonList
from mxtvhf.psf import Floats, SeparablePsf, detector_pixels

ERG_PER_KEV = 1.602176634e-9
"""Exact since the SI of 2019."""
_FWHM_PER_SIGMA = 2.3548200450309493
_ENERGY_STEP_KEV = 0.005


@cache
def spectrum_constants() -> dict[str, Any]:
    """Return ``data/spectrum.toml``; see the file for units and sources."""
    return tomllib.loads((files("mxtvhf") / "data" / "spectrum.toml").read_text())


def effective_area(energy_kev: Floats) -> Floats:
    """Effective area (cm2) of the default calibration."""
    return default_calibration().effective_area.at(energy_kev)


@dataclass(frozen=True)
class PowerLaw:
    """An absorbed power law, in photons.

    Attributes
    ----------
    photon_index
        N(E) ~ E^-index.
    nh_cm2
        Column of absorbing hydrogen, 1/cm2; the cross-section is the approximation of
        ``data/spectrum.toml``.
    """

    photon_index: float = field(default_factory=lambda: float(spectrum_constants()["source"]["photon_index"]))
    nh_cm2: float = field(default_factory=lambda: float(spectrum_constants()["source"]["nh_cm2"]))

    def density(self, energy_kev: npt.ArrayLike) -> Floats:
        """Photons per keV, with 1 at 1 keV before absorption."""
        law = spectrum_constants()["absorption"]
        energy = np.asarray(energy_kev, dtype=np.float64)
        depth = self.nh_cm2 * law["cross_section_cm2"] * energy ** law["index"]
        return np.asarray(energy**-self.photon_index * np.exp(-depth))


def expected_counts(
    flux: float, exposure_s: float, x: float, y: float, spectrum: PowerLaw | None = None
) -> float:
    """Photons that a source puts on the detector.

    Parameters
    ----------
    flux
        Mean flux in 0.3-10 keV as it arrives (absorbed), erg/cm2/s.
    exposure_s
        Duration, s.
    x, y
        Position on the detector; the area scales with the part of the PSF that the detector encloses.
    spectrum
        By default the one of ``data/spectrum.toml``.
    """
    spectrum = spectrum or PowerLaw()
    energy = _energies(*spectrum_constants()["source"]["flux_band_kev"])
    flux_density = spectrum.density(energy)
    erg_per_photon = ERG_PER_KEV * (energy * flux_density).sum() / flux_density.sum()
    area = (effective_area(energy) * flux_density).sum() / flux_density.sum()
    middle = 0.5 * (detector_pixels() - 1)
    enclosed = _enclosed(default_psf(), x, y) / _enclosed(default_psf(), middle, middle)
    return float(flux / erg_per_photon * area * exposure_s * enclosed)


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
        Expected number of source photons that fall on the detector (all of it: of those a part may fall on
        bad pixels and is lost).
    background
        Expected number of background photons on the whole detector, flat in position, time and pulse height
        (assumed).
    start, stop
        Of the observation, MET seconds.
    rng
        Source of randomness; the same state gives the same photons.
    burst_time, decay_index
        The source's rate falls as (t - burst_time)^-decay_index; ``burst_time`` (MET) is before ``start``.
        By default it is constant.
    spectrum, psf
        By default those of the instrument's data files.
    bad_pixels
        As for ``localise``; their photons are left out.
    exact
        Take ``counts`` and ``background`` (whole numbers) as they are instead of drawing Poisson numbers.

    Returns
    -------
    PhotonList
        In time order; times are the starts of detector frames counted from ``start``.

    Raises
    ------
    InvalidInput
        A position off the detector, a negative or infinite number, an empty time range, a decay without a
        burst time before ``start``.
    """
    _check(x, y, counts, background, start, stop, burst_time, decay_index)
    n_source, n_background = (
        (round(counts), round(background)) if exact else (rng.poisson(counts), rng.poisson(background))
    )
    total = n_source + n_background
    size = detector_pixels()
    column, row = rng.integers(0, size, (2, total))
    column[:n_source], row[:n_source] = draw_pixels(rng, n_source, x, y, psf or default_psf())
    time = rng.uniform(start, stop, total)
    time[:n_source] = draw_times(rng, n_source, start, stop, burst_time, decay_index)
    low, high = _channels(np.array(instrument()["energy"]["band_kev"]))
    pha = rng.uniform(low, high, total)
    pha[:n_source] = draw_pulse_heights(rng, n_source, spectrum or PowerLaw())
    frame = instrument()["detector"]["frame_time_s"]
    time = start + frame * np.floor((time - start) / frame)
    keep = np.flatnonzero(~bad_pixel_mask(bad_pixels)[row, column])
    order = keep[np.lexsort((row[keep], column[keep], time[keep]))]
    return PhotonList(
        time[order],
        column[order].astype(np.int16),
        row[order].astype(np.int16),
        pha[order].astype(np.int32),
    )


def draw_pixels(
    rng: np.random.Generator, number: int, x: float, y: float, psf: SeparablePsf
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Columns and rows of a source's photons, given that they fall on the detector."""
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
    """Arrival times (MET) of a source that fades as (t - burst_time)^-decay_index, by inversion."""
    uniform = rng.random(number)
    if burst_time is None or decay_index == 0.0:
        return np.asarray(start + uniform * (stop - start))
    first, last = start - burst_time, stop - burst_time
    power = 1.0 - decay_index
    if abs(power) < 1e-9:
        return np.asarray(burst_time + first * (last / first) ** uniform)
    # Relative to the first moment, so that steep laws neither overflow nor cancel.
    grown = np.log1p(uniform * np.expm1(power * np.log(last / first))) / power
    return np.asarray(burst_time + first * np.exp(grown))


def draw_pulse_heights(rng: np.random.Generator, number: int, spectrum: PowerLaw) -> Floats:
    """Pulse heights (channels, not yet whole) of photons of a spectrum, through optics and detector.

    The energy resolution is FWHM(E) = 2.355 w sqrt(ENC^2 + F E / w), see ``[energy]`` of the instrument.
    """
    detector = instrument()["energy"]
    centre = _energies(*detector["band_kev"])
    energy = centre[_draw(rng, number, spectrum.density(centre) * effective_area(centre))]
    energy += _ENERGY_STEP_KEV * (rng.random(number) - 0.5)
    energy += energy_fwhm(energy) / _FWHM_PER_SIGMA * rng.standard_normal(number)
    low, high = _channels(np.array(detector["band_kev"]))
    return np.asarray(np.clip(_channels(energy), low, high))


def energy_fwhm(energy_kev: npt.ArrayLike) -> Floats:
    """Energy resolution of the detector, full width at half maximum, keV."""
    detector = instrument()["energy"]
    pair = 1e-3 * detector["pair_energy_ev"]
    noise = detector["noise_electrons_rms"] ** 2 + detector["fano_factor"] * np.asarray(energy_kev) / pair
    return np.asarray(_FWHM_PER_SIGMA * pair * np.sqrt(noise))


def _channels(energy_kev: Floats) -> Floats:
    detector = instrument()["energy"]
    return np.asarray((energy_kev - detector["offset_kev"]) / detector["gain_kev_per_channel"])


def _energies(low: float, high: float) -> Floats:
    """Centres of small equal bins from ``low`` to ``high`` keV."""
    bins = round((high - low) / _ENERGY_STEP_KEV)
    return low + (high - low) * (np.arange(bins) + 0.5) / bins


def _draw(rng: np.random.Generator, number: int, weight: Floats) -> npt.NDArray[np.intp]:
    """Random indices with the given weights, by inversion of their sum."""
    total = np.cumsum(weight)
    return np.asarray(np.searchsorted(total, rng.random(number) * total[-1], side="right"), dtype=np.intp)


def _enclosed(psf: SeparablePsf, x: float, y: float) -> float:
    column, row = psf.fractions((x, y), detector_pixels()).sum(axis=-1)
    return float(column * row)


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
        raise InvalidInput(f"simulated source: position ({x}, {y}) is not on the detector")
    for name, value in (("counts", counts), ("background", background)):
        if not 0.0 <= value < np.inf:
            raise InvalidInput(f"simulated source: {name} = {value} is not a number >= 0")
    if not -np.inf < start < stop < np.inf:
        raise InvalidInput(f"simulated source: no time between start {start} and stop {stop}")
    if not np.isfinite(decay_index) or (decay_index and (burst_time is None or burst_time >= start)):
        raise InvalidInput(
            f"simulated source: a decay of index {decay_index} needs a burst time before {start}, "
            f"not {burst_time}"
        )
