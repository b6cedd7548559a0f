"""Instrument model: constants, calibration, PSF, response, attitude, pointing and mission time."""
