"""Compare the contents of the product files of two runs of one input."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mxtvhf.workflow.comparison.model import Difference, Tolerances

FITS_SUFFIXES = (".fits", ".pha", ".arf", ".rmf")
EXACT = ("event_file",)
"""FITS files whose numbers must be bit-identical."""
ADDED = ("sources", "sources_ds9")
"""Files that earlier versions did not write; the comparison of the reports covers their sources."""
VERSION_KEYWORDS = ("PIP_VER", "MOCTOOL", "COMMENT", "HISTORY", "CHECKSUM", "DATASUM")
"""FITS keywords that depend on the software version."""
NAMING_KEYWORDS = ("OBS_ID",)
"""GP's identifier of the observation, which may become known after the original run."""
CALIBRATION_KEYWORD = "CAL"
"""Prefix of the keywords with calibration versions, which are compared in the reports."""

Products = Mapping[str, Mapping[str, str]]


def compare_products(
    archived: Products, new: Products, folders: tuple[Path, Path], tolerances: Tolerances | None = None
) -> Iterator[Difference]:
    """Yield the differences between the products of two runs.

    Files with equal checksums are equal. Others are compared by content: FITS files except for software and
    calibration versions, lists of rejected packets except for the name of the input, and photons byte by
    byte. Pictures are not compared, because their contents are compared elsewhere.

    Parameters
    ----------
    archived, new
        ``products`` of the two reports.
    folders
        Product folders of the two runs.
    tolerances
        Tolerances for the numbers in FITS files other than the event file.
    """
    limits = tolerances or Tolerances()
    for name in sorted(archived.keys() | new.keys()):
        before, after = archived.get(name), new.get(name)
        what = f"product {name}"
        if before is None or after is None:
            words = ["present" if one else "none" for one in (before, after)]
            matters = not name.startswith("plot_") and not (before is None and name in ADDED)
            yield Difference(what=what, archived=words[0], new=words[1], matters=matters)
        elif before["sha256"] != after["sha256"]:
            paths = folders[0] / before["path"], folders[1] / after["path"]
            if found := _content_difference(name, paths, limits):
                text, matters = found
                yield Difference(what=what, archived=before["sha256"], new=text, matters=matters)


def _content_difference(name: str, paths: tuple[Path, Path], limits: Tolerances) -> tuple[str, bool] | None:
    """Return how two files differ and if that matters; None if there is no relevant difference."""
    if gone := [path for path in paths if not path.is_file()]:
        return f"cannot be compared: {gone[0]} is missing", True
    suffix = paths[1].suffix
    if suffix == ".png":
        return None
    if suffix in FITS_SUFFIXES:
        text = fits_difference(*paths, tolerance=0.0 if name in EXACT else limits.product)
        return (text, True) if text else None
    if suffix == ".json":
        try:
            same = _content(paths[0]) == _content(paths[1])
        except ValueError as error:
            return f"cannot be compared: damaged JSON: {error}", True
        return None if same else ("other content", True)
    # The DS9 region file repeats the position and regions of the report as text.
    return "other bytes", suffix != ".reg"


def _content(path: Path) -> dict[str, Any]:
    """Return the content of a list of rejected packets without its format version and input name."""
    content: dict[str, Any] = json.loads(path.read_bytes())
    return {key: value for key, value in content.items() if key not in ("schema_version", "input")}


def fits_difference(archived: Path, new: Path, *, tolerance: float) -> str | None:
    """Return the HDUs in which two FITS files differ, except for versions; None if there is no difference.

    Parameters
    ----------
    archived, new
        The files.
    tolerance
        Relative tolerance for floats in tables and headers.
    """
    from astropy.io import fits

    with fits.open(archived) as one, fits.open(new) as other:
        calibration = {
            keyword
            for hdu in (*one, *other)
            for keyword in hdu.header
            if keyword.startswith(CALIBRATION_KEYWORD)
        }
        ignored = [*VERSION_KEYWORDS, *NAMING_KEYWORDS, *calibration]
        found = fits.FITSDiff(one, other, ignore_keywords=ignored, rtol=tolerance, atol=0.0)
        if found.identical:
            return None
        hdus = [f"HDU {number} {name}".strip() for number, _, name, _ in found.diff_hdus]
    return f"other content in {', '.join(hdus)}" if hdus else "different number of HDUs"
