"""Write the light curve as a FITS file: equal bins, Bayesian blocks, GTIs.

Format: OGIP/93-003 (rate tables). ``TIME`` is the middle of a bin and ``TIMEDEL`` its width: a keyword of the
equal bins, a column of the blocks. ``XAX_E`` is half the width, ``FRACEXP`` the good fraction of it. ``RATE``
is background-subtracted and corrected for the fraction of the source's photons in the regions.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy.io import fits

from mxtvhf.analysis.constants import analysis_constants
from mxtvhf.analysis.light_curve import RegionPhotons
from mxtvhf.analysis.model import LightCurve, Measurement, RateBin
from mxtvhf.analysis.spectrum import region_cards
from mxtvhf.events.ogip import Card, ProductHeader, write_fits
from mxtvhf.instrument.time import met_from_utc
from mxtvhf.models.product import Product


def write_light_curve(
    path: Path, photons: RegionPhotons, curve: LightCurve, header: ProductHeader
) -> Product:
    """Write the extensions ``RATE`` (equal bins), ``BLOCKS`` and ``GTI``; rates without exposure are NaN.

    Parameters
    ----------
    path
        The new file.
    photons
        Photons of the regions, which provide regions and GTIs.
    curve
        Light curve to write.
    header
        Header keywords of the event file and calibration versions.
    """
    zero = met_from_utc(curve.zero)
    parts = [
        header.primary("QLC_MXT"),
        _rates("RATE", curve.bins, zero, photons, header, equal=True),
        _rates("BLOCKS", curve.blocks, zero, photons, header, equal=False),
        _gti(photons, header),
    ]
    return write_fits(path, parts)


def _rates(
    name: str,
    bins: Sequence[RateBin],
    zero: float,
    photons: RegionPhotons,
    header: ProductHeader,
    *,
    equal: bool,
) -> fits.BinTableHDU:
    start, stop = (np.array([getattr(one, end) for one in bins]) for end in ("start_s", "stop_s"))
    live = np.array([one.exposure_s for one in bins])
    rates, low, high = np.array([_numbers(one.rate) for one in bins], dtype=np.float64).T
    columns = [
        fits.Column("TIME", "1D", unit="s", array=zero + 0.5 * (start + stop)),
        fits.Column("XAX_E", "1D", unit="s", array=0.5 * (stop - start)),
        fits.Column("RATE", "1E", unit="count/s", array=rates),
        fits.Column("ERROR", "1E", unit="count/s", array=0.5 * (low + high)),
        fits.Column("ERR_LOW", "1E", unit="count/s", array=low),
        fits.Column("ERR_HIGH", "1E", unit="count/s", array=high),
        fits.Column("FRACEXP", "1E", array=live / (stop - start)),
        fits.Column("EXPOSURE", "1E", unit="s", array=live),
        fits.Column("COUNTS", "1J", unit="count", array=np.array([one.source_photons for one in bins])),
        fits.Column("BKG", "1J", unit="count", array=np.array([one.background_photons for one in bins])),
    ]
    cards = _cards(photons, header)
    if equal:
        cards.append(("TIMEDEL", float(stop[0] - start[0]), "[s] width of each bin"))
    else:
        columns.append(fits.Column("TIMEDEL", "1D", unit="s", array=stop - start))
    return header.table(name, columns, cards)


def _numbers(rate: Measurement | None) -> tuple[float | None, float | None, float | None]:
    return (None, None, None) if rate is None else (rate.value, rate.error_low, rate.error_high)


def _cards(photons: RegionPhotons, header: ProductHeader) -> list[Card]:
    low, high = analysis_constants().band.energy_kev
    return [
        ("HDUCLAS1", "LIGHTCURVE", "kind of extension"),
        ("HDUCLAS2", "NET", "background subtracted"),
        ("HDUCLAS3", "RATE", "counts per second"),
        ("TIMVERSN", "OGIP/93-003", "version of the format"),
        *_span(photons, header),
        ("TIMEZERO", 0.0, "[s] no offset of TIME"),
        ("TIMEPIXR", 0.5, "TIME is the middle of the bin"),
        ("E_MIN", low, "[keV] energy band"),
        ("E_MAX", high, "[keV] energy band"),
        ("BACKAPP", True, "background is subtracted"),
        ("DEADAPP", False, "no dead time known"),
        ("VIGNAPP", True, "corrected for the fractions below"),
        ("BKGRATIO", photons.regions.area_ratio, "BKG x this was subtracted from COUNTS"),
        *region_cards(photons.regions),
    ]


def _span(photons: RegionPhotons, header: ProductHeader) -> list[Card]:
    return [
        ("TSTART", photons.gti[0, 0], "[s] start of the first GTI"),
        ("TSTOP", photons.gti[-1, 1], "[s] end of the last GTI"),
        ("TELAPSE", photons.gti[-1, 1] - photons.gti[0, 0], "[s] elapsed time"),
        ("EXPOSURE", photons.exposure, "[s] sum of the GTIs"),
        *header.time_cards(),
    ]


def _gti(photons: RegionPhotons, header: ProductHeader) -> fits.BinTableHDU:
    columns = [
        fits.Column("START", "1D", unit="s", array=photons.gti[:, 0]),
        fits.Column("STOP", "1D", unit="s", array=photons.gti[:, 1]),
    ]
    classes = [("HDUCLAS1", "GTI", "kind of extension"), ("HDUCLAS2", "STANDARD", "subkind")]
    return header.table("GTI", columns, [*classes, *_span(photons, header)])
