"""Product file of a run."""

from __future__ import annotations

from mxtvhf.models.base import Model


class Product(Model):
    """One product file of a run."""

    path: str
    """Path relative to the run's product folder."""
    sha256: str
