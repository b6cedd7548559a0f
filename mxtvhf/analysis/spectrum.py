"""Write the spectra of the source and the background region as OGIP type I files.

Format: OGIP/92-007 and 92-007a. ``BACKSCAL`` is the fraction of the detector's pixels in the region. The
background file also contains source photons. The effective area of the ARF is therefore that of the source
after subtraction of the background file with the ratio of ``BACKSCAL`` (see `analysis.regions`), so that any
tool that subtracts or models the background file obtains the flux of the source.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from astropy.io import fits

from mxtvhf.analysis.light_curve import RegionPhotons
from mxtvhf.analysis.regions import Regions
from mxtvhf.events.ogip import Card, ProductHeader, write_fits
from mxtvhf.instrument.response import channel_edges
from mxtvhf.models.product import Product

Counts = npt.NDArray[np.int64]

SPECTRUM, BACKGROUND, ARF, RMF = "spectrum.pha", "background.pha", "mxt.arf", "mxt.rmf"
"""File names; the header of the spectrum names the other three files."""


def spectrum_counts(channels: npt.NDArray[np.int32]) -> Counts:
    """Count photons per PI channel; photons outside the channel range are ignored.

    Parameters
    ----------
    channels
        PI channel of each photon.
    """
    size = len(channel_edges()) - 1
    inside = channels[(channels >= 0) & (channels < size)]
    return np.bincount(inside, minlength=size)


def write_spectra(
    out: Path, photons: RegionPhotons, source: Counts, background: Counts, header: ProductHeader
) -> dict[str, Product]:
    """Write ``spectrum.pha`` and ``background.pha``.

    Parameters
    ----------
    out
        Folder.
    photons
        Photons of the regions, which provide regions and exposure.
    source, background
        Counts per PI channel of the two regions.
    header
        Header keywords of the event file and calibration versions.
    """
    return {
        "spectrum": _write(out / SPECTRUM, source, "TOTAL", photons, header),
        "background_spectrum": _write(out / BACKGROUND, background, "BKG", photons, header),
    }


def _write(path: Path, counts: Counts, kind: str, photons: RegionPhotons, header: ProductHeader) -> Product:
    columns = [
        fits.Column("CHANNEL", "1I", array=np.arange(len(counts))),
        fits.Column("COUNTS", "1J", unit="count", array=counts),
    ]
    cards = [
        *_spectrum_cards(kind, len(counts), photons),
        *region_cards(photons.regions),
        *header.time_cards(),
    ]
    card = "QPHA_MXT" if kind == "TOTAL" else "QBKG_MXT"
    return write_fits(path, [header.primary(card), header.table("SPECTRUM", columns, cards)])


def _spectrum_cards(kind: str, channels: int, photons: RegionPhotons) -> list[Card]:
    is_source = kind == "TOTAL"
    pixels = photons.regions.areas[0 if is_source else 1]
    return [
        ("HDUCLAS1", "SPECTRUM", "kind of extension"),
        ("HDUCLAS2", kind, "which photons"),
        ("HDUCLAS3", "COUNT", "counts, no rate"),
        ("HDUVERS", "1.2.1", "version of the format"),
        ("EXPOSURE", photons.exposure, "[s] sum of the GTIs"),
        ("TSTART", photons.gti[0, 0], "[s] start of the first GTI"),
        ("TSTOP", photons.gti[-1, 1], "[s] end of the last GTI"),
        ("BACKSCAL", pixels / photons.regions.source.size, "fraction of the detector's pixels"),
        ("AREASCAL", 1.0, "no scale of the area"),
        ("CORRSCAL", 0.0, "no correction file"),
        ("BACKFILE", BACKGROUND if is_source else "none", "background"),
        ("CORRFILE", "none", "no correction file"),
        ("RESPFILE", RMF, "redistribution"),
        ("ANCRFILE", ARF if is_source else "none", "effective area"),
        ("CHANTYPE", "PI", "kind of channels"),
        ("DETCHANS", channels, "number of channels"),
        ("TLMIN1", 0, "first channel"),
        ("TLMAX1", channels - 1, "last channel"),
        ("POISSERR", True, "errors are Poissonian"),
        ("STAT_ERR", 0, "no statistical error given"),
        ("SYS_ERR", 0, "no systematic error"),
        ("GROUPING", 0, "not grouped"),
        ("QUALITY", 0, "all channels are good"),
    ]


def region_cards(regions: Regions) -> list[Card]:
    """Return the FITS keywords that describe the regions.

    Parameters
    ----------
    regions
        Source and background region.
    """
    return [
        ("SRC_X", regions.x, "[pixel] source, detector column from 0"),
        ("SRC_Y", regions.y, "[pixel] source, detector row from 0"),
        ("SRC_RAD", regions.radius, "[pixel] radius of the source region"),
        ("BKG_RAD", regions.inner_radius, "[pixel] background region is beyond"),
        ("PSFSRC", regions.source_fraction, "source photons in source region"),
        ("PSFBKG", regions.background_fraction, "source photons in background region"),
        ("PSFEFF", regions.effective_fraction, "fraction left after subtraction"),
        ("COMMENT", "PSFSRC, PSFBKG: 1 are the photons that the whole detector would count of", ""),
        ("COMMENT", "the source in its middle. PSFEFF = PSFSRC - ratio of BACKSCAL x PSFBKG.", ""),
    ]
