"""ZIP file with the products of a run."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

from mxtvhf.models.files import file_inside
from mxtvhf.reporting.report.model import Report


def zipped(folder: Path, report: Report) -> bytes:
    """Return a ZIP file with a report, its page and its products.

    Parameters
    ----------
    folder
        Product folder of the run.
    report
        Report that lists the products; a product without a file is left out.

    Returns
    -------
    bytes
        The names in the ZIP file begin with the name of the folder.
    """
    own = "preliminary/" if report.status == "preliminary" else ""
    names = [
        f"{own}report.json",
        f"{own}report.html",
        *(product.path for product in report.products.values()),
    ]
    packed = BytesIO()
    with ZipFile(packed, "w", ZIP_DEFLATED) as file:
        for name in dict.fromkeys(names):
            if path := file_inside(folder, name):
                file.write(path, f"{folder.name}/{name}")
    return packed.getvalue()
