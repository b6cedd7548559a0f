"""Determine which positions of a burst are from the same data and count as one piece of evidence.

All notices of one instrument about a burst belong to the same observation. The on-board MXT position and ours
are from the same photons: the photons in the VHF packets are among those that the on-board software uses.
GP's position is classified by its data: X-band data contain other photons, the bulk of the observation; VHF
data, or data of unknown origin, are assumed to be our photons.
"""

from __future__ import annotations

from mxtvhf.models.position import Origin, Position

XBAND = "XBand"
"""``data_stream`` of X-band data."""
MXT_VHF_PHOTONS = "MXT VHF photons"
MXT_XBAND_PHOTONS = "MXT X-band photons"


def data_group(position: Position) -> str:
    """Return the name of the data behind a position; positions of one group share their data.

    Parameters
    ----------
    position
        The position.
    """
    if position.origin is Origin.GP and position.data_stream == XBAND:
        return MXT_XBAND_PHOTONS
    if position.origin in (Origin.MXT_VHF, Origin.MXT_ONBOARD, Origin.GP):
        return MXT_VHF_PHOTONS
    # Instruments without a name here form one group.
    return position.label if position.origin is Origin.OTHER else str(position.origin)


def is_of_mxt(position: Position) -> bool:
    """Return True if a position is from MXT photons, received over the VHF or the X-band link.

    Parameters
    ----------
    position
        The position.
    """
    return data_group(position) in (MXT_VHF_PHOTONS, MXT_XBAND_PHOTONS)


def share_data(first: Position, second: Position) -> bool:
    """Return True if two positions are from the same data.

    Parameters
    ----------
    first, second
        The positions.
    """
    return data_group(first) == data_group(second)
