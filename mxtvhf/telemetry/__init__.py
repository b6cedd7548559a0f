"""Decode and encode VHF packets: photons, attitude and on-board positions.

The packet layout is a data file (``mxt_vhf.xtce.xml``). Framing (finding the packets) is separate from
decoding (reading their contents), so a packet with bad contents does not affect its neighbours.
"""
