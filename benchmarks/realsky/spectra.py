"""Spectra of sources and backgrounds on the grid ``facts.ENERGY``, and energies drawn from them."""

from __future__ import annotations

from functools import cache

import numpy as np

from benchmarks.realsky.facts import (
    BAND_KEV,
    ENERGY,
    ENERGY_STEP,
    Floats,
    area,
    facts,
    sigma_kev,
)

_ERG_PER_KEV = 1.602176634e-9


@cache
def cross_section() -> Floats:
    """Return the photoelectric cross-section per hydrogen atom, cm2."""
    table = facts("absorption")
    part = np.searchsorted(table["lower_kev"], ENERGY, side="right") - 1
    c0, c1, c2 = (np.asarray(table[name])[part] for name in ("c0", "c1", "c2"))
    return np.asarray(1e-24 * (c0 + c1 * ENERGY + c2 * ENERGY**2) / ENERGY**3)


@cache
def power_law(index: float, nh_cm2: float) -> Floats:
    """Return an absorbed power law, photons / keV / cm2 / s for a norm of 1 at 1 keV."""
    return np.asarray(ENERGY**-index * np.exp(-nh_cm2 * cross_section()))


@cache
def sky(foreground: float, nh_cm2: float | None = None) -> Floats:
    """Return the cosmic background and Galactic foreground, photons / keV / cm2 / s / sr.

    Parameters
    ----------
    foreground
        Factor of the foreground.
    nh_cm2
        Galactic column before the cosmic background and half of the foreground; None: that of the file.
    """
    table = facts("sky")
    column = table["nh_cm2"] if nh_cm2 is None else nh_cm2
    through = np.exp(-column * cross_section())
    cosmic = table["cosmic_norm_at_1_kev"] * power_law(table["cosmic_index"], column)
    soft = table["foreground_norm"] * np.exp(-ENERGY / table["foreground_kt_kev"]) / ENERGY
    for line, strength in zip(table["foreground_lines_kev"], table["foreground_lines"], strict=True):
        soft[np.abs(ENERGY - line).argmin()] += strength / ENERGY_STEP
    return np.asarray(cosmic + foreground * soft * 0.5 * (1.0 + through))


def seen_through_optics(density: Floats) -> Floats:
    """Return counts per second and keV, before the energy resolution."""
    return density * area()


def flux_per_count(index: float, nh_cm2: float, top_kev: float = 10.0) -> float:
    """Return the absorbed flux, 0.3 to ``top_kev`` keV, of one count per second in the band, erg/cm2.

    Of a source in the middle of the field: the effective area is given there.
    """
    density = power_law(index, nh_cm2)
    erg = _ERG_PER_KEV * (ENERGY * density)[_within(0.3, top_kev)].sum()
    return float(erg / seen_through_optics(density)[_within(*BAND_KEV)].sum())


def _within(low: float, high: float) -> np.ndarray:
    energy = ENERGY
    return np.asarray((energy > low) & (energy < high))


def measured_energies(spectrum: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Draw exactly ``count`` measured energies in the band, keV, from counts per energy of `ENERGY`."""
    cumulative = np.cumsum(spectrum)
    found = np.empty(0)
    while found.size < count:
        place = rng.random(2 * count + 20) * cumulative[-1]
        true = ENERGY[np.minimum(np.searchsorted(cumulative, place), ENERGY.size - 1)]
        true = true + ENERGY_STEP * (rng.random(true.size) - 0.5)
        found = np.append(found, in_band(true + sigma_kev(true) * rng.standard_normal(true.size)))
    return found[:count]


def particle_energies(count: int, tilt: float, lines: float, rng: np.random.Generator) -> Floats:
    """Draw measured energies of the particle background, keV.

    Parameters
    ----------
    count
        How many.
    tilt
        -1..1: density 1 + tilt u over the band, u from -1 at its lower to 1 at its upper end. 0: flat.
    lines
        Part that is in the fluorescence lines, shared equally.
    """
    low, high = BAND_KEV
    place = rng.random(count)
    # The inverse of the distribution (u + tilt u^2 / 2) / 2 + const.
    u = 2.0 * place - 1.0 if tilt == 0.0 else (np.sqrt((1.0 - tilt) ** 2 + 4.0 * tilt * place) - 1.0) / tilt
    energy = low + 0.5 * (high - low) * (1.0 + u)
    centres = np.asarray(facts("particles")["lines_kev"])
    line = centres[rng.integers(0, centres.size, count)]
    line = line + sigma_kev(line) * rng.standard_normal(count)
    return np.where(rng.random(count) < lines, line, energy)


def noise_energies(count: int, rng: np.random.Generator) -> Floats:
    """Draw energies of readout noise, keV."""
    return in_band(BAND_KEV[0] + rng.exponential(facts("faults")["noise_kev"], count))


def in_band(energy: Floats) -> Floats:
    """Keep the energies of the detector's band."""
    return energy[(energy >= BAND_KEV[0]) & (energy <= BAND_KEV[1])]
