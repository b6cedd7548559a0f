"""The calibration files of the instrument, with versions and validity dates, and their selection.

One TOML file holds one version of one item, named ``<item>_<version>.toml``; see
``docs/reference/calibration.md``. Every file gives the source of its numbers. A file is ``assumed`` if at
least one number has no public source.
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
"""Tolerance of the sum of the background's fractions, which are written with few digits."""


class CalibrationFile(SourcedConstants):
    """The entries that all calibration files have."""

    item: str
    version: str = Field(pattern=r"^[0-9]{3}(-[A-Za-z0-9]+)?$")
    """Three digits and an optional word (``002-panter``); the version that sorts last as text is used."""
    valid_from: AwareDatetime
    """Start of the first observation that the file applies to."""
    valid_until: AwareDatetime | None = None
    """Time from which the file no longer applies; None: no end known."""

    @model_validator(mode="after")
    def _ends_after_its_start(self) -> CalibrationFile:
        if self.valid_until is not None and self.valid_until <= self.valid_from:
            raise ValueError(f"valid_until {self.valid_until} is not after valid_from {self.valid_from}")
        return self

    def valid_at(self, moment: datetime) -> bool:
        """Return True if the file applies to an observation.

        Parameters
        ----------
        moment
            Start of the observation.
        """
        return self.valid_from <= moment and (self.valid_until is None or moment < self.valid_until)


class PsfCalibration(CalibrationFile):
    """Shape of the point spread function; formula: ``mxtvhf.instrument.psf.LobsterEyePsf``."""

    item: Literal["psf"]
    core_fwhm_arcmin: float = Field(gt=0.0, le=120.0)
    core_fwhm_sigma: float = Field(ge=0.0, lt=1.0)
    """Relative uncertainty of the core's width, 1 sigma."""
    arm_half_length_pixel: Positive
    eta: NonNegative
    """Strength of the cross arms relative to the core."""
    roll_deg: float = Field(default=0.0, ge=-45.0, le=45.0)
    """Angle from the detector's +column axis to the first axis of the pores, positive towards +row."""
    roll_sigma_deg: float = Field(default=0.0, ge=0.0, le=45.0)
    """Uncertainty of ``roll_deg``, 1 sigma."""
    elongation_sigma: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Uncertainty of half the natural logarithm of the ratio of the core's two widths, 1 sigma."""
    skew_sigma: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Uncertainty of the skew, 1 sigma: the fraction by which the core is wider on one side and narrower on
    the other."""
    skew_probability: Fraction = 1.0
    """Prior probability that the core is skewed."""


class EffectiveArea(CalibrationFile):
    """Effective area against energy for a source at the centre of the field.

    It includes all photons that reach the detector: core, cross arms and diffuse patch.
    """

    item: Literal["effective_area"]
    energy_kev: GridKev
    area_cm2: tuple[NonNegative, ...]

    @model_validator(mode="after")
    def _is_a_table(self) -> EffectiveArea:
        if len(self.energy_kev) != len(self.area_cm2):
            raise ValueError(
                f"area_cm2: expected one area for each of {len(self.energy_kev)} energies, "
                f"found {len(self.area_cm2)}"
            )
        return self

    def at(self, energy_kev: npt.ArrayLike) -> Floats:
        """Return the area, cm2, by linear interpolation; constant beyond the ends of the table.

        Parameters
        ----------
        energy_kev
            Photon energies, keV.
        """
        return np.asarray(np.interp(np.asarray(energy_kev), self.energy_kev, self.area_cm2))


class Gain(CalibrationFile):
    """Linear relation of pulse height and energy, whose slope is linear in the detector temperature."""

    item: Literal["gain"]
    kev_per_channel: float = Field(gt=0.0, le=0.5)
    offset_kev: Finite
    """Energy of pulse height 0."""
    reference_temperature_k: float = Field(gt=0.0, le=400.0)
    """Temperature at which ``kev_per_channel`` is valid."""
    kev_per_channel_per_k: Finite

    def energy(self, pha: npt.ArrayLike, temperature_k: npt.ArrayLike | None = None) -> Floats:
        """Return the energies of pulse heights, keV.

        Parameters
        ----------
        pha
            Pulse heights, channels.
        temperature_k
            Detector temperatures, K; None: the reference temperature.

        Raises
        ------
        InvalidInput
            The gain is not positive at a temperature.
        """
        return np.asarray(self.offset_kev + self._slope(temperature_k) * np.asarray(pha))

    def channel(self, energy_kev: npt.ArrayLike, temperature_k: npt.ArrayLike | None = None) -> Floats:
        """Return the pulse heights of energies, unrounded channels; the inverse of ``energy``.

        Parameters
        ----------
        energy_kev
            Photon energies, keV.
        temperature_k
            Detector temperatures, K; None: the reference temperature.

        Raises
        ------
        InvalidInput
            The gain is not positive at a temperature.
        """
        return np.asarray((np.asarray(energy_kev) - self.offset_kev) / self._slope(temperature_k))

    def _slope(self, temperature_k: npt.ArrayLike | None) -> Floats:
        temperature = np.asarray(self.reference_temperature_k if temperature_k is None else temperature_k)
        warmer = temperature - self.reference_temperature_k
        slope = np.asarray(self.kev_per_channel + self.kev_per_channel_per_k * warmer)
        if not (slope > 0.0).all():
            raise InvalidInput(
                f"gain {self.version}: the gain is not positive at {temperature[~(slope > 0.0)][0]} K; "
                "correct the temperature or kev_per_channel_per_k"
            )
        return slope


class Redistribution(CalibrationFile):
    """Energy resolution of the detector: a Gaussian line."""

    item: Literal["redistribution"]
    pair_energy_ev: float = Field(ge=0.1, le=100.0)
    """Mean energy w to create one electron-hole pair."""
    noise_electrons_rms: NonNegative
    """Equivalent noise charge ENC."""
    fano_factor: Fraction

    def fwhm(self, energy_kev: npt.ArrayLike) -> Floats:
        """Return the full width at half maximum, keV: 2.355 w sqrt(ENC^2 + F E / w).

        The terms are the electronic noise and the Fano statistics of the created pairs.

        Parameters
        ----------
        energy_kev
            Photon energies, keV.
        """
        pair_kev = 1e-3 * self.pair_energy_ev
        electrons = self.noise_electrons_rms**2 + self.fano_factor * np.asarray(energy_kev) / pair_kev
        return np.asarray(FWHM_PER_SIGMA * pair_kev * np.sqrt(electrons))


class PastRunsRecord(Constants):
    """The past runs that the numbers of a calibration file were measured in."""

    made: AwareDatetime
    runs: tuple[Text, ...] = Field(min_length=1)
    """Burst id and data stream of each run."""
    n_photons: int = Field(ge=0)


class BadPixels(CalibrationFile):
    """Detector pixels excluded from the analysis, by 0-based address."""

    item: Literal["bad_pixels"]
    pixels: tuple[tuple[int, int], ...]
    """Single pixels as (column, row)."""
    columns: tuple[int, ...]
    rows: tuple[int, ...]
    noise_map: PastRunsRecord | None = None
    """None: not measured by a noise map."""

    @model_validator(mode="after")
    def _lie_on_the_detector(self) -> BadPixels:
        rows, columns = _detector_shape()
        for kind, size, addresses in (
            ("column", columns, (*self.columns, *(column for column, _ in self.pixels))),
            ("row", rows, (*self.rows, *(row for _, row in self.pixels))),
        ):
            wrong = [address for address in addresses if not 0 <= address < size]
            if wrong:
                raise ValueError(f"{kind} {wrong[0]} is outside the detector; expected 0 to {size - 1}")
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
    """Orientation of the detector in the satellite frame; conventions: ``mxtvhf.instrument.pointing``."""

    item: Literal["alignment"]
    column: Finite
    """Column of the boresight, 0-based continuous pixel."""
    row: Finite
    """Row of the boresight, 0-based continuous pixel."""
    rotation_deg: float = Field(ge=-360.0, le=360.0)
    """Angle from the +Z axis of the satellite to the +row axis of the detector."""
    column_parity: Literal[-1, 1]
    """-1: seen on the sky with +row up, columns increase to the right."""
    systematic_r90_arcsec: RadiusArcsec
    """Systematic 90 % error radius of a position due to the alignment."""

    @model_validator(mode="after")
    def _looks_through_the_detector(self) -> Alignment:
        rows, columns = _detector_shape()
        if not (-0.5 <= self.column <= columns - 0.5 and -0.5 <= self.row <= rows - 0.5):
            raise ValueError(
                f"column {self.column}, row {self.row}: the boresight is outside the detector; "
                f"expected -0.5 to {columns - 0.5} and -0.5 to {rows - 0.5}"
            )
        return self


class Continuum(Constants):
    """A continuum of the background spectrum: E^-index exp(-E / kT), absorbed, photons per keV."""

    name: Text
    index: float = Field(ge=-3.0, le=10.0)
    kt_kev: float | None = Field(default=None, gt=0.0, le=100.0)
    """None: no cut-off."""
    nh_cm2: ColumnCm2 = 0.0
    through_optics: bool
    """True: focused by the optics, folded with effective area and energy resolution."""
    part: Fraction = 0.0
    """Mean fraction of the background photons, see ``Background.known_as_photons``."""


class Line(Constants):
    """An emission line of the background spectrum, as wide as the energy resolution."""

    name: Text
    energy_kev: float = Field(gt=0.0, le=20.0)
    through_optics: bool
    """True: focused by the optics; False: emitted near the detector."""
    part: Fraction = 0.0
    """Mean fraction of the background photons, see ``Background.known_as_photons``."""


class Background(CalibrationFile):
    """Rate of the background, and the components of its spectrum with unknown fractions."""

    item: Literal["background"]
    rate_per_s: NonNegative
    """Counts per second on the whole detector."""
    vignetting: Fraction = 0.0
    """Loss of focused components in the corners of the detector relative to its centre: their brightness is
    1 - ``vignetting`` (u^2 + v^2) / 2, with u and v from -1 to 1 over columns and rows."""
    continua: tuple[Continuum, ...] = ()
    lines: tuple[Line, ...] = ()
    known_as_photons: NonNegative = 0.0
    """Prior knowledge of the components' fractions, as an equivalent number of background photons observed in
    these fractions. 0: nothing is known."""
    past_runs: PastRunsRecord | None = None
    """None: the fractions were not measured in past runs."""

    @property
    def components(self) -> tuple[Continuum | Line, ...]:
        """All components, the continua first."""
        return (*self.continua, *self.lines)

    @model_validator(mode="after")
    def _has_all_parts(self) -> Background:
        total = sum(one.part for one in self.components)
        if self.known_as_photons and abs(total - 1.0) > _PARTS_TOLERANCE:
            raise ValueError(
                f"known_as_photons is given, but the sum of part over all components is {total:g}; expected 1"
            )
        return self


@dataclass(frozen=True)
class Calibration:
    """The calibration of one observation: one file of each item, in the field of that name."""

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
        """Return the version of each item, as products record it."""
        return {item: file.version for item, file in self.files().items()}

    def assumed(self) -> tuple[str, ...]:
        """Return the items whose file has at least one number without a public source."""
        return tuple(item for item, file in self.files().items() if file.assumed)


class CalibrationStore:
    """The calibration files of one or more folders.

    Parameters
    ----------
    *folders
        Folders with ``<item>_<version>.toml`` files. If several folders have a valid file of an item, the
        last folder takes precedence, and within it the highest version.

    Raises
    ------
    InvalidInput
        A folder has no such file; a file is not a calibration file; two folders have different files with the
        same item and version, so that a recorded version would be ambiguous.
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
                    f"{path}: {other} is a different {file.item} {file.version}; choose a new version"
                )
        self._files[path] = file

    def at(self, moment: datetime) -> Calibration:
        """Return the calibration of an observation.

        Parameters
        ----------
        moment
            Start of the observation.

        Raises
        ------
        InvalidInput
            An item has no file that is valid at this time.
        """
        chosen: dict[str, Any] = {}
        for item in (field.name for field in fields(Calibration)):
            valid = [
                path for path, file in self._files.items() if file.item == item and file.valid_at(moment)
            ]
            if not valid:
                raise InvalidInput(
                    f"calibration: no {item} file is valid at {utc_text(moment)}; "
                    "correct valid_from and valid_until, or add a file"
                )
            chosen[item] = self._files[max(valid, key=self._precedence)]
        return Calibration(**chosen)

    def latest(self) -> Calibration:
        """Return the calibration that is valid from the latest ``valid_from`` of all files on."""
        return self.at(max(file.valid_from for file in self._files.values()))

    def path_of(self, file: CalibrationFile) -> Path:
        """Return the path that a file was read from.

        Parameters
        ----------
        file
            A file of this store.
        """
        return next(path for path, known in self._files.items() if known is file)

    def _precedence(self, path: Path) -> tuple[int, str]:
        return self._rank[path.parent], self._files[path].version


@cache
def packaged_store() -> CalibrationStore:
    """Return the calibration files of the package, ``instrument/caldb/``."""
    return CalibrationStore(packaged_folder())


def calibration_store(own_folder: Path | None) -> CalibrationStore:
    """Return the calibration files of the package and of the installation, whose files take precedence.

    Parameters
    ----------
    own_folder
        Folder named by ``MXTVHF_CALIBRATION``; None: only the files of the package.

    Raises
    ------
    InvalidInput
        The folder has no calibration files, or one of its files is not a calibration file.
    """
    if own_folder is None:
        return packaged_store()
    return CalibrationStore(packaged_folder(), own_folder.resolve())


def packaged_folder() -> Path:
    """Return the folder of the package's calibration files."""
    return Path(str(files("mxtvhf.instrument"))) / "caldb"


@cache
def default_calibration() -> Calibration:
    """Return the latest calibration of the package."""
    return packaged_store().latest()


MODELS: dict[str, type[CalibrationFile]] = get_type_hints(Calibration)
"""Model of the files of each item."""


def _paths(folder: Path) -> list[Path]:
    paths = sorted(folder.glob("*.toml"))
    if not paths:
        raise InvalidInput(
            f"{folder}: no calibration file found; MXTVHF_CALIBRATION must name a folder with "
            "<item>_<version>.toml"
        )
    return paths


def _read(path: Path) -> CalibrationFile:
    item = path.stem.rpartition("_")[0]
    if item not in MODELS:
        raise InvalidInput(
            f"{path}: unknown item {item!r}; rename it to <item>_<version>.toml with one of the items "
            f"{', '.join(MODELS)}"
        )
    file = read_toml(path, MODELS[item])
    if path.stem != f"{file.item}_{file.version}":
        raise InvalidInput(
            f"{path}: contains {file.item} {file.version}; rename it to {file.item}_{file.version}.toml"
        )
    return file


def _detector_shape() -> tuple[int, int]:
    """Return the numbers of rows and columns."""
    detector = instrument().detector
    return detector.rows, detector.columns
