"""Numbers of the generator: ``realsky.toml``, and calibration files read as data."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_HERE = Path(__file__).parent
_INSTRUMENT = _HERE.parents[1] / "mxtvhf" / "instrument"

SIZE = 256
"""Columns, and rows, of the detector."""
MIDDLE = 0.5 * (SIZE - 1)
FRAME_S = 0.1
CHANNELS = 4096
"""Pulse height channels."""
BAND_KEV = (0.2, 10.0)
ENERGY = np.arange(0.1, 12.0, 0.005) + 0.0025
"""Energies on which spectra are given, keV."""
ENERGY_STEP = 0.005


def facts(section: str) -> dict[str, Any]:
    """Return a table of ``realsky.toml``."""
    table: dict[str, Any] = _read(_HERE / "realsky.toml")[section]
    return table


@cache
def _read(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


@cache
def alignment_r90_arcsec() -> float:
    """Return the systematic 90 % radius of the alignment, arcsec."""
    return float(_calibration("alignment", "002")["systematic_r90_arcsec"])


def grb_facts() -> dict[str, Any]:
    """Return ``grb_cases.toml``."""
    return _read(_HERE / "grb_cases.toml")


def _calibration(name: str, version: str = "001") -> dict[str, Any]:
    return _read(_INSTRUMENT / "caldb" / f"{name}_{version}.toml")


@cache
def area() -> Floats:
    """Return the effective area at `ENERGY`, cm2."""
    table = _calibration("effective_area")
    return np.asarray(np.interp(ENERGY, table["energy_kev"], table["area_cm2"]))


def sigma_kev(energy: Floats) -> Floats:
    """Return the energy resolution of a Gaussian line, 1 sigma, keV."""
    table = _calibration("redistribution")
    pair = table["pair_energy_ev"] * 1e-3
    variance = table["noise_electrons_rms"] ** 2 + table["fano_factor"] * energy / pair
    return np.asarray(pair * np.sqrt(variance))


def channel(energy: Floats) -> Ints:
    """Return the pulse height channel of a measured energy, keV."""
    table = _calibration("gain")
    channels: Ints = np.rint((energy - table["offset_kev"]) / table["kev_per_channel"]).astype(np.int64)
    return channels


@cache
def pixel_arcmin() -> float:
    """Return the size of a pixel on the sky in the middle of the field."""
    table = _read(_INSTRUMENT / "constants.toml")
    size, focal = table["detector"]["pixel_size_mm"], table["optics"]["focal_length_mm"]
    return float(np.degrees(size / focal) * 60.0)
