"""Measurements, run on demand; their tables stand in ``docs/performance.md``."""
