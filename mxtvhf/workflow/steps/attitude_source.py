"""Choose between the attitude of the pointing packets and that of an attitude product."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from mxtvhf.events.attitude_file import CARD
from mxtvhf.instrument.attitude import AttitudeHistory, pointing_limits
from mxtvhf.models.angles import angle_text
from mxtvhf.models.arrays import Floats

AttitudeOrigin = Literal["packets", "product"]

DISAGREEMENT_ARCSEC = 30.0
"""A larger angle between both is told: several times a star tracker's noise, as much as our systematic."""


@dataclass(frozen=True, eq=False)
class ChosenAttitude:
    """The attitude to use.

    Attributes
    ----------
    attitude
        Its samples; empty where there is none.
    origin
        Where it is from; None where there is none.
    notes
        Why it was taken where there was a choice, and what is odd about it, a clause for each.
    """

    attitude: AttitudeHistory
    origin: AttitudeOrigin | None
    notes: tuple[str, ...] = ()


def choose_attitude(
    packets: AttitudeHistory, product: AttitudeHistory | None, photon_times: Floats
) -> ChosenAttitude:
    """Choose the attitude that covers more of the photons; of two that cover the same, the product.

    A photon is covered when it lies between two samples that are no farther apart than a pointing may be
    unknown for (``instrument/pointing.toml``). The product is made on ground of all that was received of the
    satellite, the packets are those of this burst that came through.

    Parameters
    ----------
    packets
        Of the pointing packets; may be empty.
    product
        Of the attitude product; None: there is none.
    photon_times
        Seconds of MET.
    """
    if product is None:
        return ChosenAttitude(packets, "packets" if len(packets) else None)
    by_product, by_packets = coverage(product, photon_times), coverage(packets, photon_times)
    if not len(packets):
        if len(photon_times) and not by_product:
            note = f"the attitude product {CARD} covers none of the photons and is not used"
            return ChosenAttitude(packets, None, (note,))
        return ChosenAttitude(product, "product")
    numbers = f"it covers {by_product:.0%} of the photons, the pointing packets {by_packets:.0%}"
    apart = disagreement_arcsec(packets, product)
    odd: tuple[str, ...] = ()
    if apart is not None and apart > DISAGREEMENT_ARCSEC:
        odd = (f"the attitude product {CARD} and the pointing packets differ by up to {angle_text(apart)}",)
    if by_product >= by_packets:
        return ChosenAttitude(product, "product", (f"attitude from the product {CARD}: {numbers}", *odd))
    note = f"attitude from the pointing packets, not from the product {CARD}: {numbers}"
    return ChosenAttitude(packets, "packets", (note, *odd))


def coverage(attitude: AttitudeHistory, photon_times: Floats) -> float:
    """Return the fraction of the photons at whose time the attitude is known; 0 without photons."""
    if len(attitude) < 2 or not len(photon_times):
        return 0.0
    after = np.searchsorted(attitude.time, photon_times, side="right")
    # A photon at the last sample belongs to the step before it.
    after[photon_times == attitude.time[-1]] = len(attitude) - 1
    inside = (after > 0) & (after < len(attitude))
    step = np.diff(attitude.time)[np.clip(after - 1, 0, len(attitude) - 2)]
    return float(np.mean(inside & (step <= pointing_limits().stable.max_gap_s)))


def disagreement_arcsec(first: AttitudeHistory, second: AttitudeHistory) -> float | None:
    """Return the largest angle between two attitudes at the first one's samples; None where none compares."""
    common = (first.time >= second.time[0]) & (first.time <= second.time[-1]) & first.stable
    if not common.any():
        return None
    cosine = np.abs((first.quaternion[common] * second.at(first.time[common])).sum(axis=1))
    return float(3600.0 * np.degrees(2.0 * np.arccos(np.minimum(cosine.min(), 1.0))))
