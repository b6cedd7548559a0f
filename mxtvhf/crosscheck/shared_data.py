"""Which positions of a burst are from the same data, and so are one piece of evidence, not two.

All notices of one instrument about a burst are of the same observation. The on-board position of MXT and
ours are from the same photons: those that the VHF packets bring are among those that the on-board software
uses. GP's position counts by its data: from the X band it is of other photons, the bulk of the observation;
from VHF data, or where its data are not named, it is taken to be of ours.
"""

from __future__ import annotations

from mxtvhf.models.position import Origin, Position

XBAND = "XBand"
"""``data_stream`` of data that came over the X band."""
MXT_VHF_PHOTONS = "MXT VHF photons"
MXT_XBAND_PHOTONS = "MXT X-band photons"


def data_group(position: Position) -> str:
    """Return the name of the data that a position is from; positions of one group share their data."""
    if position.origin is Origin.GP and position.data_stream == XBAND:
        return MXT_XBAND_PHOTONS
    if position.origin in (Origin.MXT_VHF, Origin.MXT_ONBOARD, Origin.GP):
        return MXT_VHF_PHOTONS
    # Instruments that have no name here are told apart by nothing else.
    return position.label if position.origin is Origin.OTHER else str(position.origin)


def is_of_mxt(position: Position) -> bool:
    """Tell whether a position is from photons of MXT, over whichever link."""
    return data_group(position) in (MXT_VHF_PHOTONS, MXT_XBAND_PHOTONS)


def share_data(first: Position, second: Position) -> bool:
    """Tell whether two positions are from the same data."""
    return data_group(first) == data_group(second)
