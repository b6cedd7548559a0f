"""What the reference GP does with a job: find the event file, localise, give a position."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mxtvhf.errors import Failure, InvalidInput, NothingToDo
from mxtvhf.instrument.calibration import CalibrationStore
from mxtvhf.localisation.model import Localisation
from mxtvhf.models.text import escaped
from mxtvhf.workflow.gp.contract import GpRequest, GpResult

Localiser = Callable[[Path], Localisation]
"""An event file in, what its photons say out."""


def localise_events(event_file: Path, store: CalibrationStore | None = None) -> Localisation:
    """Our own localisation. Imported when first used: it brings astropy and scipy."""
    from mxtvhf.workflow.steps.vhf_localisation import vhf_localisation

    return vhf_localisation(event_file, store=store)


class AnalysisResult(GpResult):
    """What the reference service adds to the contract's result: from what the position is."""

    exposure_s: float | None = None
    """Sum of the event file's good times, seconds; None in results of an older version of the service."""
    n_photons: int | None = None
    """Photons in the energy band."""


def event_file_of(request: GpRequest, data: Path) -> Path:
    """Return the event file of a request; whether it exists is another question.

    Parameters
    ----------
    request
        The X-band file of its observation, ``<apid>_<target>_<orbit>.fits``, is taken where there is one;
        else its ``event_file`` (absolute, or relative to ``data``), when it names one.
    data
        The folder that the service may read.

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
        raise InvalidInput(f"event file {name[:200]!r} is no usable path") from None
    if not path.is_relative_to(data.resolve()):
        raise InvalidInput(f"event file {name[:200]!r} lies outside the data folder")
    return path


def analyse(request: GpRequest, data: Path, localise: Localiser = localise_events) -> AnalysisResult:
    """Localise the source in the request's event file.

    Raises
    ------
    InvalidInput
        There is no such file, or it cannot be read.
    NothingToDo
        There is no significant source in it.
    Failure
        The analysis itself failed.
    """
    path = event_file_of(request, data)
    try:
        if not path.is_file():
            raise InvalidInput(f"no event file {escaped(path.name)}")
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
