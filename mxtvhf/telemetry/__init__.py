"""VHF packets: bytes to photons, attitude and on-board positions, and back.

The layout is data (``mxt_vhf.xtce.xml``); framing (where the packets are) is apart from decoding (what they
say), so a bad content cannot spoil its neighbours.
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
