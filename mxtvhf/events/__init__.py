"""Photon lists and event files: FITS tables, OGIP keywords, headers."""
