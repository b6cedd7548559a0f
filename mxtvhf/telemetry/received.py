"""Derive the time for which every photon was received from the sequence numbers of the photon packets.

Packets hold consecutive photons. In a series of packets with consecutive numbers, all photons between the
first and the last are known. Between two series packets were lost, and nothing is known about the time
between the last photon before the gap and the first photon after it.

A series begins and ends with a photon, so its ends depend on the photons, and counting the photons at both
ends would make rates too high (by one photon per series: 9 % for single packets of 12 photons). To make the
rate unbiased whatever the source does, the good time interval of a series

* begins at the end of the frame of its first photon: the photons of this frame are not counted, because
  others of the same frame may be in the lost packet;
* ends in the middle of the frame of its last photon, which is counted.

The reason: N(t) minus the integral of the rate is a martingale, so its expectation does not change between
two stopping times (optional sampling theorem). Both ends are stopping times: the end of the frame in which
photon number m arrives, and the moment of photon number m + 12 k. The lost packets determine m and k,
independently of the photons. For the same reason the likelihood of the photons within these ends equals that
for fixed ends. The moment of the last photon is known only to within a frame; the middle of the frame is its
mean.

If the first packet has the number 0, the first series begins with the observation; with any other number,
earlier packets may have been lost. If the last packet has free slots, the last series extends to the end of
the observation, because a packet is sent when it is full or when the observation ends.
"""

from __future__ import annotations

import numpy as np

from mxtvhf.models.arrays import Floats
from mxtvhf.models.intervals import union
from mxtvhf.telemetry.clock import Integers, frame_clock, ticks
from mxtvhf.telemetry.layout import PacketType, Records


def received_time(kind: PacketType, records: Records, number: Integers) -> Floats:
    """Return the intervals for which every photon was received.

    Parameters
    ----------
    kind
        The photon packet.
    records
        The packets without repeats, in sequence order.
    number
        Their unwrapped sequence numbers, ascending.

    Returns
    -------
    numpy.ndarray
        Start and stop in seconds of MET, shape (intervals, 2), in order and disjoint. A start of -inf means
        the beginning of the observation, a stop of inf its end. Empty without packets.
    """
    if not len(number):
        return np.empty((0, 2))
    clock = frame_clock()
    begins = np.append(True, np.diff(number) != 1)
    first, last = records[begins], records[np.append(begins[1:], True)]
    count = kind.read(last, "PHOTON_COUNT").astype(np.int64)
    slot = np.maximum(count - 1, 0)
    first_frame, last_frame = (
        ticks(kind, packets) * clock.units_per_tick + frame.astype(np.int64) * clock.units_per_frame
        for packets, frame in (
            (first, first["SLOTS"]["FRAME"][:, 0]),
            (last, last["SLOTS"]["FRAME"][np.arange(len(last)), slot]),
        )
    )
    # The same division as for photon times, so a photon of the next frame is exactly at the start.
    start = (first_frame + clock.units_per_frame) / clock.units_per_second
    stop = (last_frame + 0.5 * clock.units_per_frame) / clock.units_per_second
    if number[0] == 0:
        start[0] = -np.inf
    if count[-1] < kind.slots:
        stop[-1] = np.inf
    return union(np.stack([start, stop], axis=1))
