"""Published afterglows to simulate: ``grb_cases.toml``."""

from __future__ import annotations

from collections.abc import Iterator
from math import cos, hypot, radians
from typing import Any

from benchmarks.realsky.facts import facts, grb_facts
from benchmarks.realsky.scene import Background, Case, Source
from benchmarks.realsky.spectra import flux_per_count
from benchmarks.realsky.times import Fading


def grb_cases() -> Iterator[Case]:
    """Return a case for each burst; its name gives the published radius and offset."""
    common = grb_facts()
    for burst in common["burst"]:
        this = common | burst
        length = this["length_s"]
        source = Source(
            counts=round(expected_photons(this)), index=this["index"], nh_cm2=this["nh_cm2"],
            times=Fading(this["decay"]), low=95.0, high=160.0,
        )  # fmt: skip
        yield Case(
            f"grb: {this['name']}, published R90 {this['r90_arcsec']:.0f}{published_offset(this)}",
            Background(round(facts("particles")["rate_per_s"] * length), sky=0.5, lines=0.1),
            (source,),
            start_s=this["start_s"],
            length_s=length,
            eclairs_r90_arcmin=this["eclairs_r90_arcmin"],
            flux=True,
        )


def expected_photons(burst: dict[str, Any]) -> float:
    """Return the photons of a burst from its flux, or else from the on-board radius."""
    if "flux" in burst:
        rate = burst["flux"] / flux_per_count(burst["index"], burst["nh_cm2"], top_kev=8.0)
        times = Fading(burst["decay"])
        first = burst["start_s"]
        part = times.part(first, first + burst["length_s"], first + burst["flux_s"])
        return float(rate * burst["flux_s"] / part)
    squared = burst["r90_arcsec"] ** 2 - burst["systematic_arcsec"] ** 2
    return float(burst["onboard_photons"] * burst["onboard_r90_arcsec"] ** 2 / squared)


def published_offset(burst: dict[str, Any]) -> str:
    """Return the offset of MXT's position from that of a finer telescope, as text; empty if unknown."""
    if "true_ra_deg" not in burst:
        return ""
    dec = burst["true_dec_deg"] - burst["dec_deg"]
    ra = (burst["true_ra_deg"] - burst["ra_deg"]) * cos(radians(burst["dec_deg"]))
    return f", offset {3600.0 * hypot(ra, dec):.0f}"
