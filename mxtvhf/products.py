"""The product folders, ``products/<burst>/<run>/``."""

from __future__ import annotations

from pathlib import Path

from mxtvhf.models import safe_name


def product_folder(products: Path, burst_id: str, run_id: str) -> Path:
    """Return the folder of a run's products; the run id is made safe as a file name."""
    return products / burst_id / safe_name(run_id)


def product_file(products: Path, run_id: str, name: str) -> Path | None:
    """Return a product of a run, None when there is none of this name.

    Only files inside the run's own folder are found, whatever the name holds.
    """
    for folder in products.glob(f"sb*/{safe_name(run_id)}"):
        path = (folder / name).resolve()
        if path.is_file() and path.is_relative_to(folder.resolve()):
            return path
    return None
