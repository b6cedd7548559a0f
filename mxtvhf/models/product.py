"""A file that a run made."""

from __future__ import annotations

from mxtvhf.models.base import Model


class Product(Model):
    """One file that a run made."""

    path: str
    """Relative to the run's product folder."""
    sha256: str
