"""The way of the drawn photons through the pipeline: event file, localisation, source analysis."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from benchmarks.realsky.scene import Case, Drawn
from mxtvhf.analysis.model import SourceAnalysis
from mxtvhf.events.event_file import write_event_file
from mxtvhf.events.header import EventHeader
from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.attitude import AttitudeHistory
from mxtvhf.instrument.pointing import Pointing
from mxtvhf.instrument.time import met_from_utc
from mxtvhf.localisation.model import Localisation
from mxtvhf.notices.alert import Alert
from mxtvhf.workflow.steps import source_analysis as source_analysis_step
from mxtvhf.workflow.steps.vhf_localisation import vhf_localisation

POINTING = Pointing(83.6, 22.0, 30.0)
T0 = datetime(2026, 11, 1, 12, tzinfo=UTC)
_BURST = "sb26110101"
_IVORN = f"ivo://org.svom/fsc#{_BURST}_grm-trigger"
_HEADER = EventHeader(burst_id=_BURST, ivorn=_IVORN, obs_id="realsky", date=T0)
_SAMPLE_S = 10.0
"""Between two samples of the steady attitude."""
# The plots of a report take most of the time of the step, and say nothing here.
source_analysis_step.source_plots = lambda _: {}


@dataclass(frozen=True)
class Outcome:
    """What the pipeline says about one observation."""

    localisation: Localisation
    analysis: SourceAnalysis | None


def trigger_notice() -> Alert:
    """Return a GRM notice: it tells T0, and no position that would help."""
    return Alert(
        ivorn=_IVORN, burst_id=_BURST, notice_type="grm-trigger", packet_type=201, notice_level="N1g",
        instrument="GRM", role="observation", published=T0, event_time=T0, trigger_time=T0, position=None,
        attitude=None, snr=None,
    )  # fmt: skip


def process(case: Case, drawn: Drawn, folder: Path) -> Outcome:
    """Send the photons of an observation through the pipeline.

    Parameters
    ----------
    case, drawn
        The observation.
    folder
        For the event file and the products; what is in it is replaced.
    """
    path = folder / "events.fits"
    start, stop = (met_from_utc(T0) + edge for edge in (case.start_s, case.stop_s))
    samples = np.append(np.arange(start, stop, _SAMPLE_S), stop)
    quaternions = np.tile(POINTING.quaternion(), (samples.size, 1))
    attitude = AttitudeHistory(samples, quaternions, np.ones(samples.size, bool))
    write_event_file(path, photon_list(drawn), attitude=attitude, header=_HEADER)
    alerts = [trigger_notice()] if case.t0_known else []
    found = vhf_localisation(path, alerts=alerts)
    analysis = None
    if case.flux and found.detected:
        trigger = T0 if case.t0_known else None
        analysis = source_analysis_step.source_analysis(path, found, folder, trigger_time=trigger)
    return Outcome(found, analysis)


def photon_list(drawn: Drawn) -> PhotonList:
    """Return the entries as the pipeline's photon list, in seconds of MET."""
    return PhotonList(
        met_from_utc(T0) + drawn.time,
        drawn.column.astype(np.int16), drawn.row.astype(np.int16), drawn.pha.astype(np.int32),
    )  # fmt: skip


def working_folder() -> tempfile.TemporaryDirectory[str]:
    """Return a folder in memory where the system has one."""
    memory = Path("/dev/shm")  # noqa: S108
    return tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None)
