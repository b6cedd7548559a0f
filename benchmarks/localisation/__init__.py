"""Measure accuracy (relative to the Cramer-Rao bound), coverage and speed of the localisation."""
