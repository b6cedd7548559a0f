"""Convert the flux of a source to its photons on the detector."""

from __future__ import annotations

import numpy as np

from mxtvhf.analysis.powerlaw import ERG_PER_KEV, PowerLaw, spectrum_constants
from mxtvhf.instrument.calibration import Calibration, default_calibration
from mxtvhf.instrument.constants import instrument
from mxtvhf.instrument.psf import LobsterEyePsf, detector_pixels
from mxtvhf.models.arrays import Floats

ENERGY_STEP_KEV = 0.005
"""Width of the energy bins, keV."""


def expected_counts(
    flux: float,
    exposure_s: float,
    x: float,
    y: float,
    spectrum: PowerLaw | None = None,
    calibration: Calibration | None = None,
) -> float:
    """Return the expected photons of a source on the detector.

    Parameters
    ----------
    flux
        Mean observed (absorbed) flux in 0.3-10 keV, erg/cm2/s.
    exposure_s
        Duration, s.
    x, y
        Position on the detector; the area scales with the enclosed fraction of the PSF.
    spectrum
        Spectrum; by default that of ``spectrum.toml``.
    calibration
        Calibration with effective area and PSF; by default the latest one of the package.
    """
    spectrum = spectrum or PowerLaw()
    calibration = calibration or default_calibration()
    energy = energy_bins(*spectrum_constants().source.flux_band_kev)
    erg = ERG_PER_KEV * ENERGY_STEP_KEV * (energy * spectrum.density(energy)).sum()
    # Photons of the whole detector band are counted, in agreement with the simulated photons.
    energy = energy_bins(*instrument().energy.band_kev)
    counted = (calibration.effective_area.at(energy) * spectrum.density(energy)).sum() * ENERGY_STEP_KEV
    middle, psf = 0.5 * (detector_pixels() - 1), LobsterEyePsf.of(calibration.psf)
    enclosed = psf.enclosed(x, y) / psf.enclosed(middle, middle)
    return float(flux / erg * counted * exposure_s * enclosed)


def energy_bins(low: float, high: float) -> Floats:
    """Return the centres of equal bins of about `ENERGY_STEP_KEV`, keV.

    Parameters
    ----------
    low, high
        Limits, keV.
    """
    bins = round((high - low) / ENERGY_STEP_KEV)
    return low + (high - low) * (np.arange(bins) + 0.5) / bins
