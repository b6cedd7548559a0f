"""The event file: photons as an OGIP event list, and back.

::

    PRIMARY    no data; SVOM's product keywords
    EVENTS     TIME, X, Y, RAWX, RAWY, PHA, PI     one row per photon in the good time intervals
    GTI        START, STOP                         when the pointing was stable
    ATTITUDE   TIME, QUATERNION, STABLE            the samples as received

Times are mission elapsed seconds, TT (``MJDREFI + MJDREFF`` is the epoch). X and Y are pixels of a TAN image
about the boresight, North up; RAWX and RAWY the detector's column and row, 0..255. The same input gives the
same bytes.

Sources: OGIP/93-003 (event lists: HDUCLASn, GTI); OGIP/94-001 (TLMIN, TLMAX, EXPOSURE); Greisen & Calabretta
2002, A&A 395, 1061 (WCS of pixel lists); Rots et al. 2015, A&A 574, A36 (time); SVOM product cards.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from astropy.io import fits

from mxtvhf.archive import write_atomically
from mxtvhf.calibration import Calibration, CalibrationStore, Gain, packaged_store
from mxtvhf.errors import InvalidInput
from mxtvhf.eventcards import (
    EventHeader,
    Observation,
    constants,
    event_limits,
    primary_cards,
    sky_wcs,
    table_cards,
)
from mxtvhf.instrument import instrument, pixel_scale_arcsec
from mxtvhf.missiontime import utc_from_met
from mxtvhf.photons import PhotonList
from mxtvhf.pointing import AttitudeHistory, FixedPointing, Pointing, fixed_pointing, stable_intervals

_TABLES: dict[str, dict[str, tuple[str, tuple[int, ...]]]] = {
    "EVENTS": {"TIME": ("f8", ()), "RAWX": ("i2", ()), "RAWY": ("i2", ()), "PHA": ("i4", ())},
    "GTI": {"START": ("f8", ()), "STOP": ("f8", ())},
    "ATTITUDE": {"TIME": ("f8", ()), "QUATERNION": ("f8", (4,)), "STABLE": ("?", ())},
}
"""Columns that are read: type and shape of a cell."""
_UNREADABLE = (
    OSError, ValueError, TypeError, LookupError, AttributeError, OverflowError, fits.VerifyError, Warning
)  # fmt: skip
"""What astropy raises on damaged files."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class EventFileInfo:
    """An event file that was written."""

    path: Path
    sha256: str
    n_photons: int
    n_outside_gti: int
    """Photons left out because the pointing was not stable."""
    tstart: float
    tstop: float
    """Start and stop of the good time intervals, seconds of MET."""
    exposure_s: float
    fixed: FixedPointing
    calibration: Calibration
    """What X, Y and PI were made with: the one for ``tstart``."""


@dataclass(frozen=True, eq=False)
class EventFile:
    """What an event file holds.

    Attributes
    ----------
    photons
        In time order, as `PhotonList`.
    gti
        Good time intervals, seconds of MET, shape (intervals, 2).
    pointing
        The boresight that X and Y refer to.
    attitude
        The samples that were received.
    header
        Keywords of the primary header.
    tstart
        Start of the good time intervals, seconds of MET; the calibration to use is the one for it.
    """

    photons: PhotonList
    gti: Floats
    pointing: Pointing
    attitude: AttitudeHistory
    header: dict[str, Any]
    tstart: float


def write_event_file(
    path: Path,
    photons: PhotonList,
    attitude: AttitudeHistory,
    *,
    header: EventHeader,
    store: CalibrationStore | None = None,
) -> EventFileInfo:
    """Write an event file; it is seen complete or not at all.

    Parameters
    ----------
    path
        Where; an existing file is replaced.
    photons
        In time order; may be empty. Those outside stable pointing are left out.
    attitude
        At least one sample.
    header
        The observation.
    store
        Where the calibration for the start of the observation comes from; by default the package.

    Raises
    ------
    InvalidInput
        No attitude sample is of stable pointing, or no calibration is valid at the start.
    """
    observation = _observe(photons, attitude, header, store or packaged_store())
    primary = fits.PrimaryHDU()
    primary.header.extend(primary_cards(observation), end=True)
    parts = [primary, _events(observation), _gti(observation), _attitude(observation)]
    for part in parts:
        part.add_checksum(when="")
    file = BytesIO()
    fits.HDUList(parts).writeto(file)
    content = file.getvalue()
    write_atomically(path, content)
    return EventFileInfo(
        path=path,
        sha256=sha256(content).hexdigest(),
        n_photons=len(observation.photons),
        n_outside_gti=len(photons) - len(observation.photons),
        tstart=observation.tstart,
        tstop=observation.tstop,
        exposure_s=observation.exposure,
        fixed=observation.fixed,
        calibration=observation.calibration,
    )


def _observe(
    photons: PhotonList, attitude: AttitudeHistory, header: EventHeader, store: CalibrationStore
) -> Observation:
    """Find pointing, good times and calibration, and keep the photons in the good times."""
    fixed = fixed_pointing(attitude)
    start, stop = attitude.time[0], attitude.time[-1]
    if len(photons):
        start = min(start, photons.time[0])
        stop = max(stop, photons.time[-1] + instrument()["detector"]["frame_time_s"])
    gti = stable_intervals(attitude, float(start), float(stop))
    first, last = np.searchsorted(photons.time, gti.T)
    if len(gti) != 1 or first[0] > 0 or last[0] < len(photons):
        rows = np.concatenate([np.arange(a, b) for a, b in zip(first, last, strict=True)] or [first])
        photons = PhotonList(photons.time[rows], photons.x[rows], photons.y[rows], photons.pha[rows])
    tstart, tstop = (gti[0, 0], gti[-1, 1]) if len(gti) else (start, stop)
    calibration = store.at(utc_from_met(float(tstart)))
    fixed = replace(fixed, pointing=replace(fixed.pointing, alignment=calibration.alignment))
    return Observation(photons, attitude, header, fixed, gti, float(tstart), float(tstop), calibration)


def _events(observation: Observation) -> fits.BinTableHDU:
    photons, sky = observation.photons, constants()["sky"]
    scale = pixel_scale_arcsec() / 3600.0
    centre = (sky["pixels"] + 1) / 2.0
    east, north = observation.fixed.pointing.plane_coordinates(photons.x, photons.y)
    columns = [
        fits.Column("TIME", "1D", unit="s", array=photons.time),
        fits.Column("X", "1D", unit="pixel", array=centre - east / scale),
        fits.Column("Y", "1D", unit="pixel", array=centre + north / scale),
        fits.Column("RAWX", "1I", unit="pixel", array=photons.x),
        fits.Column("RAWY", "1I", unit="pixel", array=photons.y),
        fits.Column("PHA", "1J", unit="chan", array=photons.pha),
        fits.Column("PI", "1J", unit="chan", array=pi_channels(photons.pha, observation.calibration.gain)),
    ]
    part = _table("EVENTS", columns, observation, hduclas1="EVENTS", hduclas2="ALL")
    part.header.extend(event_limits() + sky_wcs(observation.fixed.pointing, centre, scale), end=True)
    return part


def _gti(observation: Observation) -> fits.BinTableHDU:
    columns = [
        fits.Column("START", "1D", unit="s", array=observation.gti[:, 0]),
        fits.Column("STOP", "1D", unit="s", array=observation.gti[:, 1]),
    ]
    return _table("GTI", columns, observation, hduclas1="GTI", hduclas2="STANDARD")


def _attitude(observation: Observation) -> fits.BinTableHDU:
    attitude = observation.attitude
    columns = [
        fits.Column("TIME", "1D", unit="s", array=attitude.time),
        fits.Column("QUATERNION", "4D", array=attitude.quaternion),
        fits.Column("STABLE", "1L", array=attitude.stable),
    ]
    part = _table("ATTITUDE", columns, observation, hduclas1="TEMPORALDATA", hduclas2="ATTITUDE")
    part.header["COMMENT"] = "QUATERNION is scalar last: body (+X boresight, +Z up) to ICRS."
    return part


def pi_channels(pha: npt.NDArray[np.int32], gain: Gain) -> npt.NDArray[np.int32]:
    """Return the pulse-invariant channel of pulse heights: energy over the channel width, rounded down.

    Energies beyond the channels go to the first or last of them.
    """
    pi = constants()["pi"]
    # A PHA channel's centre may lie on the edge of a PI channel: do not let a rounding error decide.
    channels = np.floor(gain.energy(pha) / pi["channel_width_kev"] + 1e-9)
    return np.asarray(np.clip(channels, 0, pi["channels"] - 1), np.int32)


def _table(
    name: str, columns: list[fits.Column], observation: Observation, *, hduclas1: str, hduclas2: str
) -> fits.BinTableHDU:
    part = fits.BinTableHDU.from_columns(fits.ColDefs(columns), name=name)
    part.header.extend(table_cards(observation, hduclas1, hduclas2), end=True)
    return part


def read_event_file(path: Path) -> EventFile:
    """Read what ``write_event_file`` wrote.

    Raises
    ------
    InvalidInput
        No such file, not FITS, cut, damaged (wrong checksum), of another instrument or time system, or a
        table or column missing; the message names the file and the HDU.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path.name}: {error.strerror}") from error
    # Checked here because astropy would also unpack compressed files, of any size.
    if not content.startswith(b"SIMPLE  ="):
        raise InvalidInput(f"{path.name}: not a FITS file")
    part, tables = "PRIMARY", dict[str, list[npt.NDArray[Any]]]()
    try:
        # Astropy only warns of a cut file or a wrong checksum. Given ``True`` it checks all HDUs before it
        # returns the first, and the error could not name the one at fault; 1 checks each when it is read.
        with warnings.catch_warnings(action="error"), fits.open(BytesIO(content), checksum=1) as parts:
            header = _primary_header(parts[0])
            ra, dec, roll, tstart = (float(header[key]) for key in ("RA_PNT", "DEC_PNT", "PA_PNT", "TSTART"))
            for part, columns in _TABLES.items():
                tables[part] = [_column(parts[part], name, *kind) for name, kind in columns.items()]
    except _UNREADABLE as error:
        raise InvalidInput(f"{path.name}: HDU {part}: {' '.join(str(error).split())}") from error
    return EventFile(
        photons=PhotonList(*tables["EVENTS"]),
        gti=np.stack(tables["GTI"], axis=1),
        pointing=Pointing(ra, dec, roll),
        attitude=AttitudeHistory(*tables["ATTITUDE"]),
        header=header,
        tstart=tstart,
    )


def _primary_header(part: fits.PrimaryHDU) -> dict[str, Any]:
    """Return the keywords of the primary header, if the file is of MXT and in mission elapsed time."""
    header = dict(part.header)
    expected = {
        "TELESCOP": "SVOM",
        "INSTRUME": "MXT",
        "TIMESYS": "TT",
        "MJDREFI": instrument()["time"]["mjdrefi"],
    }
    for key, value in expected.items():
        if header.get(key) != value:
            raise ValueError(f"{key} is {header.get(key)!r}, not {value!r}")
    return header


def _column(part: fits.BinTableHDU, name: str, dtype: str, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    column = np.asarray(part.data[name])
    if column.shape[1:] != shape:
        raise ValueError(f"column {name} has cells of shape {column.shape[1:]}, not {shape}")
    return column.astype(dtype, casting="same_kind")
