"""Analysis of a job by the reference GP: find the event file and localise the source."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mxtvhf.errors import Failure, InvalidInput, NothingToDo
from mxtvhf.instrument.calibration import CalibrationStore
from mxtvhf.localisation.model import Localisation
from mxtvhf.models.text import escaped
from mxtvhf.workflow.gp.contract import GpRequest, GpResult

Localiser = Callable[[Path], Localisation]
"""Function that localises the source of an event file."""


def localise_events(event_file: Path, store: CalibrationStore | None = None) -> Localisation:
    """Run our own localisation.

    It is imported on first use, because it imports astropy and scipy.

    Parameters
    ----------
    event_file
        FITS event list.
    store
        Calibration files; by default those of the package.
    """
    from mxtvhf.workflow.steps.vhf_localisation import vhf_localisation

    return vhf_localisation(event_file, store=store)


class AnalysisResult(GpResult):
    """Result of the contract, extended by the data behind the position."""

    exposure_s: float | None = None
    """Exposure of the event file, seconds; None in results of an older version of the service."""
    n_photons: int | None = None
    """Number of photons in the energy band."""


def event_file_of(request: GpRequest, data: Path) -> Path:
    """Return the path of the event file of a request, which need not exist.

    Parameters
    ----------
    request
        The X-band file of its observation, ``<apid>_<target>_<orbit>.fits``, is used if it exists; else its
        ``event_file`` (absolute, or relative to ``data``), if given.
    data
        Folder that the service may read.

    Raises
    ------
    InvalidInput
        A file lies outside ``data``, after following links.
    """
    observation = request.observation
    names = [f"{observation.obs_id}.fits"] if observation else []
    names += [request.event_file] if request.event_file is not None else []
    *preferred, last = (_inside(data, name) for name in names)
    return next((path for path in preferred if path.is_file()), last)


def _inside(data: Path, name: str) -> Path:
    try:
        path = (data / name).resolve()
    except (ValueError, OSError, RuntimeError):
        raise InvalidInput(f"event file {name[:200]!r}: invalid path") from None
    if not path.is_relative_to(data.resolve()):
        raise InvalidInput(
            f"event file {name[:200]!r} is outside the data folder of the service; move it there"
        )
    return path


def analyse(request: GpRequest, data: Path, localise: Localiser = localise_events) -> AnalysisResult:
    """Localise the source in the request's event file.

    Parameters
    ----------
    request
        The request.
    data
        Folder that the service may read.
    localise
        Function that localises the source of an event file.

    Raises
    ------
    InvalidInput
        The file does not exist or cannot be read.
    NothingToDo
        The file contains no significant source.
    Failure
        The analysis failed.
    """
    path = event_file_of(request, data)
    try:
        if not path.is_file():
            raise InvalidInput(
                f"event file {escaped(path.name)} does not exist in the data folder of the service"
            )
    except OSError as error:
        raise InvalidInput(f"event file {escaped(path.name, 200)}: {error.strerror}") from None
    found = localise(path)
    if not found.detected or found.position is None:
        raise NothingToDo(f"no detection in {escaped(path.name)}: {found.reason or 'no significant source'}")
    if found.position.r90_stat_arcsec is None:
        raise Failure(f"localisation of {escaped(path.name)} gives no radius")
    return AnalysisResult(
        ra_deg=found.position.ra_deg,
        dec_deg=found.position.dec_deg,
        r90_stat_arcsec=found.position.r90_stat_arcsec,
        r90_sys_arcsec=found.position.r90_sys_arcsec,
        exposure_s=found.exposure_s,
        n_photons=found.n_photons,
        data_stream=found.data_stream,
    )
