"""The time of which every photon was received, by the sequence numbers of the photon packets.

Packets hold consecutive photons. Of packets with consecutive numbers (a run) all photons between the first
and the last are known; between two runs packets were lost, and nothing is known of the time between the last
photon before and the first one after.

A run begins and ends with a photon, so its ends depend on the photons, and counting those at both ends would
make rates too high (by a photon per run: 9 % for single packets of 12 photons). For a rate that is right
whatever the source does, the good time of a run

* begins at the end of the frame of its first photon: the photons of this frame are not counted, others of
  it may be in the packet that was lost;
* ends in the middle of the frame of its last photon, which is counted.

The reason: N(t) minus the integral of the rate is a martingale, and in mean it does not change between two
stopping times (optional sampling theorem), as these are: the end of the frame in which photon number m comes,
and the moment of photon number m + 12 k. Their numbers are told by which packets were lost, whatever the
photons did. For the same reason the likelihood of photons within these ends is the one of fixed ends. The
moment of the last photon is known to a frame only: the middle is its mean.

The first run begins with the observation when its first packet has the number 0; any other first number may
be that of a first packet, too, or not. The last run goes on to the end of the observation when its last
packet has free slots: a packet is sent when it is full or the observation ends.
"""

from __future__ import annotations

import numpy as np

from mxtvhf.models.arrays import Floats
from mxtvhf.models.intervals import union
from mxtvhf.telemetry.clock import Integers, frame_clock, ticks
from mxtvhf.telemetry.layout import PacketType, Records


def received_time(kind: PacketType, records: Records, number: Integers) -> Floats:
    """Return the intervals of which every photon was received.

    Parameters
    ----------
    kind
        The photon packet.
    records
        The packets, each once, in sequence order.
    number
        Their unwrapped sequence numbers, rising.

    Returns
    -------
    numpy.ndarray
        Seconds of MET, shape (intervals, 2), in order and apart. A start of -inf: from the beginning of the
        observation; a stop of inf: to its end. Empty without packets.
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
    # The same division as of the photons' times: a photon of the next frame is at the start to the last bit.
    start = (first_frame + clock.units_per_frame) / clock.units_per_second
    stop = (last_frame + 0.5 * clock.units_per_frame) / clock.units_per_second
    if number[0] == 0:
        start[0] = -np.inf
    if count[-1] < kind.slots:
        stop[-1] = np.inf
    return union(np.stack([start, stop], axis=1))
