"""Simulator of a burst: photons, notices, on-board results and downlink."""
