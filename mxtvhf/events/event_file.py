"""Write and read the event file, an OGIP event list.

::

    PRIMARY    no data; SVOM's product keywords
    EVENTS     TIME, X, Y, RAWX, RAWY, PHA, PI, GRADE     one row per event in the good time intervals
    GTI        START, STOP            when the pointing was stable and every photon was received
    ATTITUDE   TIME, QUATERNION, STABLE                   the samples as received

Times are mission elapsed seconds in TT (``MJDREFI + MJDREFF`` is the epoch). X and Y are pixels of a TAN
image centred on the mean boresight, North up, computed for each photon with the attitude at its own time;
RAWX and RAWY are detector column and row, 0..255. ``PNTSPRD`` gives the largest deviation of the pointing
from the mean, ``CALxxx`` the calibration versions. The same input gives the same bytes.

The pixel entries of one photon form one row, and ``GRADE`` is the number of their pattern (see
`mxtvhf.events.patterns`); entries of invalid patterns have one row each, with grade 13. ``RECONSTR`` is true
in such a table. A table without ``GRADE`` holds pixel entries, which are joined when the file is read.

Sources: OGIP/93-003 (event lists: HDUCLASn, GTI); OGIP/94-001 (TLMIN, TLMAX, EXPOSURE); Greisen & Calabretta
2002, A&A 395, 1061 (WCS of pixel lists); Rots et al. 2015, A&A 574, A36 (time); SVOM product cards.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from astropy.io import fits

from mxtvhf.errors import InvalidInput
from mxtvhf.events.drift_corrected import DriftCorrectedPhotons
from mxtvhf.events.fits import Card, Column, card_images, primary_hdu, table_hdu
from mxtvhf.events.header import (
    EventHeader,
    Observation,
    event_cards,
    primary_cards,
    sky_image,
    table_cards,
)
from mxtvhf.events.model import PatternCounts
from mxtvhf.events.patterns import GradedEvents, reconstruct
from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.attitude import AttitudeHistory, observing_time, pointing_limits, stable_pointing
from mxtvhf.instrument.calibration import Alignment, Calibration, CalibrationStore, Gain, packaged_store
from mxtvhf.instrument.constants import instrument
from mxtvhf.instrument.pixels import ExposureMap, RawMask
from mxtvhf.instrument.pointing import Pointing, drift_corrected_pixels, exposure_map, image_pixels
from mxtvhf.instrument.time import utc_from_met
from mxtvhf.models.arrays import Floats
from mxtvhf.models.files import sha256_of, write_atomically
from mxtvhf.models.ids import BURST_ID_PATTERN
from mxtvhf.models.intervals import ALL_TIME, difference, overlap
from mxtvhf.models.text import escaped, one_line

_MOMENTS = 16
"""Number of moments in the GTIs at which the exposure map samples the pointing."""


@dataclass(frozen=True)
class EventFileInfo:
    """Summary of a written event file."""

    path: Path
    sha256: str
    n_photons: int
    """Valid events."""
    patterns: PatternCounts
    n_unstable: int
    """Photons left out because the pointing was not stable."""
    n_incomplete: int
    """Photons left out because other photons of the same time may be missing."""
    lost: Floats
    """Intervals of stable pointing during which photons were lost, seconds of MET."""
    tstart: float
    tstop: float
    """Start and stop of the good time intervals, seconds of MET."""
    exposure_s: float
    pointing: Pointing
    """Mean pointing in the GTIs."""
    spread_arcsec: float
    """Largest angle between an attitude sample in the GTIs and the mean pointing."""
    calibration: Calibration
    """Calibration used for X, Y and PI: the one valid at ``tstart``."""


class DriftCorrectedPixels(NamedTuple):
    """Drift-corrected pixel addresses: those at the mean pointing.

    Attributes
    ----------
    x, y
        Column and row of each photon; meaningless where ``on_detector`` is False.
    on_detector
        False for photons that would have fallen outside the detector.
    moved
        False if the pointing was steady, so that these are the raw coordinates.
    """

    x: npt.NDArray[np.int16]
    y: npt.NDArray[np.int16]
    on_detector: npt.NDArray[np.bool_]
    moved: bool


@dataclass(frozen=True, eq=False, repr=False)
class EventFile:
    """Contents of an event file.

    Attributes
    ----------
    photons
        The valid events in time order, one entry for each photon.
    rejected
        Pixel entries of invalid patterns (particles, readout noise, dense pile-up).
    gti
        Good time intervals, seconds of MET, shape (intervals, 2).
    pointing
        The mean boresight, to which X and Y refer.
    spread_arcsec
        Largest angle between the attitude in the GTIs and the mean pointing.
    attitude
        The attitude samples as received.
    header
        Keywords of the primary header; ``CALxxx`` are the calibration versions used for X, Y and PI.
    tstart
        Start of the first GTI, seconds of MET; use the calibration valid at this time.
    """

    photons: PhotonList
    rejected: PhotonList
    gti: Floats
    pointing: Pointing
    spread_arcsec: float
    attitude: AttitudeHistory
    header: dict[str, Any]
    tstart: float

    @property
    def exposure_s(self) -> float:
        """Sum of the GTIs, seconds."""
        return float(np.sum(self.gti[:, 1] - self.gti[:, 0]))

    def __repr__(self) -> str:
        """Return a one-line summary; the default would print all arrays in a notebook."""
        where = f"RA {self.pointing.ra_deg:.4f} Dec {self.pointing.dec_deg:+.4f} deg"
        return f"<EventFile: {len(self.photons)} photons, exposure {self.exposure_s:.0f} s, pointing {where}>"

    def drift_corrected_photons(self, usable: RawMask, alignment: Alignment) -> DriftCorrectedPhotons:
        """Return the photons of usable pixels at drift-corrected positions, and their exposure map.

        A moving pointing smears bad and hot pixels into lines. Their photons are therefore excluded at the
        raw coordinates, and the exposure map accounts for the missing exposure.

        Parameters
        ----------
        usable
            Pixels that are neither bad nor hot.
        alignment
            Orientation of the detector in the satellite's body frame.
        """
        photons, corrected = self.photons, self.drift_corrected_pixels(alignment)
        if not corrected.moved:
            return DriftCorrectedPhotons.of_steady(photons, usable)
        return DriftCorrectedPhotons(
            photons.time, corrected.x, corrected.y, photons.pha, self.exposure_map(usable, alignment)
        ).selected(corrected.on_detector & usable[photons.y, photons.x])

    def drift_corrected_pixels(self, alignment: Alignment) -> DriftCorrectedPixels:
        """Return the drift-corrected pixels of the photons: their pixels at the mean pointing.

        A source that drifted over the detector is sharp again at these positions. Detector features (hot and
        bad pixels) are sharp in raw coordinates, so exclude them first.

        If the pointing was steady (``instrument/pointing.toml``), the raw coordinates are returned unchanged.

        Parameters
        ----------
        alignment
            Orientation of the detector in the satellite's body frame.
        """
        photons = self.photons
        if self.spread_arcsec <= pointing_limits().steady.spread_arcsec:
            return DriftCorrectedPixels(photons.x, photons.y, np.ones(len(photons), np.bool_), False)
        mean = replace(self.pointing, alignment=alignment)
        x, y = np.rint(drift_corrected_pixels(mean, self.attitude, photons.time, photons.x, photons.y))
        detector = instrument().detector
        inside = (x >= 0) & (x < detector.columns) & (y >= 0) & (y < detector.rows)
        x, y = (np.where(inside, address, 0).astype(np.int16) for address in (x, y))
        return DriftCorrectedPixels(x, y, inside, True)

    def exposure_map(self, usable: RawMask, alignment: Alignment) -> ExposureMap:
        """Return the exposure map: fraction of the GTI during which each drift-corrected pixel was exposed.

        If the pointing moved, bad pixels and the detector's edges do not leave holes in the drift-corrected
        image, but strips of reduced exposure.

        Parameters
        ----------
        usable
            Detector pixels that are in use.
        alignment
            Orientation of the detector in the satellite's body frame.

        Returns
        -------
        ExposureMap
            Zero everywhere if there is no GTI.
        """
        if not self.exposure_s > 0.0:
            return ExposureMap(np.zeros(usable.shape))
        length = self.gti[:, 1] - self.gti[:, 0]
        passed = (np.arange(_MOMENTS) + 0.5) / _MOMENTS * length.sum()
        before = np.cumsum(length) - length
        interval = np.searchsorted(before, passed, side="right") - 1
        moments = self.gti[interval, 0] + passed - before[interval]
        mean = replace(self.pointing, alignment=alignment)
        return ExposureMap(exposure_map(mean, self.attitude, moments, usable))


def write_event_file(
    path: Path,
    photons: PhotonList,
    attitude: AttitudeHistory,
    *,
    header: EventHeader,
    store: CalibrationStore | None = None,
    received: Floats | None = None,
) -> EventFileInfo:
    """Write an event file atomically.

    Parameters
    ----------
    path
        Destination; an existing file is replaced.
    photons
        Pixel entries as read out; may be empty. Entries outside stable pointing or outside the received time
        are left out; the others are joined to events.
    attitude
        At least one sample.
    header
        Keywords of the observation.
    store
        Calibration store that provides the calibration valid at the start of the observation; by default the
        one of the package.
    received
        Intervals for which every photon was received, seconds of MET, shape (intervals, 2); by default all
        time.

    Raises
    ------
    InvalidInput
        The attitude has no sample, or no calibration is valid at the start.
    """
    observation = observe(photons, attitude, header, store or packaged_store(), received)
    content = event_file_bytes(observation)
    write_atomically(path, content)
    return EventFileInfo(
        path=path,
        sha256=sha256_of(content),
        n_photons=len(observation.events.photons),
        patterns=observation.events.counts(),
        n_unstable=observation.n_unstable,
        n_incomplete=observation.n_incomplete,
        lost=difference(observation.stable, ALL_TIME if received is None else received),
        tstart=observation.tstart,
        tstop=observation.tstop,
        exposure_s=observation.exposure,
        pointing=observation.pointing,
        spread_arcsec=observation.spread_arcsec,
        calibration=observation.calibration,
    )


def observe(
    photons: PhotonList,
    attitude: AttitudeHistory,
    header: EventHeader,
    store: CalibrationStore,
    received: Floats | None = None,
) -> Observation:
    """Find pointing, GTIs and calibration, and join the pixel entries in the GTIs to events.

    Parameters
    ----------
    photons
        Pixel entries as received, raw coordinates, in time order.
    attitude
        Samples, at least one.
    header
        Identity of the observation and its notice.
    store
        Calibration files, of which those valid at the start are used.
    received
        Intervals without lost packets, seconds of MET, shape (intervals, 2); None: nothing was lost.

    Raises
    ------
    InvalidInput
        The attitude has no sample, or no calibration is valid at the start.
    """
    if not len(attitude):
        raise InvalidInput("attitude: no sample; expected at least one")
    start, stop = attitude.time[0], attitude.time[-1]
    if len(photons):
        start = min(start, photons.time[0])
        stop = max(stop, photons.time[-1] + instrument().detector.frame_time_s)
    pointing = stable_pointing(attitude, float(start), float(stop))
    gti = overlap(pointing.gti, observing_time(attitude.time, photons.time))
    if received is not None:
        gti = overlap(gti, received)
    good = _within(photons.time, gti)
    tstart, tstop = (gti[0, 0], gti[-1, 1]) if len(gti) else (start, stop)
    calibration = store.at(utc_from_met(float(tstart)))
    bad_pixels = calibration.bad_pixels.mask()
    stable = _within(photons.time, pointing.gti)

    return Observation(
        events=_joined(photons, good, bad_pixels),
        n_unstable=len(_joined(photons, ~stable, bad_pixels).photons),
        n_incomplete=len(_joined(photons, stable & ~good, bad_pixels).photons),
        attitude=attitude,
        header=header,
        calibration=calibration,
        pointing=Pointing.from_quaternion(pointing.mean, calibration.alignment),
        spread_arcsec=pointing.spread_arcsec,
        gti=gti,
        stable=pointing.gti,
        tstart=float(tstart),
        tstop=float(tstop),
    )


def _joined(photons: PhotonList, chosen: npt.NDArray[np.bool_], bad_pixels: RawMask) -> GradedEvents:
    """Join the pixel entries that a mask selects to events."""
    return reconstruct(photons if chosen.all() else photons.selected(chosen), bad_pixels)


def _within(time: Floats, intervals: Floats) -> npt.NDArray[np.bool_]:
    """Return a mask of the sorted times that lie in the sorted intervals; an interval excludes its stop."""
    inside = np.zeros(len(time), np.bool_)
    for first, last in np.searchsorted(time, intervals):
        inside[first:last] = True
    return inside


def event_file_bytes(observation: Observation) -> bytes:
    """Return the bytes of the complete file.

    Parameters
    ----------
    observation
        Events, GTIs, attitude, pointing and calibration.
    """
    attitude, gti = observation.attitude, observation.gti
    axes = "QUATERNION is scalar last: body (+X boresight, +Z up) to ICRS."
    tables: list[tuple[str, list[Column], list[Card]]] = [
        ("EVENTS", _event_columns(observation), event_cards(observation)),
        (
            "GTI",
            [Column("START", gti[:, 0], "s"), Column("STOP", gti[:, 1], "s")],
            [("HDUCLAS1", "GTI", "kind of extension"), ("HDUCLAS2", "STANDARD", "subkind")],
        ),
        (
            "ATTITUDE",
            [
                Column("TIME", attitude.time, "s"),
                Column("QUATERNION", attitude.quaternion),
                Column("STABLE", attitude.stable),
            ],
            [
                ("HDUCLAS1", "TEMPORALDATA", "kind of extension"),
                ("HDUCLAS2", "ATTITUDE", "subkind"),
                ("COMMENT", axes, ""),
            ],
        ),
    ]
    common = card_images(table_cards(observation))
    parts = [*primary_hdu(card_images(primary_cards(observation)))]
    for name, columns, cards in tables:
        parts += table_hdu(name, columns, common + card_images(cards))
    return b"".join(parts)


def _event_columns(observation: Observation) -> list[Column]:
    photons, (centre, scale) = observation.events.rows, sky_image()
    x, y = image_pixels(
        observation.pointing, observation.attitude, photons.time, photons.x, photons.y,
        centre=centre, scale_deg=scale,
    )  # fmt: skip
    return [
        Column("TIME", photons.time, "s"),
        Column("X", x, "pixel"),
        Column("Y", y, "pixel"),
        Column("RAWX", photons.x, "pixel"),
        Column("RAWY", photons.y, "pixel"),
        Column("PHA", photons.pha, "chan"),
        Column("PI", pi_channels(photons.pha, observation.calibration.gain), "chan"),
        Column("GRADE", observation.events.grade),
    ]


def pi_channels(pha: npt.NDArray[np.int32], gain: Gain) -> npt.NDArray[np.int32]:
    """Return the pulse-invariant channel of pulse heights: energy over the channel width, rounded down.

    Energies below the first or above the last channel are counted in that channel.

    Parameters
    ----------
    pha
        Pulse heights, channels, shape (N,).
    gain
        Calibration of the gain; the reference temperature is assumed.
    """
    pi = instrument().pi
    energy = gain.energy(np.arange(instrument().energy.pha_channels))
    # The centre of a PHA channel may lie on the edge of a PI channel; avoid dependence on rounding errors.
    channels = np.floor(energy / pi.channel_width_kev + 1e-9)
    return np.asarray(np.clip(channels, 0, pi.channels - 1), np.int32)[pha]


def _intervals(start: Floats, stop: Floats) -> Floats:
    gti = np.stack([start, stop], axis=1)
    if not np.isfinite(gti).all():
        raise ValueError("good time intervals are not finite; expected seconds of MET")
    if not (np.diff(gti.ravel()) >= 0.0).all():
        raise ValueError("good time intervals overlap or are not in time order")
    return gti


def _events(
    time: npt.NDArray[np.float64],
    x: npt.NDArray[np.int16],
    y: npt.NDArray[np.int16],
    pha: npt.NDArray[np.int32],
    grade: npt.NDArray[np.int16] | None = None,
) -> GradedEvents:
    """Return the graded events; a table without grades holds pixel entries, which are joined here."""
    rows = PhotonList(time, x, y, pha)
    return reconstruct(rows) if grade is None else GradedEvents(rows, grade)


_TABLES: dict[str, tuple[dict[str, tuple[str, tuple[int, ...]]], Callable[..., Any]]] = {
    "EVENTS": (
        {"TIME": ("f8", ()), "RAWX": ("i2", ()), "RAWY": ("i2", ()), "PHA": ("i4", ()), "GRADE": ("i2", ())},
        _events,
    ),
    "GTI": ({"START": ("f8", ()), "STOP": ("f8", ())}, _intervals),
    "ATTITUDE": ({"TIME": ("f8", ()), "QUATERNION": ("f8", (4,)), "STABLE": ("?", ())}, AttitudeHistory),
}
"""Columns that are read: type and shape of a cell, and the type after conversion."""
_OPTIONAL = {"GRADE"}
"""Optional columns."""
_UNREADABLE = (
    OSError, ValueError, TypeError, LookupError, AttributeError, OverflowError, fits.VerifyError, Warning
)  # fmt: skip
"""Exceptions that astropy raises on damaged files."""

_NUMBERS = {
    "RA_PNT": (0.0, 360.0),
    "DEC_PNT": (-90.0, 90.0),
    "PA_PNT": (-360.0, 360.0),
    "PNTSPRD": (0.0, 180.0 * 3600.0),
    # A hundred years, in seconds.
    "TSTART": (0.0, 3.2e9),
}
"""Numeric keywords of the primary header that are used, with their allowed ranges."""
_TEXTS = {"BURST_ID": BURST_ID_PATTERN, "DSTREAM": "^(VHF|XBand)$", "DATE": r"^\d{4}-\d\d-\d\dT[\d:.]+$"}
"""Text keywords of the primary header that are used, with their patterns."""
_UNITS = {"TIME": "s", "START": "s", "STOP": "s", "RAWX": "pixel", "RAWY": "pixel", "PHA": "chan"}
"""Expected units of the columns."""
_SAME_TIME_S = 1e-4
"""Two times that differ by less are considered equal, seconds."""


def read_event_file(path: Path | str) -> EventFile:
    """Read an event file.

    Parameters
    ----------
    path
        The FITS file.

    Raises
    ------
    InvalidInput
        The file does not exist, is not FITS, is truncated or damaged (wrong checksum), is of another
        instrument, time system, unit or frame, has a keyword out of range, lacks a table or column, or has
        invalid photons or attitude samples (see `PhotonList`, `AttitudeHistory`). The message names the file
        and the HDU.
    """
    path = Path(path)
    shown = escaped(path.name)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{shown}: {error.strerror}") from error
    # Checked here because astropy would also unpack compressed files, of any size.
    if not content.startswith(b"SIMPLE  ="):
        raise InvalidInput(f"{shown}: not a FITS file")
    part, tables = "PRIMARY", dict[str, Any]()
    try:
        # Astropy only warns of a truncated file or a wrong checksum. With ``True`` it checks all HDUs before
        # it returns the first one, and the error could not name the HDU at fault; 1 checks each HDU when it
        # is read.
        with warnings.catch_warnings(action="error"), fits.open(BytesIO(content), checksum=1) as parts:
            header = _primary_header(parts[0])
            ra, dec, roll, spread, tstart = (_number(header, key) for key in _NUMBERS)
            for part, (columns, made) in _TABLES.items():
                if part not in parts:
                    raise ValueError("not an event list: the table is missing")
                _check_frame(parts[part].header, required=())
                there = {name: kind for name, kind in columns.items() if _is_read(parts[part], name)}
                tables[part] = made(*(_column(parts[part], name, *kind) for name, kind in there.items()))
            part = "PRIMARY"
            _check_start(tstart, tables["GTI"])
    except (InvalidInput, *_UNREADABLE) as error:
        raise InvalidInput(f"{shown}: HDU {part}: {one_line(error)}") from error
    return EventFile(
        photons=tables["EVENTS"].photons,
        rejected=tables["EVENTS"].rejected,
        gti=tables["GTI"],
        pointing=Pointing(ra, dec, roll),
        spread_arcsec=spread,
        attitude=tables["ATTITUDE"],
        header=header,
        tstart=tstart,
    )


def _primary_header(part: fits.PrimaryHDU) -> dict[str, Any]:
    """Return the keywords of the primary header after checking instrument, time system and frame."""
    header, required = dict(part.header), ("TELESCOP", "INSTRUME", "TIMESYS", "MJDREFI")
    for key in (*required, *_TEXTS, *_NUMBERS):
        if key not in header:
            raise ValueError(f"not an event list: keyword {key} missing")
    _check_frame(header, required=required)
    for key, pattern in _TEXTS.items():
        if not re.match(pattern, str(header.get(key))):
            raise ValueError(f"{key} is {header.get(key)!r}, expected {pattern}")
    return header


def _check_frame(header: Mapping[str, Any], *, required: Sequence[str]) -> None:
    """Check that the time system, units and frame in a header are those in which the columns are read.

    An optional keyword that is missing has the expected value by default, according to the standards.
    """
    time = instrument().time
    expected: dict[str, str | int | float] = {
        "TELESCOP": "SVOM",
        "INSTRUME": "MXT",
        "TIMESYS": "TT",
        "TIMEREF": "LOCAL",
        "TIMEUNIT": "s",
        "TIMEZERO": 0.0,
        "TIMEPIXR": 0.0,
        "MJDREFI": time.mjdrefi,
        "MJDREFF": time.tt_minus_utc_s / 86400.0,
        "RADESYS": "ICRS",
    }
    for key, value in expected.items():
        found = header.get(key)
        if found is None and key not in required:
            continue
        near = isinstance(value, float) and isinstance(found, int | float) and abs(found - value) < 1e-9
        if not near and found != value:
            raise ValueError(f"{key} is {found!r}, expected {value!r}")


def _number(header: Mapping[str, Any], key: str) -> float:
    low, high = _NUMBERS[key]
    number = float(header[key])
    if not low <= number <= high:
        raise ValueError(f"{key} is {number!r}, expected {low:g} to {high:g}")
    return number


def _check_start(tstart: float, gti: Floats) -> None:
    """Check that ``TSTART``, which selects the calibration, is the start of the first GTI."""
    if len(gti) and abs(tstart - gti[0, 0]) > _SAME_TIME_S:
        raise ValueError(
            f"TSTART is {tstart!r}, expected the start of the first good time interval, {float(gti[0, 0])!r}"
        )


def _is_read(part: fits.BinTableHDU, name: str) -> bool:
    return name not in _OPTIONAL or name in part.columns.names


def _column(part: fits.BinTableHDU, name: str, dtype: str, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    column = np.asarray(part.data[name])
    number = part.columns.names.index(name) + 1
    if part.columns[name].unit not in (None, _UNITS.get(name)):
        raise ValueError(f"column {name} is in {part.columns[name].unit!r}, expected {_UNITS.get(name)!r}")
    if name in ("RAWX", "RAWY", "PHA") and (least := part.header.get(f"TLMIN{number}", 0)) != 0:
        raise ValueError(f"TLMIN{number} of column {name} is {least!r}, expected 0")
    if column.shape[1:] != shape:
        raise ValueError(f"column {name} has cells of shape {column.shape[1:]}, expected {shape}")
    return column.astype(dtype, casting="same_kind")
