"""The calibration of the instrument: files with a version and validity dates, and the choice among them.

One TOML file holds one version of one item, named ``<item>_<version>.toml``: see
``docs/reference/calibration.md``.
Every file says where its numbers come from, and whether any of them is ``assumed`` because no public source
states it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, get_type_hints

import numpy as np
import numpy.typing as npt
from pydantic import AwareDatetime, Field, model_validator

from mxtvhf.errors import InvalidInput
from mxtvhf.instrument.constants import instrument
from mxtvhf.instrument.pixels import RawMask
from mxtvhf.models.arrays import Floats
from mxtvhf.models.base import NonNegative
from mxtvhf.models.quantities import ColumnCm2, Finite, Fraction, GridKev, Positive, RadiusArcsec, Text
from mxtvhf.models.times import utc_text
from mxtvhf.models.toml import Constants, SourcedConstants, read_toml

FWHM_PER_SIGMA = 2.3548200450309493
"""Full width at half maximum of a Gaussian over its sigma, 2 sqrt(2 ln 2)."""

_PARTS_TOLERANCE = 1e-3
"""Of the sum of the background's parts, which are written with few digits."""


class CalibrationFile(SourcedConstants):
    """What every calibration file says, whatever its item."""

    item: str
    version: str = Field(pattern=r"^[0-9]{3}(-[A-Za-z0-9]+)?$")
    """Three digits and perhaps a word (``002-panter``); the highest in the order of text is taken."""
    valid_from: AwareDatetime
    """First moment of the observations that it is for."""
    valid_until: AwareDatetime | None = None
    """First moment that it is no longer for; None: not known to end."""

    @model_validator(mode="after")
    def _ends_after_its_start(self) -> CalibrationFile:
        if self.valid_until is not None and self.valid_until <= self.valid_from:
            raise ValueError("valid_until is not after valid_from")
        return self

    def valid_at(self, moment: datetime) -> bool:
        """Tell whether it is for observations of that moment."""
        return self.valid_from <= moment and (self.valid_until is None or moment < self.valid_until)


class PsfCalibration(CalibrationFile):
    """Shape of the point spread function, see ``mxtvhf.instrument.psf.LobsterEyePsf`` for the form."""

    item: Literal["psf"]
    core_fwhm_arcmin: float = Field(gt=0.0, le=120.0)
    core_fwhm_sigma: float = Field(ge=0.0, lt=1.0)
    """Uncertainty of the core's width, 1 sigma, as a part of it."""
    arm_half_length_pixel: Positive
    eta: NonNegative
    """Strength of the arms."""
    roll_deg: float = Field(default=0.0, ge=-45.0, le=45.0)
    """Angle from the detector's columns to the pores' first axis, towards growing rows."""
    roll_sigma_deg: float = Field(default=0.0, ge=0.0, le=45.0)
    """Its uncertainty, 1 sigma."""
    elongation_sigma: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Uncertainty of half the logarithm of the ratio of the core's widths along both axes."""
    skew_sigma: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Uncertainty of the part by which a skewed core is wider on one side, and narrower on the other one."""
    skew_probability: Fraction = 1.0
    """That the core is skewed at all."""


class EffectiveArea(CalibrationFile):
    """Effective area against energy, for a source in the middle of the field.

    All of its light that falls on the detector counts: core, arms and patch.
    """

    item: Literal["effective_area"]
    energy_kev: GridKev
    area_cm2: tuple[NonNegative, ...]

    @model_validator(mode="after")
    def _is_a_table(self) -> EffectiveArea:
        if len(self.energy_kev) != len(self.area_cm2):
            raise ValueError(f"{len(self.energy_kev)} energies but {len(self.area_cm2)} areas")
        return self

    def at(self, energy_kev: npt.ArrayLike) -> Floats:
        """Area at energies (keV), cm2: linear between the table's points, constant beyond its ends."""
        return np.asarray(np.interp(np.asarray(energy_kev), self.energy_kev, self.area_cm2))


class Gain(CalibrationFile):
    """From pulse height to energy and back, linear, the slope linear in the detector's temperature."""

    item: Literal["gain"]
    kev_per_channel: float = Field(gt=0.0, le=0.5)
    offset_kev: Finite
    """Energy of pulse height 0."""
    reference_temperature_k: float = Field(gt=0.0, le=400.0)
    """Where ``kev_per_channel`` holds."""
    kev_per_channel_per_k: Finite

    def energy(self, pha: npt.ArrayLike, temperature_k: npt.ArrayLike | None = None) -> Floats:
        """Energy (keV) of pulse heights (channels) at temperatures (K, by default the reference one)."""
        return np.asarray(self.offset_kev + self._slope(temperature_k) * np.asarray(pha))

    def channel(self, energy_kev: npt.ArrayLike, temperature_k: npt.ArrayLike | None = None) -> Floats:
        """Pulse height, not yet whole, of energies (keV); the inverse of ``energy``."""
        return np.asarray((np.asarray(energy_kev) - self.offset_kev) / self._slope(temperature_k))

    def _slope(self, temperature_k: npt.ArrayLike | None) -> Floats:
        temperature = np.asarray(self.reference_temperature_k if temperature_k is None else temperature_k)
        warmer = temperature - self.reference_temperature_k
        slope = np.asarray(self.kev_per_channel + self.kev_per_channel_per_k * warmer)
        if not (slope > 0.0).all():
            raise InvalidInput(f"gain {self.version}: no positive gain at {temperature[~(slope > 0.0)][0]} K")
        return slope


class Redistribution(CalibrationFile):
    """How the detector spreads the energy of a photon: a Gaussian."""

    item: Literal["redistribution"]
    pair_energy_ev: float = Field(ge=0.1, le=100.0)
    """Energy w that makes one electron-hole pair."""
    noise_electrons_rms: NonNegative
    """Equivalent noise charge ENC."""
    fano_factor: Fraction

    def fwhm(self, energy_kev: npt.ArrayLike) -> Floats:
        """Full width at half maximum, keV: 2.355 w sqrt(ENC^2 + F E / w) (noise and Fano statistics)."""
        pair_kev = 1e-3 * self.pair_energy_ev
        electrons = self.noise_electrons_rms**2 + self.fano_factor * np.asarray(energy_kev) / pair_kev
        return np.asarray(FWHM_PER_SIGMA * pair_kev * np.sqrt(electrons))


class PastRunsRecord(Constants):
    """Where the numbers of a file come from that was made of past runs."""

    made: AwareDatetime
    runs: tuple[Text, ...] = Field(min_length=1)
    """Burst and data stream of each run in it."""
    n_photons: int = Field(ge=0)


class BadPixels(CalibrationFile):
    """Pixels to leave out, by their 0-based addresses."""

    item: Literal["bad_pixels"]
    pixels: tuple[tuple[int, int], ...]
    """(column, row)."""
    columns: tuple[int, ...]
    rows: tuple[int, ...]
    noise_map: PastRunsRecord | None = None
    """None: not made of a noise map."""

    @model_validator(mode="after")
    def _lie_on_the_detector(self) -> BadPixels:
        rows, columns = _detector_shape()
        for kind, size, addresses in (
            ("column", columns, (*self.columns, *(column for column, _ in self.pixels))),
            ("row", rows, (*self.rows, *(row for _, row in self.pixels))),
        ):
            wrong = [address for address in addresses if not 0 <= address < size]
            if wrong:
                raise ValueError(f"{kind} {wrong[0]} is not on the detector (0..{size - 1})")
        return self

    def mask(self) -> RawMask:
        """Return the mask of the detector, ``[row, column]``, True where bad."""
        mask = np.zeros(_detector_shape(), dtype=np.bool_)
        mask[:, list(self.columns)] = True
        mask[list(self.rows), :] = True
        for column, row in self.pixels:
            mask[row, column] = True
        return RawMask(mask)


class Alignment(CalibrationFile):
    """How the detector lies in the satellite's frame; conventions: ``mxtvhf.instrument.pointing``."""

    item: Literal["alignment"]
    column: Finite
    """0-based continuous pixel that looks along the boresight."""
    row: Finite
    rotation_deg: float = Field(ge=-360.0, le=360.0)
    """Angle from the satellite's +Z axis to the detector's +row axis."""
    column_parity: Literal[-1, 1]
    """-1: seen on the sky with +row up, columns grow to the right."""
    systematic_r90_arcsec: RadiusArcsec
    """What the alignment's uncertainty adds to a position, 90 % radius."""

    @model_validator(mode="after")
    def _looks_through_the_detector(self) -> Alignment:
        rows, columns = _detector_shape()
        if not (-0.5 <= self.column <= columns - 0.5 and -0.5 <= self.row <= rows - 0.5):
            raise ValueError(f"the boresight pixel ({self.column}, {self.row}) is not on the detector")
        return self


class Continuum(Constants):
    """A smooth part of the background's spectrum: E^-index exp(-E / kT), absorbed, in photons per keV."""

    name: Text
    index: float = Field(ge=-3.0, le=10.0)
    kt_kev: float | None = Field(default=None, gt=0.0, le=100.0)
    """None: no cut-off."""
    nh_cm2: ColumnCm2 = 0.0
    through_optics: bool
    """Whether it comes through the optics: then it has their effective area and the detector's resolution."""
    part: Fraction = 0.0
    """Its mean part of the background, see ``Background.known_as_photons``."""


class Line(Constants):
    """A line of the background's spectrum, as wide as the detector's resolution."""

    name: Text
    energy_kev: float = Field(gt=0.0, le=20.0)
    through_optics: bool
    """Whether it comes through the optics."""
    part: Fraction = 0.0
    """As that of ``Continuum``."""


class Background(CalibrationFile):
    """Background: its rate, and the components that its spectrum is a mixture of, in unknown parts."""

    item: Literal["background"]
    rate_per_s: NonNegative
    """Counts per second on the whole detector."""
    vignetting: Fraction = 0.0
    """How much fainter what comes through the optics is in the corners of the detector than in its middle:
    1 - ``vignetting`` (u^2 + v^2) / 2, u and v from -1 to 1 over the columns and rows."""
    continua: tuple[Continuum, ...] = ()
    lines: tuple[Line, ...] = ()
    known_as_photons: NonNegative = 0.0
    """How well the parts of the components are known before a run: as if so many photons of the background
    had been seen, in these parts. 0: nothing is known of them."""
    past_runs: PastRunsRecord | None = None
    """None: the parts were not measured in past runs."""

    @property
    def components(self) -> tuple[Continuum | Line, ...]:
        """All components, the continua first."""
        return (*self.continua, *self.lines)

    @model_validator(mode="after")
    def _has_all_parts(self) -> Background:
        total = sum(one.part for one in self.components)
        if self.known_as_photons and abs(total - 1.0) > _PARTS_TOLERANCE:
            raise ValueError(f"known_as_photons is given, but the parts add up to {total:g}, expected 1")
        return self


@dataclass(frozen=True)
class Calibration:
    """One file of each item: what an observation is analysed with. The fields are named as the items."""

    psf: PsfCalibration
    effective_area: EffectiveArea
    gain: Gain
    redistribution: Redistribution
    bad_pixels: BadPixels
    alignment: Alignment
    background: Background

    def files(self) -> dict[str, CalibrationFile]:
        """Return the files by item."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def versions(self) -> dict[str, str]:
        """Return the version of each item, for the record in products."""
        return {item: file.version for item, file in self.files().items()}

    def assumed(self) -> tuple[str, ...]:
        """Return the items that are assumed, not known."""
        return tuple(item for item, file in self.files().items() if file.assumed)


class CalibrationStore:
    """The calibration files of one or more folders.

    Parameters
    ----------
    folders
        Each holds ``<item>_<version>.toml`` files. For an item and moment for which several folders have a
        file, the one given last wins, and within it the highest version.

    Raises
    ------
    InvalidInput
        A folder without such files, a file that is no calibration file, or a version of an item that two
        folders give differently (a recorded version would not tell which was used).
    """

    def __init__(self, *folders: Path) -> None:
        self._rank = {folder: rank for rank, folder in enumerate(folders)}
        self._files: dict[Path, CalibrationFile] = {}
        for folder in self._rank:
            for path in _paths(folder):
                self._add(path, _read(path))

    def _add(self, path: Path, file: CalibrationFile) -> None:
        for other, earlier in self._files.items():
            if (earlier.item, earlier.version) == (file.item, file.version) and earlier != file:
                raise InvalidInput(
                    f"{path}: {other} is another {file.item} of that version, choose a new one"
                )
        self._files[path] = file

    def at(self, moment: datetime) -> Calibration:
        """Return the calibration for an observation at a moment.

        Raises
        ------
        InvalidInput
            An item has no file that is valid then.
        """
        chosen: dict[str, Any] = {}
        for item in (field.name for field in fields(Calibration)):
            valid = [
                path for path, file in self._files.items() if file.item == item and file.valid_at(moment)
            ]
            if not valid:
                raise InvalidInput(f"calibration: no {item} file is valid at {utc_text(moment)}")
            chosen[item] = self._files[max(valid, key=self._precedence)]
        return Calibration(**chosen)

    def latest(self) -> Calibration:
        """Return the calibration at the last moment from which a file is valid."""
        return self.at(max(file.valid_from for file in self._files.values()))

    def path_of(self, file: CalibrationFile) -> Path:
        """Return where a file of this store was read."""
        return next(path for path, known in self._files.items() if known is file)

    def _precedence(self, path: Path) -> tuple[int, str]:
        return self._rank[path.parent], self._files[path].version


@cache
def packaged_store() -> CalibrationStore:
    """Return the files that the package brings, ``instrument/caldb/``."""
    return CalibrationStore(packaged_folder())


def calibration_store(own_folder: Path | None) -> CalibrationStore:
    """Return the package's files, and those of an installation's own folder before them.

    Parameters
    ----------
    own_folder
        What ``MXTVHF_CALIBRATION`` names; None: the package's files alone.

    Raises
    ------
    InvalidInput
        The folder has no calibration files, or one of its files is not a calibration file.
    """
    if own_folder is None:
        return packaged_store()
    return CalibrationStore(packaged_folder(), own_folder.resolve())


def packaged_folder() -> Path:
    """Return the folder of the files that the package brings."""
    return Path(str(files("mxtvhf.instrument"))) / "caldb"


@cache
def default_calibration() -> Calibration:
    """Return the latest calibration that the package brings."""
    return packaged_store().latest()


MODELS: dict[str, type[CalibrationFile]] = get_type_hints(Calibration)
"""Item -> model of its files."""


def _paths(folder: Path) -> list[Path]:
    paths = sorted(folder.glob("*.toml"))
    if not paths:
        raise InvalidInput(
            f"{folder}: no folder with calibration files (<item>_<version>.toml); MXTVHF_CALIBRATION names it"
        )
    return paths


def _read(path: Path) -> CalibrationFile:
    item = path.stem.rpartition("_")[0]
    if item not in MODELS:
        raise InvalidInput(
            f"{path}: unknown item {item!r}; name it <item>_<version>.toml, item: {', '.join(MODELS)}"
        )
    file = read_toml(path, MODELS[item])
    if path.stem != f"{file.item}_{file.version}":
        raise InvalidInput(
            f"{path}: holds {file.item} {file.version}, name it {file.item}_{file.version}.toml"
        )
    return file


def _detector_shape() -> tuple[int, int]:
    """Rows and columns."""
    detector = instrument().detector
    return detector.rows, detector.columns
