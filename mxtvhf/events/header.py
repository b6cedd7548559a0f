"""Keywords of the event file; see `mxtvhf.events.event_file` for their sources."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, cached_property
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from pydantic import AwareDatetime, Field

from mxtvhf import __version__
from mxtvhf.events.fits import Card
from mxtvhf.events.patterns import INVALID_GRADE, GradedEvents
from mxtvhf.instrument.attitude import AttitudeHistory
from mxtvhf.instrument.calibration import Calibration
from mxtvhf.instrument.constants import instrument, pixel_scale_arcsec
from mxtvhf.instrument.pointing import Pointing
from mxtvhf.models.base import Model
from mxtvhf.models.ids import BurstId
from mxtvhf.models.quantities import Fraction
from mxtvhf.models.times import utc_text
from mxtvhf.models.toml import Constants, SourcedConstants, read_toml

_MJD_ZERO = datetime(1858, 11, 17)
_VERSION_KEYWORDS = {
    "psf": "CALPSF",
    "effective_area": "CALARF",
    "gain": "CALGAIN",
    "redistribution": "CALRMF",
    "bad_pixels": "CALBADPX",
    "alignment": "CALALIGN",
    "background": "CALBKG",
}
"""Keyword of the calibration version used for the observation, by calibration item."""

PRINTABLE = r"^[\x20-\x7e]*$"
"""FITS headers hold printable ASCII only."""


class EventHeader(Model):
    """Information about the observation that is not in the tables."""

    burst_id: BurstId
    ivorn: str = Field(max_length=68, pattern=PRINTABLE)
    """Identifier of the notice that the observation belongs to."""
    obs_id: str = Field(max_length=68, pattern=PRINTABLE)
    date: AwareDatetime
    """``DATE``; given by the caller, not read from a clock, so that the same input gives the same bytes."""
    dstream: Literal["VHF", "XBand"] = "VHF"
    """Data stream: the few photons sent immediately by VHF, or all photons sent hours later by X-band."""


@dataclass(frozen=True, eq=False)
class Observation:
    """Contents of the tables and headers; ``events`` are the events in the GTIs.

    ``stable`` are the intervals of stable pointing. The GTIs are those parts of them for which every photon
    was received.
    """

    events: GradedEvents
    n_unstable: int
    """Photons left out because the pointing was not stable."""
    n_incomplete: int
    """Photons left out because other photons of the same time may be missing."""
    attitude: AttitudeHistory
    header: EventHeader
    calibration: Calibration
    pointing: Pointing
    spread_arcsec: float
    gti: npt.NDArray[np.float64]
    stable: npt.NDArray[np.float64]
    tstart: float
    tstop: float

    @cached_property
    def exposure(self) -> float:
        """Sum of the GTIs, seconds."""
        return float(np.sum(self.gti[:, 1] - self.gti[:, 0]))


Keyword = Annotated[str, Field(min_length=1, max_length=68, pattern=PRINTABLE)]
"""Value of a FITS keyword."""


class ProductKeywords(SourcedConstants):
    """SVOM's product keywords."""

    origin: Keyword
    creator: Keyword
    card: Keyword
    program: Keyword
    prdm_ver: float = Field(ge=0.0, le=1000.0)
    gldm_ver: float = Field(ge=0.0, le=1000.0)
    proc_ver: int = Field(ge=0)


class SkyImage(SourcedConstants):
    """The square image of the columns X and Y."""

    pixels: int = Field(ge=1, le=32_767)
    """Number of pixels of each axis."""


class PatternLimits(SourcedConstants):
    """Fractions above which the report mentions the patterns."""

    pile_up: Fraction
    """Fraction of the events that hold the charge of several photons."""
    invalid_pixels: Fraction
    """Fraction of the pixel entries in invalid patterns."""


class EventFileConstants(Constants):
    """Contents of ``event_file.toml``."""

    primary: ProductKeywords
    sky: SkyImage
    patterns: PatternLimits


@cache
def event_file_constants() -> EventFileConstants:
    """Return the keyword values of the event file; the TOML file gives their sources."""
    return read_toml(Path(__file__).with_name("event_file.toml"), EventFileConstants)


def product_cards(card: str, *, dstream: str, date: datetime, obs_id: str, burst_id: str) -> list[Card]:
    """Return SVOM's product keywords, in the order of the product cards.

    Parameters
    ----------
    card
        The product card, e.g. ``QPO_MXT``.
    dstream
        Data stream, ``VHF`` or ``XBand``.
    date
        Time at which all inputs existed, UTC.
    obs_id, burst_id
        Identifiers of the observation and the burst.
    """
    says = event_file_constants().primary
    return [
        ("ORIGIN", says.origin, "where the file was made"),
        ("TELESCOP", "SVOM", "mission"),
        ("INSTRUME", "MXT", "instrument"),
        ("CREATOR", says.creator, "pipeline"),
        ("CARD", card, "product card"),
        ("PROGRAM", says.program, "observing program"),
        ("PRDM_VER", says.prdm_ver, "product data model"),
        ("GLDM_VER", says.gldm_ver, "global data model"),
        ("PROC_VER", says.proc_ver, "processing"),
        ("PIP_VER", __version__, "pipeline version"),
        ("DSTREAM", dstream, "data stream"),
        ("DATE", utc_text(date).removesuffix("Z"), "[UTC] when all inputs existed"),
        *time_system_cards(),
        ("OBS_ID", obs_id, "observation"),
        ("BURST_ID", burst_id, "burst"),
    ]


def primary_cards(observation: Observation) -> list[Card]:
    """Return the primary header of the event file.

    Parameters
    ----------
    observation
        The observation that the file describes.
    """
    header = observation.header
    return [
        *product_cards(
            event_file_constants().primary.card,
            dstream=header.dstream,
            date=header.date,
            obs_id=header.obs_id,
            burst_id=header.burst_id,
        ),
        ("IVORN", header.ivorn, "notice"),
        ("CALVER", instrument().version, "instrument constants"),
        *_calibration(observation.calibration),
        ("EPOCH0", instrument().time.epoch_utc.rstrip("Z"), "[UTC] zero of mission elapsed time"),
        *_span(observation),
        *_pointing(observation),
    ]


def table_cards(observation: Observation) -> list[Card]:
    """Return the keywords that every extension carries.

    Parameters
    ----------
    observation
        The observation that the file describes.
    """
    return [
        ("HDUCLASS", "OGIP", "format conforms to OGIP standard"),
        ("TELESCOP", "SVOM", "mission"),
        ("INSTRUME", "MXT", "instrument"),
        ("OBJECT", observation.header.burst_id, "burst"),
        ("OBS_ID", observation.header.obs_id, "observation"),
        *time_system_cards(),
        *_span(observation),
        *_pointing(observation),
    ]


def _calibration(calibration: Calibration) -> list[Card]:
    versions = calibration.versions()
    return [(keyword, versions[item], f"calibration: {item}") for item, keyword in _VERSION_KEYWORDS.items()]


def time_system_cards() -> list[Card]:
    """Return the keywords of the time system used in all our files."""
    time = instrument().time
    return [
        ("TIMEREF", "LOCAL", "times as at the satellite"),
        ("TIMESYS", "TT", "time system"),
        ("TIMEUNIT", "s", "unit of times"),
        ("MJDREFI", time.mjdrefi, "[d] MJD of time zero, integer part"),
        ("MJDREFF", time.tt_minus_utc_s / 86400.0, "[d] fraction: 0 h UTC in TT"),
    ]


def _span(observation: Observation) -> list[Card]:
    # No dead time is known; the frame-store detector is assumed to be always live.
    return [
        ("TSTART", observation.tstart, "[s] start of the first GTI"),
        ("TSTOP", observation.tstop, "[s] end of the last GTI"),
        ("DATE-OBS", _tt(observation.tstart), "[TT] start"),
        ("DATE-END", _tt(observation.tstop), "[TT] end"),
        ("TELAPSE", observation.tstop - observation.tstart, "[s] elapsed time"),
        ("ONTIME", observation.exposure, "[s] sum of the GTIs"),
        ("LIVETIME", observation.exposure, "[s] no dead time known"),
        ("EXPOSURE", observation.exposure, "[s] exposure"),
        ("TIMEDEL", instrument().detector.frame_time_s, "[s] detector frame"),
        ("TIMEPIXR", 0.0, "TIME is the start of the frame"),
    ]


def _pointing(observation: Observation) -> list[Card]:
    pointing = observation.pointing
    return [
        ("RADESYS", "ICRS", "frame of all positions"),
        ("EQUINOX", 2000.0, "[yr] equinox of all positions"),
        ("RA_PNT", pointing.ra_deg, "[deg] mean boresight"),
        ("DEC_PNT", pointing.dec_deg, "[deg] mean boresight"),
        ("PA_PNT", pointing.roll_deg, "[deg] mean roll: +Z, North through East"),
        ("PNTSPRD", observation.spread_arcsec, "[arcsec] largest angle from the mean"),
    ]


def event_cards(observation: Observation) -> list[Card]:
    """Return the keywords of the event table.

    Parameters
    ----------
    observation
        The observation that the file describes.
    """
    return [
        ("HDUCLAS1", "EVENTS", "kind of extension"),
        ("HDUCLAS2", "ALL", "subkind"),
        ("RECONSTR", True, "split events are joined, see GRADE"),
        *_limits(),
        *_sky_wcs(observation.pointing),
    ]


def _limits() -> list[Card]:
    """Return the allowed ranges of the columns, by column number."""
    size, channels = event_file_constants().sky.pixels, instrument().pi.channels
    detector, energy = instrument().detector, instrument().energy
    ranges = {
        2: (0.5, size + 0.5),
        3: (0.5, size + 0.5),
        4: (0, detector.columns - 1),
        5: (0, detector.rows - 1),
        6: (0, energy.pha_channels - 1),
        7: (0, channels - 1),
        8: (0, INVALID_GRADE),
    }
    return [
        card
        for column, (low, high) in ranges.items()
        for card in ((f"TLMIN{column}", low, "lowest value"), (f"TLMAX{column}", high, "highest value"))
    ]


def sky_image() -> tuple[float, float]:
    """Return the centre of the sky image (pixel, both axes) and its scale in degrees per pixel."""
    return (event_file_constants().sky.pixels + 1) / 2.0, pixel_scale_arcsec() / 3600.0


def _sky_wcs(pointing: Pointing) -> list[Card]:
    """Return the world coordinate keywords of the columns X (2) and Y (3)."""
    centre, scale = sky_image()
    cards: list[Card] = []
    for column, kind, value, step in (
        (2, "RA---TAN", pointing.ra_deg, -scale),
        (3, "DEC--TAN", pointing.dec_deg, scale),
    ):
        cards += [
            (f"TCTYP{column}", kind, "gnomonic"),
            (f"TCUNI{column}", "deg", "unit"),
            (f"TCRPX{column}", centre, "[pixel] mean boresight"),
            (f"TCRVL{column}", value, "[deg] mean boresight"),
            (f"TCDLT{column}", step, "[deg] per pixel"),
        ]
    # The default is 0 for a boresight exactly at the North pole and 180 everywhere else.
    return [*cards, ("LONP3", 180.0, "[deg] native longitude of the pole")]


def _tt(met: float) -> str:
    """Return the TT date of a mission elapsed time; TT has no leap seconds."""
    time = instrument().time
    since = timedelta(days=time.mjdrefi, seconds=round(time.tt_minus_utc_s + met, 3))
    return (_MJD_ZERO + since).isoformat(timespec="milliseconds")
