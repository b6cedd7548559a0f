"""Processing of the drawn photons: packets, event file, localisation, source analysis."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

import numpy as np
from scipy.spatial.transform import Rotation

from benchmarks.realsky.facts import MIDDLE, Floats
from benchmarks.realsky.scene import Case, Drawn, drift_pixels
from mxtvhf.analysis.model import SourceAnalysis
from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.attitude import AttitudeHistory
from mxtvhf.instrument.pointing import Pointing, quaternion_of
from mxtvhf.instrument.time import met_from_utc
from mxtvhf.localisation.model import Localisation
from mxtvhf.models.position import Origin, Position
from mxtvhf.notices.alert import Alert
from mxtvhf.telemetry.encode import encode_photons, encode_pointing
from mxtvhf.workflow.steps import source_analysis as source_analysis_step
from mxtvhf.workflow.steps.fits_feed import fits_feed
from mxtvhf.workflow.steps.photons_extraction import photons_extraction
from mxtvhf.workflow.steps.vhf_localisation import vhf_localisation

POINTING = Pointing(83.6, 22.0, 30.0)
T0 = datetime(2026, 11, 1, 12, tzinfo=UTC)
BURST = "sb26110101"
SAMPLE_S = 10.0
"""Between two samples of the steady attitude."""


@dataclass(frozen=True)
class Outcome:
    """Results of the pipeline for one observation."""

    localisation: Localisation
    analysis: SourceAnalysis | None
    seconds: float
    """Time that the localisation took."""


def process(case: Case, drawn: Drawn, folder: Path) -> Outcome:
    """Send the photons of an observation through the pipeline.

    Parameters
    ----------
    case, drawn
        The observation.
    folder
        For the event file and the products; what is in it is replaced.
    """
    stream = folder / "packets.bin"
    stream.write_bytes(packets(case, drawn))
    alerts = notices(case, drawn)
    events = fits_feed(photons_extraction(stream, BURST, folder), alerts[0], folder).path
    known = alerts if case.t0_known else []
    begun = time.perf_counter()
    found = vhf_localisation(events, alerts=known)
    seconds = time.perf_counter() - begun
    analysis = None
    if case.flux and found.detected:
        # The files take most of the step's time, and say nothing here.
        with patch.object(source_analysis_step, "_write", lambda *_: {}):
            analysis = source_analysis_step.source_analysis(
                events, found, folder, trigger_time=T0 if case.t0_known else None
            )
    return Outcome(found, analysis, seconds)


def packets(case: Case, drawn: Drawn) -> bytes:
    """Return the packets of an observation that are received; no attitude packet is lost."""
    start, stop = (met_from_utc(T0) + edge for edge in (case.start_s, case.stop_s))
    samples = np.append(np.arange(start, stop, SAMPLE_S), stop)
    attitude = AttitudeHistory(samples, _quaternions(case, samples - start), np.ones(samples.size, bool))
    sent = encode_photons(photon_list(*drawn.sent), BURST)
    received = [packet for packet, lost in zip(sent, drawn.lost_packets, strict=True) if not lost]
    return b"".join([*encode_pointing(attitude, BURST), *received])


def _quaternions(case: Case, since_start: Floats) -> Floats:
    """Return the attitude at times after the start of the observation, body to ICRS, scalar last."""
    columns = MIDDLE + drift_pixels(case, case.start_s + since_start)
    ra, dec = POINTING.pixel_to_sky(columns, np.full_like(columns, MIDDLE))
    steady = Rotation.from_quat([quaternion_of(*at, POINTING.roll_deg) for at in zip(ra, dec, strict=True)])
    # One noise for all trials: what matters is that the samples differ.
    noise = np.random.default_rng(0).standard_normal((columns.size, 3))
    turned = Rotation.from_rotvec(np.radians(case.attitude_noise_arcsec / 3600.0) * noise)
    return np.asarray((steady * turned).as_quat())


def photon_list(column: np.ndarray, row: np.ndarray, pha: np.ndarray, time: np.ndarray) -> PhotonList:
    """Return entries as the pipeline's photon list; times from seconds after T0 to seconds of MET."""
    columns = column.astype(np.int16), row.astype(np.int16), pha.astype(np.int32)
    return PhotonList(met_from_utc(T0) + time, *columns)


def notices(case: Case, drawn: Drawn) -> list[Alert]:
    """Return the notice of GRM, which gives T0 only, and that of ECLAIRs if the case has one."""
    found = [_notice("grm-trigger", 201, "GRM", None)]
    if drawn.eclairs is not None and case.eclairs_r90_arcmin is not None:
        ra, dec = POINTING.pixel_to_sky(*drawn.eclairs)
        position = Position(
            origin=Origin.ECLAIRS, label="eclairs-wakeup", ra_deg=float(ra), dec_deg=float(dec),
            r90_stat_arcsec=None, r90_sys_arcsec=0.0, r90_arcsec=60.0 * case.eclairs_r90_arcmin, time=T0,
        )  # fmt: skip
        found.append(_notice("eclairs-wakeup", 202, "ECLAIRs", position))
    return found


def _notice(kind: str, packet_type: int, instrument: str, position: Position | None) -> Alert:
    return Alert(
        ivorn=f"ivo://org.svom/fsc#{BURST}_{kind}", burst_id=BURST, notice_type=kind, packet_type=packet_type,
        notice_level="N1g" if position is None else "N1e", instrument=instrument, role="observation",
        published=T0, event_time=T0, trigger_time=T0, position=position, attitude=None, snr=None,
    )  # fmt: skip


def working_folder() -> tempfile.TemporaryDirectory[str]:
    """Return a folder in memory where the system has one."""
    memory = Path("/dev/shm")  # noqa: S108
    return tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None)
