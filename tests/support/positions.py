"""Positions, and localisations of one."""

from mxtvhf.localisation.model import Localisation
from mxtvhf.models.position import Origin, Position


def place(
    ra: float,
    dec: float,
    r90: float | None,
    origin: Origin = Origin.MXT_VHF,
    label: str | None = None,
    **more: object,
) -> Position:
    """A position in degrees with its 90 % radius in arcsec, which is statistical unless ``more`` tells it."""
    fields = {
        "origin": origin,
        "label": label or f"{origin} position",
        "ra_deg": ra,
        "dec_deg": dec,
        "r90_stat_arcsec": r90,
        "r90_sys_arcsec": 0.0,
        "r90_arcsec": r90,
    }
    return Position.model_validate({**fields, **more})


def localisation_of(position: Position | None, **more: object) -> Localisation:
    """What the localisation gives where it finds this position, or none."""
    fields = {
        "detected": position is not None,
        "position": position,
        "r50_arcsec": None,
        "detector_x": None,
        "detector_y": None,
        "ts": 0.0,
        "n_photons": 9,
        "n_source": 0.0,
        "n_background": 9.0,
        "reason": None if position else "no significant source",
    }
    return Localisation.model_validate({**fields, **more})
