"""Fuzzing of everything that reads bytes from outside: ``make fuzz``, ``python -m fuzz --help``."""
