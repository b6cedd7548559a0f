"""Fuzz all code that reads external input: ``make fuzz``, ``python -m fuzz --help``."""
