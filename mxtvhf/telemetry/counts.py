"""What became of the packets of one input."""

from __future__ import annotations

from mxtvhf.models.base import Model


class PacketCounts(Model):
    """What became of the packets of one input."""

    received: int
    """Packets found in the stream, good or not."""
    good: int
    """Distinct packets of this burst that passed all checks."""
    repeated: int
    """Further copies of good packets."""
    missing: int
    """Sequence numbers that never came."""
    corrupt: int
    """Wrong CRC, length or content, and stretches of bytes that are no packet."""
    foreign: int
    """Sound packets of other bursts or other APIDs."""
    out_of_order: int
    """Good packets that came after a later one."""
