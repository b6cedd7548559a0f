"""The instrument's constants, read from ``constants.toml`` (each with its source there)."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from math import degrees
from typing import Any


@cache
def instrument() -> dict[str, Any]:
    """Return the instrument file as nested dicts; see the file for units and sources."""
    return tomllib.loads((files("mxtvhf.instrument") / "constants.toml").read_text())


def pixel_scale_arcsec() -> float:
    """Angle of one pixel at the detector's centre, arcsec: pixel size over focal length."""
    this = instrument()
    return 3600.0 * degrees(this["detector"]["pixel_size_mm"] / this["optics"]["focal_length_mm"])
