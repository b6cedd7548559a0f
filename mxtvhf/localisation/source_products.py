"""Files of the source list: a FITS table and a DS9 region file.

The table is named ``SRCLIST`` like the source lists of XMM-Newton; units follow OGIP/93-001.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mxtvhf.events.fits import Column, card_images, primary_hdu, table_hdu
from mxtvhf.localisation.model import LocalisedSource
from mxtvhf.localisation.sky_products import Observed, ds9_circle, observation_cards
from mxtvhf.models.files import sha256_of, write_atomically
from mxtvhf.models.product import Product

_ANSWER = {True: 1, False: 0, None: -1}
"""Yes, no and unknown as integers."""

_COLUMNS: tuple[tuple[str, str, str, Callable[[LocalisedSource], Any]], ...] = (
    ("NAME", "S", "", lambda source: source.name),
    ("RA", "f8", "deg", lambda source: source.position.ra_deg),
    ("DEC", "f8", "deg", lambda source: source.position.dec_deg),
    ("R90", "f8", "arcsec", lambda source: source.position.r90_arcsec),
    ("R90_STAT", "f8", "arcsec", lambda source: source.position.r90_stat_arcsec),
    ("R90_SYS", "f8", "arcsec", lambda source: source.position.r90_sys_arcsec),
    ("R50_STAT", "f8", "arcsec", lambda source: source.r50_arcsec),
    ("X", "f8", "pixel", lambda source: source.detector_x),
    ("Y", "f8", "pixel", lambda source: source.detector_y),
    ("COUNTS", "f8", "count", lambda source: source.n_source),
    ("TS", "f8", "", lambda source: source.ts),
    ("TS_PLACE", "f8", "", lambda source: source.places_ts),
    ("PHOINDEX", "f8", "", lambda source: source.photon_index),
    ("NH", "f8", "cm**(-2)", lambda source: source.nh_cm2),
    ("DECAY", "f8", "", lambda source: source.decay_index),
    ("P_FADING", "f8", "", lambda source: source.fading),
    ("ECLAIRS", "i2", "", lambda source: _ANSWER[source.in_eclairs]),
    ("KNOWN_AS", "S", "", lambda source: source.known_as or ""),
    ("EXTENT", "f8", "arcmin", lambda source: source.extent_arcmin),
    ("CONFUSED", "S", "", lambda source: " ".join(source.confused_with)),
)
"""Name, type, unit and content of each column; an unknown real number is NaN."""


def write_source_files(
    out: Path, sources: Sequence[LocalisedSource], chosen: str, observed: Observed
) -> dict[str, Product]:
    """Write ``sources.fits`` and ``sources.reg``.

    Parameters
    ----------
    out
        Product folder.
    sources
        All sources.
    chosen
        Name of the source that is taken as the burst.
    observed
        Data for the headers.

    Returns
    -------
    dict
        Files by product name.
    """
    contents = {
        "sources": ("sources.fits", source_table(sources, chosen, observed)),
        "sources_ds9": ("sources.reg", source_regions(sources, chosen, observed.burst_id)),
    }
    products = {}
    for product, (name, content) in contents.items():
        write_atomically(out / name, content)
        products[product] = Product(path=name, sha256=sha256_of(content))
    return products


def source_table(sources: Sequence[LocalisedSource], chosen: str, observed: Observed) -> bytes:
    """Return the source list as a FITS file with the table ``SRCLIST``.

    Parameters
    ----------
    sources
        All sources.
    chosen
        Name of the source that is taken as the burst.
    observed
        Data for the header.
    """
    columns = [
        Column(name, _values([read(source) for source in sources], kind), unit)
        for name, kind, unit, read in _COLUMNS
    ]
    columns.insert(1, Column("BURST", np.array([source.name == chosen for source in sources], bool)))
    cards = card_images(
        [
            ("RADESYS", "ICRS", "frame of RA and DEC"),
            *observation_cards(observed),
            ("COMMENT", "BURST: taken as the burst. R90, R50: radii with 90 and 50 %.", ""),
            ("COMMENT", "X, Y: drift-corrected pixels from 0. COUNTS: on the whole detector.", ""),
            ("COMMENT", "TS: test statistic; TS_PLACE: from the positions only.", ""),
            ("COMMENT", "PHOINDEX, NH, DECAY: mean of source templates, not a fit.", ""),
            ("COMMENT", "P_FADING: probability. ECLAIRS: 1 inside, 0 outside R90, -1 unknown.", ""),
            ("COMMENT", "EXTENT: standard deviation per axis; NaN for a point source.", ""),
            ("COMMENT", "KNOWN_AS: bright catalogued source. CONFUSED: within the PSF core.", ""),
        ]
    )
    return b"".join([*primary_hdu(b""), *table_hdu("SRCLIST", columns, cards)])


def source_regions(sources: Sequence[LocalisedSource], chosen: str, burst_id: str) -> bytes:
    """Return the 90 % error circles of all sources as a DS9 region file; the burst has a thick line.

    Parameters
    ----------
    sources
        All sources.
    chosen
        Name of the source that is taken as the burst.
    burst_id
        Burst id for the label.
    """
    lines = ["# Region file format: DS9 version 4.1", "global color=cyan width=1", "icrs"]
    for source in sources:
        words = "color=magenta width=2 " if source.name == chosen else ""
        label = f"{source.name} {burst_id}" if source.name == chosen else source.name
        lines.append(f"{ds9_circle(source.position)} # {words}text={{{label} R90}}")
    return "\n".join([*lines, ""]).encode()


def _values(values: Sequence[Any], kind: str) -> np.ndarray[Any, np.dtype[Any]]:
    if kind == "S":
        texts = [str(value).encode("ascii", "replace") for value in values]
        # Some FITS readers reject a column of width 0.
        return np.array(texts, dtype=f"S{max(1, *map(len, texts))}")
    if kind == "f8":
        return np.array([np.nan if value is None else value for value in values], np.float64)
    return np.array(values, dtype=kind)
