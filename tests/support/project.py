"""Where the project stands."""

from pathlib import Path

PROJECT = Path(__file__).parents[2]
