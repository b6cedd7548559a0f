"""Packet counts of one input, by outcome."""

from __future__ import annotations

from mxtvhf.models.base import Model


class PacketCounts(Model):
    """Packet counts of one input, by outcome."""

    received: int
    """All packets found in the stream, good or not."""
    good: int
    """Distinct packets of this burst that passed all checks."""
    repeated: int
    """Further copies of good packets."""
    missing: int
    """Sequence numbers that were not received."""
    corrupt: int
    """Packets with a wrong CRC, length or content, and stretches of bytes that do not form a packet."""
    foreign: int
    """Valid packets of other bursts or other APIDs."""
    out_of_order: int
    """Good packets that arrived after a later one."""
