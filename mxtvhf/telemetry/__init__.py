"""Decode and encode VHF packets: photons, attitude and on-board positions.

The packet layout is a data file (``mxt_vhf.xtce.xml``). Framing (finding the packets) is separate from
decoding (reading their contents), so a packet with bad contents does not affect its neighbours.
"""

from mxtvhf.telemetry.decode import DecodedStream, bursts_in, decode_stream
from mxtvhf.telemetry.encode import encode_onboard, encode_photons, encode_pointing
from mxtvhf.telemetry.framing import Reject

__all__ = [
    "DecodedStream",
    "Reject",
    "bursts_in",
    "decode_stream",
    "encode_onboard",
    "encode_photons",
    "encode_pointing",
]
