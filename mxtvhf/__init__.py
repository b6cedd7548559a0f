"""MXT-VHF: from the VHF photons of SVOM/MXT to a position and a report for the Burst Advocate."""

__version__ = "0.1.0"
