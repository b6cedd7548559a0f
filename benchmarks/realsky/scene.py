"""Content of an observation (`Case`), and its photons (`draw`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np

from benchmarks.realsky import detector, spectra
from benchmarks.realsky.detector import Faults, Splits
from benchmarks.realsky.facts import BAND_KEV, MIDDLE, SIZE, Flags, Floats, Ints, channel, facts, pixel_arcmin
from benchmarks.realsky.optics import Optics, on_detector
from benchmarks.realsky.times import Fading, Times, Varying

BACKGROUND, NOISE = -1, -2
"""Origins of entries that are of no source."""


@dataclass(frozen=True)
class Source:
    """A point source, or a patch of constant brightness."""

    counts: float
    """Expected photons on the detector, in the band, were nothing lost."""
    index: float = 2.0
    nh_cm2: float = 1e21
    times: Times = field(default_factory=Fading)
    low: float = 20.0
    """Its column is drawn from ``low`` to ``high``, its row from 20 to 235 pixels."""
    high: float = 235.0
    apart_arcmin: tuple[float, float] | None = None
    """Distance from the first source, least and largest; None: anywhere."""
    radius_arcmin: float = 0.0
    """Of a uniform disc; 0: a point."""


@dataclass(frozen=True)
class Background:
    """Particles, and the diffuse sky through the optics."""

    counts: float
    sky: float = 0.0
    """Part of the photons that is sky."""
    foreground: float = 1.0
    """Galactic foreground, factor."""
    sky_nh_cm2: float | None = None
    """Galactic column before the sky; None: that of ``realsky.toml``."""
    tilt: float = 0.0
    """Of the particles' spectrum, see `spectra.particle_energies`."""
    lines: float = 0.0
    """Part of the particles in fluorescence lines."""
    vignetting: float = 0.25
    """The sky is fainter by this part in the corners than in the middle."""
    gradient: float = 0.0
    """Particles: 1 +- gradient on opposite edges of the detector, in a random direction."""
    times: Varying = field(default_factory=Varying)
    """Of the particles; the sky is steady."""


@dataclass(frozen=True)
class Case:
    """Content of the observations of a row of the table."""

    name: str
    background: Background
    sources: tuple[Source, ...] = ()
    """The first one is the burst."""
    optics: Optics = field(default_factory=Optics)
    splits: Splits = field(default_factory=Splits)
    faults: Faults = field(default_factory=Faults)
    lost: float = 0.0
    """Part of the packets that is lost, at random."""
    lost_first: float = 0.0
    """Part of the observation at its start of which nothing was received."""
    start_s: float = 100.0
    """Start of the observation, seconds after T0."""
    length_s: float | None = None
    """Of the observation; None: what the background takes at the rate of ``realsky.toml``, at least 300 s."""
    t0_known: bool = True
    eclairs_r90_arcmin: float | None = None
    """Radius of the ECLAIRs position, which is off the burst accordingly; None: no such notice."""
    drift_arcmin: float = 0.0
    """The boresight moves by so much along the rows during the observation, as the attitude says."""
    attitude_noise_arcsec: float = 0.0
    """Noise of the attitude samples about each axis, 1 sigma."""
    energy_scale: float = 1.0
    """Measured energies are so many times what the calibration says."""
    squeezed: Literal["", "pixel", "frame", "energy"] = ""
    """All photons in one pixel, in one frame, or of one pulse height."""
    flux: bool = False
    """Measure flux, spectrum and decay, too."""
    at_limit: bool = False
    """Look for sources of as many photons as the upper limit of the same background says."""

    @property
    def stop_s(self) -> float:
        """Return the end of the observation, seconds after T0."""
        length = self.length_s or max(300.0, self.background.counts / facts("particles")["rate_per_s"])
        return self.start_s + length


class Drawn(NamedTuple):
    """Entries of the photon list in time order, and the truth.

    Attributes
    ----------
    column, row, pha
        Pixel addresses and pulse height channels.
    time
        Start of the detector's frame, seconds after T0.
    origin
        Number of the source, `BACKGROUND` or `NOISE`; of piled-up photons that of one of them.
    places
        Of the sources, continuous pixels, shape (sources, 2).
    counts
        Photons of each source in the list; a split one counts once.
    gaps
        Intervals of which the packets were lost, seconds after T0, shape (gaps, 2).
    """

    column: Ints
    row: Ints
    pha: Ints
    time: Floats
    origin: Ints
    places: Floats
    counts: Ints
    gaps: Floats
    sent: tuple[Ints, Ints, Ints, Floats]
    """Columns, rows, channels and times of all entries, lost or not."""
    lost_packets: Flags
    """Of the packets that carry them, in their order."""
    eclairs: Floats | None
    """Place of the ECLAIRs position."""


def draw(case: Case, rng: np.random.Generator) -> Drawn:
    """Draw one observation."""
    places = _source_places(case, rng)
    parts = [_background(case, rng)]
    for number, (source, (x, y)) in enumerate(zip(case.sources, places, strict=True)):
        parts.append(_photons_of(source, number, x, y, case, rng))
    x, y, energy, time, origin = (np.concatenate(column) for column in zip(*parts, strict=True))
    column, row, energy, photon = detector.read_out(x, y, energy, case.splits, rng)
    entries = (column, row, channel(case.energy_scale * energy), detector.frames(time[photon]), photon)
    around = places[0] if len(places) else np.array([MIDDLE, MIDDLE])
    noise = detector.noise(case.faults, around, case.start_s, case.stop_s, rng)
    noise_entries = (*noise, np.full(noise[0].size, -1))
    column, row, pha, time, photon = (
        np.concatenate(pair) for pair in zip(entries, noise_entries, strict=True)
    )
    alive = ~np.isin(column, detector.dead_columns(case.faults, around, rng))
    entries = _squeezed(case, (column[alive], row[alive], pha[alive], time[alive], photon[alive]))
    column, row, pha, time, photon = detector.piled_up(*entries)
    lost = _lost_packets(case, time, rng)
    received = ~lost[_packet_numbers(time)]
    # Noise is of photon -1: the last origin.
    origin = np.append(origin, NOISE)
    of_source = origin[np.unique(photon[received])]
    counts = np.array([(of_source == number).sum() for number in range(len(places))], dtype=np.int64)
    return Drawn(
        column[received], row[received], pha[received], time[received], origin[photon[received]], places,
        counts, _gaps(case, time, lost), (column, row, pha, time), lost, _eclairs_place(case, places, rng),
    )  # fmt: skip


_Photons = tuple[Floats, Floats, Floats, Floats, Ints]
"""Continuous places x and y, measured energies, times and origins."""


def _source_places(case: Case, rng: np.random.Generator) -> Floats:
    places: list[tuple[float, float]] = []
    for source in case.sources:
        while True:
            x, y = rng.uniform(source.low, source.high), rng.uniform(20.0, 235.0)
            if source.apart_arcmin is not None:
                apart = rng.uniform(*source.apart_arcmin) / pixel_arcmin()
                angle = rng.uniform(0.0, 2.0 * np.pi)
                x, y = places[0][0] + apart * np.cos(angle), places[0][1] + apart * np.sin(angle)
            if source.apart_arcmin is None or (20.0 <= x <= 235.0 and 20.0 <= y <= 235.0):
                places.append((x, y))
                break
            if rng.random() < 0.02:
                # The first place leaves no room at this distance in most directions: take another one.
                places[0] = (rng.uniform(20.0, 235.0), rng.uniform(20.0, 235.0))
    return np.array(places).reshape(-1, 2)


def _photons_of(
    source: Source, number: int, x: float, y: float, case: Case, rng: np.random.Generator
) -> _Photons:
    count = int(rng.poisson(source.counts))
    if source.radius_arcmin:
        radius = source.radius_arcmin / pixel_arcmin() * np.sqrt(rng.random(4 * count + 50))
        angle = rng.uniform(0.0, 2.0 * np.pi, radius.size)
        disc = np.array([[x], [y]]) + radius * np.stack([np.cos(angle), np.sin(angle)])
        drawn = disc + case.optics.offsets(radius.size, rng)
        places = drawn[:, on_detector(drawn)][:, :count]
    else:
        places = case.optics.places(x, y, count, rng)
    count = places.shape[1]
    spectrum = spectra.seen_through_optics(spectra.power_law(source.index, source.nh_cm2))
    energy = spectra.measured_energies(spectrum, count, rng)
    time = source.times.draw(case.start_s, case.stop_s, count, rng)
    x_seen = places[0] - drift_pixels(case, time)
    return x_seen, places[1], energy, time, np.full(count, number)


def drift_pixels(case: Case, time: Floats) -> Floats:
    """Return the offset of the boresight from its mean along the rows, pixels."""
    passed = (time - case.start_s) / (case.stop_s - case.start_s)
    return np.asarray(case.drift_arcmin / pixel_arcmin() * (passed - 0.5))


def _background(case: Case, rng: np.random.Generator) -> _Photons:
    this = case.background
    n_sky = int(rng.poisson(this.sky * this.counts))
    n_particles = int(rng.poisson((1.0 - this.sky) * this.counts))
    sky = _thinned(n_sky, lambda u, v: 1.0 - 0.5 * this.vignetting * (u**2 + v**2), 1.0, rng)
    angle, steepest = rng.uniform(0.0, 2.0 * np.pi), 1.0 + np.sqrt(2.0) * this.gradient
    particles = _thinned(
        n_particles,
        lambda u, v: 1.0 + this.gradient * (u * np.cos(angle) + v * np.sin(angle)),
        steepest, rng,
    )  # fmt: skip
    x, y = np.concatenate([sky, particles], axis=1)
    energy = np.concatenate(
        [
            spectra.measured_energies(
                spectra.seen_through_optics(spectra.sky(this.foreground, this.sky_nh_cm2)), n_sky, rng
            ),
            np.clip(spectra.particle_energies(n_particles, this.tilt, this.lines, rng), *BAND_KEV),
        ]
    )
    time = np.concatenate(
        [
            rng.uniform(case.start_s, case.stop_s, n_sky),
            this.times.draw(case.start_s, case.stop_s, n_particles, rng),
        ]
    )
    return x, y, energy, time, np.full(x.size, BACKGROUND)


def _thinned(
    count: int, density: Callable[[Floats, Floats], Floats], highest: float, rng: np.random.Generator
) -> Floats:
    """Draw continuous places from a density over the detector's coordinates u, v, -1..1."""
    found = np.empty((2, 0))
    while found.shape[1] < count:
        drawn = rng.uniform(-0.5, SIZE - 0.5, (2, 2 * count + 20))
        u, v = (drawn - MIDDLE) / (0.5 * SIZE)
        kept = rng.random(u.size) * highest < density(u, v)
        found = np.concatenate([found, drawn[:, kept]], axis=1)
    return found[:, :count]


_Entries = tuple[Ints, Ints, Ints, Floats, Ints]
"""Columns, rows, channels, times and photons."""


def _squeezed(case: Case, entries: _Entries) -> _Entries:
    column, row, pha, time, photon = entries
    if case.squeezed == "pixel":
        column, row = np.full_like(column, 100), np.full_like(row, 150)
    elif case.squeezed == "frame":
        time = np.full_like(time, detector.frames(np.array([case.start_s]))[0] + 10.0)
    elif case.squeezed == "energy":
        pha = np.full_like(pha, 400)
    return column, row, pha, time, photon


def _packet_numbers(time: Floats) -> Ints:
    return np.arange(time.size) // int(facts("packets")["photons"])


def _lost_packets(case: Case, time: Floats, rng: np.random.Generator) -> Flags:
    first_received = case.start_s + case.lost_first * (case.stop_s - case.start_s)
    starts = time[:: facts("packets")["photons"]]
    return np.asarray((rng.random(starts.size) < case.lost) | (starts < first_received))


def _gaps(case: Case, time: Floats, lost: Flags) -> Floats:
    """Return the intervals of the lost packets: from the first photon of one to that of the next packet."""
    starts = time[:: facts("packets")["photons"]].copy()
    starts[:1] = case.start_s
    edges = np.append(starts, case.stop_s)
    gaps = np.stack([edges[:-1][lost], edges[1:][lost]], axis=1)
    return np.asarray(gaps[gaps[:, 1] > gaps[:, 0]])


def _eclairs_place(case: Case, places: Floats, rng: np.random.Generator) -> Floats | None:
    if case.eclairs_r90_arcmin is None or not len(places):
        return None
    sigma = case.eclairs_r90_arcmin / pixel_arcmin() / np.sqrt(2.0 * np.log(10.0))
    return np.asarray(places[0] + sigma * rng.standard_normal(2))
