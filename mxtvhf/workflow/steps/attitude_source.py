"""Choose between the attitude in the pointing packets and that of an attitude product."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from mxtvhf.events.attitude_file import CARD
from mxtvhf.instrument.attitude import AttitudeHistory, Flags, pointing_limits
from mxtvhf.instrument.constants import instrument
from mxtvhf.models.angles import angle_text
from mxtvhf.models.arrays import Floats

AttitudeOrigin = Literal["packets", "product"]

DISAGREEMENT_ARCSEC = 30.0
"""A larger angle between both is reported. It is several times the noise of a star tracker, and about our
systematic error."""


@dataclass(frozen=True, eq=False)
class ChosenAttitude:
    """The attitude to use and the reasons for the choice.

    Attributes
    ----------
    attitude
        Samples; empty if there are none.
    origin
        Source of the samples; None if there are none.
    notes
        Reasons for the choice and discrepancies, one clause each; empty without a choice.
    """

    attitude: AttitudeHistory
    origin: AttitudeOrigin | None
    notes: tuple[str, ...] = ()


def choose_attitude(
    packets: AttitudeHistory, product: AttitudeHistory | None, photon_times: Floats
) -> ChosenAttitude:
    """Choose the attitude that covers more photons, or the product if both cover the same number.

    A photon is covered if it lies between two samples that are not farther apart than the longest allowed
    attitude gap (``instrument/pointing.toml``). The product is made on ground from all received telemetry,
    while the packets are those of this burst that were received. A product that covers a whole orbit is cut
    to the time range of the packets, since nothing is known about an observation outside it.

    Parameters
    ----------
    packets
        Attitude in the pointing packets; may be empty.
    product
        Attitude of the product; None without a product.
    photon_times
        Photon times, MET seconds.
    """
    if product is None:
        return ChosenAttitude(packets, "packets" if len(packets) else None)
    product = _of_the_observation(product, np.concatenate([photon_times, packets.time]))
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


def _of_the_observation(product: AttitudeHistory, times: Floats) -> AttitudeHistory:
    """Cut a product to the time range of the packets."""
    if not len(times):
        return product
    first, last = times.min(), times.max() + instrument().detector.frame_time_s
    inside = (product.time > first) & (product.time < last)
    ends = np.array([first, last])
    after, known = _steps(product, ends)
    # An end lies between two samples; it is stable if both are.
    steady = product.stable[np.maximum(after - 1, 0)] & product.stable[np.minimum(after, len(product) - 1)]
    return AttitudeHistory.from_samples(
        np.concatenate([product.time[inside], ends[known]]),
        np.concatenate([product.quaternion[inside], product.at(ends[known])]),
        np.concatenate([product.stable[inside], steady[known]]),
    )


def _steps(attitude: AttitudeHistory, times: Floats) -> tuple[npt.NDArray[np.intp], Flags]:
    """Return the index of the sample after each time, and True where the attitude is known."""
    if len(attitude) < 2:
        return np.zeros(len(times), np.intp), np.zeros(len(times), np.bool_)
    after = np.searchsorted(attitude.time, times, side="right")
    # A time at the last sample belongs to the interval before it.
    after[times == attitude.time[-1]] = len(attitude) - 1
    inside = (after > 0) & (after < len(attitude))
    step = np.diff(attitude.time)[np.clip(after - 1, 0, len(attitude) - 2)]
    return after, np.asarray(inside & (step <= pointing_limits().stable.max_gap_s))


def coverage(attitude: AttitudeHistory, photon_times: Floats) -> float:
    """Return the fraction of photons at whose times the attitude is known; 0 without photons.

    Parameters
    ----------
    attitude
        Attitude samples.
    photon_times
        Photon times, MET seconds.
    """
    return float(np.mean(_steps(attitude, photon_times)[1])) if len(photon_times) else 0.0


def disagreement_arcsec(first: AttitudeHistory, second: AttitudeHistory) -> float | None:
    """Return the largest angle between two attitudes, arcsec; None if their times do not overlap.

    Parameters
    ----------
    first
        Attitude at whose stable samples the two are compared.
    second
        Attitude that is interpolated to these times.
    """
    if not (len(first) and len(second)):
        return None
    common = (first.time >= second.time[0]) & (first.time <= second.time[-1]) & first.stable
    if not common.any():
        return None
    cosine = np.abs((first.quaternion[common] * second.at(first.time[common])).sum(axis=1))
    return float(3600.0 * np.degrees(2.0 * np.arccos(np.minimum(cosine.min(), 1.0))))
