"""Rows of the table: one assumption of the pipeline is wrong at a time, then several together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from benchmarks.realsky.detector import Faults, Splits
from benchmarks.realsky.grb_cases import grb_cases
from benchmarks.realsky.optics import Optics
from benchmarks.realsky.scene import Background, Case, Source
from benchmarks.realsky.times import Fading, Flare, Varying

EMPTY = (50, 135, 300, 1000)
"""Background photons of the fields without a source."""
BURSTS = (
    *((15, 20), (15, 50), (30, 50), (60, 50), (30, 300), (60, 300), (120, 300)),
    *((60, 1000), (120, 1000), (300, 1000), (1000, 300), (5000, 1000)),
)
"""Source and background photons of the plain case."""
FEW = ((60, 50), (120, 300), (300, 1000))
"""Those of the cases that are about the background."""

SKIES = {
    "flat background": Background(0),
    "sky 25 %": Background(0, sky=0.25),
    "sky 50 %": Background(0, sky=0.5),
    "sky 80 %": Background(0, sky=0.8),
    "sky 50 %, foreground x 3": Background(0, sky=0.5, foreground=3.0),
    "sky 50 %, N_H 1e22": Background(0, sky=0.5, sky_nh_cm2=1e22),
    "particles falling": Background(0, tilt=-0.7),
    "particles rising": Background(0, tilt=0.7),
    "lines 20 %": Background(0, lines=0.2),
    "gradient 30 %": Background(0, gradient=0.3),
    "background decays": Background(0, times=Varying(0.5, 0.1)),
    "background flares": Background(0, times=Varying(0.3, 0.0)),
    "all of the sky": Background(0, 0.5, tilt=-0.3, lines=0.1, gradient=0.15, times=Varying(0.2, 0.1)),
}
SPLITS = {
    "25 % doubles": Splits(doubles=0.25),
    "25 % doubles, 5 % triples, 3 % quadruples": Splits(0.25, 0.05, 0.03),
}
FAULTS = {
    "hot pixel of 20": Faults(hot_pixels=(20.0,)),
    "hot pixels of 60, 20, 20": Faults(hot_pixels=(60.0, 20.0, 20.0)),
    "flickering pixel of 20": Faults(flickering=20.0),
    "noisy row of 20": Faults(noisy_rows=(20.0,)),
    "noisy row of 60": Faults(noisy_rows=(60.0,)),
    "noisy column of 40": Faults(noisy_columns=(40.0,)),
    "cluster of 40": Faults(cluster=40.0),
}
EVERYTHING = Case(
    "everything", Background(0, 0.5, tilt=-0.3, lines=0.1, gradient=0.15, times=Varying(0.2, 0.1)),
    splits=Splits(0.25, 0.05, 0.03), faults=Faults((20.0,), 10.0, (20.0,), dead=2), lost=0.1,
)  # fmt: skip


def cases() -> tuple[Case, ...]:
    """Return all rows of the table; names begin with their group."""
    groups = (_empty, _sources, _pairs, _times, _spectra, _optics, _limits, _odd, grb_cases)
    return tuple(case for group in groups for case in group())


def _sky(name: str, counts: float) -> Background:
    return replace(SKIES[name], counts=counts)


def _empty() -> Iterator[Case]:
    for counts in EMPTY:
        flat = Background(counts)
        for name in SKIES:
            yield Case(f"empty: {name}", _sky(name, counts))
        for name, splits in SPLITS.items():
            yield Case(f"empty: {name}", flat, splits=splits)
        for name, faults in FAULTS.items():
            yield Case(f"empty: {name}", flat, faults=faults)
        yield Case("empty: 6 dead columns", flat, faults=Faults(dead=6))
        yield Case("empty: 30 % of packets lost", flat, lost=0.3)
        yield Case("empty: no T0", flat, t0_known=False)
        yield Case("empty: energy scale 10 % low", flat, energy_scale=0.9)
        everything = replace(EVERYTHING.background, counts=counts)
        yield replace(EVERYTHING, name="empty: everything", background=everything)
    yield Case("empty: gradient 30 %", _sky("gradient 30 %", 5000))


def _sources() -> Iterator[Case]:
    for counts, background in BURSTS:
        yield Case("burst", Background(background), (Source(counts),))
    for name in list(SKIES)[1:]:
        for counts, background in FEW:
            yield Case(f"burst: {name}", _sky(name, background), (Source(counts),))
    for counts, background in FEW:
        flat, burst = Background(background), (Source(counts),)
        for name, splits in SPLITS.items():
            yield Case(f"burst: {name}", flat, burst, splits=splits)
        for name, faults in FAULTS.items():
            yield Case(f"burst: {name}", flat, burst, faults=faults)
        near = Faults(noisy_rows=(40.0,), near=30.0)
        yield Case("burst: noisy row of 40 near it", flat, burst, faults=near)
        yield Case("burst: 6 dead columns", flat, burst, faults=Faults(dead=6))
        yield Case("burst: 2 dead columns near it", flat, burst, faults=Faults(dead=2, near=15.0))
        yield Case("burst: near an edge", flat, (Source(counts, low=0.0, high=12.0),))
        yield Case("burst: no T0", flat, burst, t0_known=False)
        yield Case("burst: ECLAIRs 4'", flat, burst, eclairs_r90_arcmin=4.0)
        yield Case("burst: 30 % of packets lost", flat, burst, lost=0.3, flux=True)
        yield Case("burst: first 40 % lost", flat, burst, lost_first=0.4, flux=True)
        yield Case("burst: energy scale 10 % low", flat, burst, energy_scale=0.9)
        yield Case("burst: drift of 5'", flat, burst, drift_arcmin=5.0)
        hot = Case("burst: hot pixel of 60, attitude noise 4 arcsec", flat, burst, faults=Faults((60.0,)))
        yield replace(hot, attitude_noise_arcsec=4.0, flux=True)
        everything = replace(EVERYTHING.background, counts=background)
        yield replace(EVERYTHING, name="burst: everything", background=everything, sources=burst)


def _pairs() -> Iterator[Case]:
    for first, second in ((150, 150), (100, 300)):
        for low, high in ((6.0, 10.0), (10.0, 20.0)):
            other = Source(second, times=Fading(0.0), apart_arcmin=(low, high))
            name = f"sources: {first} and {second}, {low:.0f}-{high:.0f}' apart"
            pair = Case(name, Background(300), (Source(first), other))
            yield pair
            yield replace(pair, name=f"{name}, ECLAIRs 5'", eclairs_r90_arcmin=5.0)
    many = tuple(Source(float(counts), times=Fading(0.0)) for counts in range(60, 440, 20))
    yield Case("sources: 20 of 50-420", Background(300), (Source(200.0), *many))
    patch = Source(150, index=1.7, times=Fading(0.0), radius_arcmin=15.0)
    yield Case("sources: patch of 15' alone", Background(300), (patch,))
    yield Case("sources: burst and patch of 15'", Background(300), (Source(150), patch))


def _odd() -> Iterator[Case]:
    one = (Source(120),)
    for what in ("pixel", "frame", "energy"):
        yield Case(f"odd: all in one {what}", Background(300), squeezed=what)
        yield Case(f"odd: burst, all in one {what}", Background(300), one, squeezed=what)
    yield Case("odd: 3 photons", Background(3))


def _times() -> Iterator[Case]:
    for index in (0.0, 3.5, 6.0, 8.0):
        for counts, background in ((30, 50), (60, 300)):
            yield Case(f"times: t^-{index:g}", Background(background), (Source(counts, times=Fading(index)),))
    flare = Source(25, times=Flare())
    yield Case("times: late flare of 25", Background(675), (flare,))
    yield Case("times: late flare of 25, no T0", Background(675), (flare,), t0_known=False)
    steep = Source(30, times=Fading(6.0))
    yield Case("times: t^-6, no T0", Background(300), (steep,), t0_known=False)
    flat = replace(flare, counts=60.0)
    yield Case("times: flare of 60, background flares", _sky("background flares", 300), (flat,))


def _spectra() -> Iterator[Case]:
    for nh in (3e20, 1e21, 3e21, 1e22, 2e22):
        for counts, background in ((120, 135), (300, 300), (1000, 300)):
            yield Case(
                f"spectrum: N_H {nh:.0e}", Background(background), (Source(counts, nh_cm2=nh),), flux=True
            )
    for nh, index in ((1e23, 2.0), (1e21, 0.8), (1e21, 1.3), (1e21, 3.0), (1e21, 3.5)):
        for counts, background in ((60, 300), (300, 300)):
            yield Case(
                f"spectrum: index {index:g}, N_H {nh:.0e}", Background(background),
                (Source(counts, index=index, nh_cm2=nh),), flux=True,
            )  # fmt: skip
    yield Case("spectrum: sky 50 %", _sky("sky 50 %", 300), (Source(300),), flux=True)
    yield Case("spectrum: sky 80 %", _sky("sky 80 %", 1000), (Source(300),), flux=True)


def _optics() -> Iterator[Case]:
    wrong = {
        "core 6'": Optics(6.0),
        "core 8'": Optics(8.0),
        "core 13'": Optics(13.0),
        "arms rotated 3 degrees": Optics(rotation_deg=3.0),
        "arms rotated 10 degrees": Optics(rotation_deg=10.0),
        "core elongated 20 %": Optics(elongation=0.2),
        "core skewed 20 %": Optics(skew=0.2),
        "core 8', rotated 3 degrees, skewed 10 %": Optics(8.0, rotation_deg=3.0, skew=0.1),
    }
    for name, optics in wrong.items():
        for counts, background in ((60, 50), (300, 300), (3000, 1000)):
            yield Case(
                f"optics: {name}", Background(background), (Source(counts),), optics=optics,
                flux=counts == 300 and name.startswith("core"),
            )  # fmt: skip


def _limits() -> Iterator[Case]:
    for background in (50, 300):
        flat = Background(background)
        for name, source in {
            "as expected": Source(0),
            "hard, absorbed, steady": Source(0, index=1.4, nh_cm2=1e22, times=Fading(0.0)),
            "near an edge": Source(0, low=0.0, high=12.0),
        }.items():
            yield Case(f"limit: {name}", flat, (source,), at_limit=True)
        yield Case("limit: sky 50 %", _sky("sky 50 %", background), (Source(0),), at_limit=True)
