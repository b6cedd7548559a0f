"""The instrument: constants, calibration, PSF, response, attitude, pointing and mission time."""
