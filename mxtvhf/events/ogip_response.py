"""Write the response as OGIP files: effective area (ARF) and redistribution matrix (RMF).

Formats: OGIP/92-002 (CAL/GEN/92-002, RMF ``MATRIX`` and ``EBOUNDS``, ARF ``SPECRESP``) and its addendum
92-002a.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from astropy.io import fits

from mxtvhf.events.ogip import Card, ProductHeader, write_fits
from mxtvhf.instrument.response import Response, channel_edges
from mxtvhf.models.product import Product

_SUBSETS = 2
"""Number of elements of ``F_CHAN`` and ``N_CHAN``. One would be enough, but FITS readers convert a vector of
length one to a scalar, and programs that index it by channel subset, as the format defines, then fail."""


def write_arf(path: Path, response: Response, fraction: float, header: ProductHeader) -> Product:
    """Write the effective area of a source region (OGIP ARF).

    Parameters
    ----------
    path
        The file.
    response
        Response for all photons on the detector.
    fraction
        Enclosed fraction of the source region, 0..1, by which the area is multiplied.
    header
        Keywords of the event file.
    """
    columns = [
        fits.Column("ENERG_LO", "1E", unit="keV", array=response.energy_edges[:-1]),
        fits.Column("ENERG_HI", "1E", unit="keV", array=response.energy_edges[1:]),
        fits.Column("SPECRESP", "1E", unit="cm**2", array=response.area * fraction),
    ]
    cards: list[Card] = [
        *_classes("RESPONSE", "SPECRESP", "1.1.0"),
        ("ARFVERSN", "1992a", "OGIP version"),
        ("PSFEFF", fraction, "enclosed fraction included in SPECRESP"),
    ]
    return write_fits(path, [header.primary("QARF_MXT"), header.table("SPECRESP", columns, cards)])


def write_rmf(path: Path, response: Response, header: ProductHeader) -> Product:
    """Write the redistribution matrix in PI channels (OGIP RMF).

    Parameters
    ----------
    path
        The file.
    response
        Response of the detector.
    header
        Keywords of the event file.
    """
    return write_fits(path, [header.primary("QRMF_MXT"), _matrix(response, header), _bounds(header)])


def _matrix(response: Response, header: ProductHeader) -> fits.BinTableHDU:
    filled = response.matrix > 0.0
    first = filled.argmax(axis=1)
    number = filled.sum(axis=1)
    # All rows have the same length, padded with zeros, as the format allows.
    rows = np.zeros((len(first), number.max()), dtype=np.float32)
    for filling, row, k, n in zip(rows, response.matrix, first, number, strict=True):
        filling[:n] = row[k : k + n]
    columns = [
        fits.Column("ENERG_LO", "1E", unit="keV", array=response.energy_edges[:-1]),
        fits.Column("ENERG_HI", "1E", unit="keV", array=response.energy_edges[1:]),
        fits.Column("N_GRP", "1I", array=np.ones(len(first))),
        fits.Column("F_CHAN", f"{_SUBSETS}I", array=_by_subset(first)),
        fits.Column("N_CHAN", f"{_SUBSETS}I", array=_by_subset(number)),
        fits.Column("MATRIX", f"{number.max()}E", array=rows),
    ]
    channels = response.matrix.shape[1]
    cards: list[Card] = [
        *_classes("RESPONSE", "RSP_MATRIX", "1.3.0"),
        ("HDUCLAS3", "REDIST", "redistribution only, no effective area"),
        ("RMFVERSN", "1992a", "OGIP version"),
        ("CHANTYPE", "PI", "kind of channels"),
        ("DETCHANS", channels, "number of channels"),
        ("NUMGRP", len(first), "channel subsets"),
        ("NUMELT", int(number.sum()), "elements of the matrix"),
        ("LO_THRES", 0.0, "least value kept"),
        ("TLMIN4", 0, "first channel"),
        ("TLMAX4", channels - 1, "last channel"),
    ]
    return header.table("MATRIX", columns, cards)


def _by_subset(values: npt.NDArray[np.int64]) -> npt.NDArray[np.int16]:
    """Return the vectors of a column by channel subset; each row has one subset, the rest is zero."""
    rows = np.zeros((len(values), _SUBSETS), dtype=np.int16)
    rows[:, 0] = values
    return rows


def _bounds(header: ProductHeader) -> fits.BinTableHDU:
    edges = channel_edges()
    channels = len(edges) - 1
    columns = [
        fits.Column("CHANNEL", "1I", array=np.arange(channels)),
        fits.Column("E_MIN", "1E", unit="keV", array=edges[:-1]),
        fits.Column("E_MAX", "1E", unit="keV", array=edges[1:]),
    ]
    cards: list[Card] = [
        *_classes("RESPONSE", "EBOUNDS", "1.2.0"),
        ("RMFVERSN", "1992a", "OGIP version"),
        ("CHANTYPE", "PI", "kind of channels"),
        ("DETCHANS", channels, "number of channels"),
        ("TLMIN1", 0, "first channel"),
        ("TLMAX1", channels - 1, "last channel"),
    ]
    return header.table("EBOUNDS", columns, cards)


def _classes(first: str, second: str, version: str) -> list[Card]:
    return [
        ("HDUCLAS1", first, "kind of extension"),
        ("HDUCLAS2", second, "subkind"),
        ("HDUVERS", version, "version of the format"),
    ]
