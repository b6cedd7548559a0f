"""Notices of other missions: reading, filing, and coincidences with our bursts."""
