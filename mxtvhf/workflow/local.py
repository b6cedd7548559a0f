"""Run the whole workflow in one process, without Airflow."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from mxtvhf.analysis.model import SourceAnalysis
from mxtvhf.archive.archive import Archive
from mxtvhf.archive.inputs import MAX_ALERT_BYTES
from mxtvhf.catalogues.model import Catalogues
from mxtvhf.crosscheck.model import GpOutcome, GpProgress
from mxtvhf.errors import InvalidInput, MxtVhfError
from mxtvhf.events.patterns import reconstruct
from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.calibration import CalibrationStore
from mxtvhf.localisation.model import Localisation
from mxtvhf.models.files import sha256_of
from mxtvhf.models.ids import run_id_of
from mxtvhf.models.input_folders import InputFolders
from mxtvhf.models.product import Product
from mxtvhf.models.run_conf import RunConf, observation_fields
from mxtvhf.models.text import escaped, is_utf8
from mxtvhf.models.times import TimelineEntry
from mxtvhf.notices.alert import Alert
from mxtvhf.notices.burst import burst_trigger_time
from mxtvhf.reporting.report.figures import draw_figures
from mxtvhf.reporting.report.model import RunRecord
from mxtvhf.workflow.gp.client import GpClient
from mxtvhf.workflow.gp.contract import GpBusy, GpRequest, GpStatus, GpUnknownJobError
from mxtvhf.workflow.gp.polling import Polling
from mxtvhf.workflow.gp.progress import outcome_of
from mxtvhf.workflow.steps.crosscheck_positions import crosscheck_positions
from mxtvhf.workflow.steps.fits_feed import EventProduct, fits_feed
from mxtvhf.workflow.steps.photons_extraction import Extraction, photons_extraction
from mxtvhf.workflow.steps.preliminary_report import preliminary_report
from mxtvhf.workflow.steps.reception_message import (
    Reception,
    check_analysable,
    received_bytes,
    reception_message,
    validated_alert,
)
from mxtvhf.workflow.steps.source_analysis import source_analysis
from mxtvhf.workflow.steps.start_mxt_gp_pipeline import start_mxt_gp_pipeline
from mxtvhf.workflow.steps.update_ba import update_ba
from mxtvhf.workflow.steps.vhf_localisation import unplaced_localisation, vhf_localisation
from mxtvhf.workflow.steps.wait_mxt_gp import gp_outcome, wait_mxt_gp

log = logging.getLogger(__name__)

GP_POLL_S = 0.5
"""Seconds between two polls of GP."""


class Timeline:
    """The start and end times of the steps of a run."""

    def __init__(self) -> None:
        self.entries: list[TimelineEntry] = []

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Record when the enclosed step starts and ends.

        Parameters
        ----------
        name
            Step, e.g. ``fits_feed``.

        Yields
        ------
        None
        """
        self.entries.append(TimelineEntry(name=f"{name}_started", time=datetime.now(UTC)))
        yield
        self.entries.append(TimelineEntry(name=f"{name}_ended", time=datetime.now(UTC)))


def process_burst(
    alert: Path | str,
    packets: Path | str,
    out: Path | str,
    *,
    attitude: Path | str | None = None,
    gp_url: str | None = None,
    gp_timeout_s: float = 600.0,
    store: CalibrationStore | None = None,
    catalogues: Catalogues | None = None,
    figures: bool = True,
) -> Path:
    """Run all steps on one alert and write its report.

    Parameters
    ----------
    alert, packets
        Input files. Other notices of the burst in the alert's folder are used, too.
    out
        Output folder of the products and reports, with the inputs as received in ``archive/``.
    attitude
        Attitude product SVO-ATT-VHF; None to use the attitude in the packets.
    gp_url
        Base URL of the GP service; None to run without GP, which the report states.
    gp_timeout_s
        Longest time to wait for GP, seconds.
    store
        Calibration files; by default those of the package.
    catalogues
        Catalogues of known sources; None to check none, which the report states.
    figures
        True to draw the figures of both reports after the reports are written.

    Returns
    -------
    Path
        The final ``report.json``.

    Raises
    ------
    InvalidInput
        An input is unreadable, or ``out`` is not a UTF-8 path.
    NothingToDo
        There is nothing to analyse, see `check_analysable`.
    Failure
        A step failed.
    """
    alert, packets, out = Path(alert), Path(packets), Path(out).resolve()
    if not is_utf8(out):
        raise InvalidInput(
            f"{escaped(out)}: the folder's name is not UTF-8, as reports require; choose another folder"
        )
    timeline = Timeline()
    timeline.entries.append(TimelineEntry(name="run_created", time=datetime.now(UTC)))
    archive = Archive(out / "archive")
    # A command-line user may pass any file that this user can read.
    folders = InputFolders((Path("/"),))
    source, packets_source = _source(alert), _source(packets)
    attitude_source = None if attitude is None else _source(Path(attitude))
    with timeline.step("reception_message"):
        raw = received_bytes(source, MAX_ALERT_BYTES, archive=archive, folders=folders)
        burst_id = validated_alert(raw, name=escaped(alert.absolute()), archive=archive).burst_id
        conf = RunConf(burst_id=burst_id, alert=source, packets=packets_source, attitude=attitude_source)
        run_id = run_id_of(burst_id, conf.sequence)
        created = timeline.entries[0].time
        reception = reception_message(conf, run_id=run_id, archive=archive, folders=folders, created=created)
        check_analysable(reception)
    with timeline.step("photons_extraction"):
        # Messages name the user's file, not the archived copy, which is named by its checksum.
        extraction = photons_extraction(
            Path(str(reception.packets_path)),
            burst_id,
            out,
            name=escaped(packets.absolute()),
            attitude=None if reception.attitude_path is None else Path(reception.attitude_path),
            attitude_name=None if attitude is None else escaped(Path(attitude).absolute()),
        )
    event = None
    if extraction.unplaced is None:
        with timeline.step("fits_feed"):
            observation = observation_fields(conf.observation)
            event = fits_feed(
                extraction, reception.alert, out, related=reception.related, **observation, store=store
            )
    with timeline.step("vhf_localisation"):
        alerts = (reception.alert, *reception.related)
        localisation = _localised(extraction, event, alerts, out, store)
    photons = reconstruct(PhotonList.load(Path(extraction.photons_path))).photons
    record = partial(
        run_record, run_id, conf, reception, extraction, event, localisation,
        out=out, timeline=timeline.entries,
    )  # fmt: skip
    analysis = None
    if localisation is not None:
        with timeline.step("preliminary_report"):
            preliminary_report(
                record(), photons=photons, out=out, written=datetime.now(UTC), catalogues=catalogues
            )
        with timeline.step("source_analysis"):
            analysis = _analysed(event, localisation, burst_trigger_time(alerts), out, store)
    with timeline.step("mxt_gp"):
        gp = _ask_gp(conf, event, gp_url, gp_timeout_s)
    with timeline.step("crosscheck_positions"):
        crosscheck = crosscheck_positions(alerts, localisation, gp, catalogues=catalogues)
    run = record(analysis=analysis)
    products = update_ba(run, crosscheck, photons=photons, out=out, written=datetime.now(UTC))
    if figures:
        if localisation is not None:
            draw_figures(out, "preliminary")
        draw_figures(out, "final")
    return out / products.json_file.path


def run_record(
    run_id: str,
    conf: RunConf,
    reception: Reception,
    extraction: Extraction,
    event: EventProduct | None,
    localisation: Localisation | None,
    *,
    analysis: SourceAnalysis | None = None,
    out: Path,
    timeline: Sequence[TimelineEntry],
    is_replay: bool = False,
) -> RunRecord:
    """Collect the results of the steps for the report.

    Parameters
    ----------
    run_id
        Airflow's ``dag_run_id``, or the same name for a local run.
    conf
        Configuration of the run.
    reception, extraction
        Results of ``reception_message`` and ``photons_extraction``.
    event
        The event file; None if no photon can be placed on the sky.
    localisation
        Result of ``vhf_localisation``; None if the step failed.
    analysis
        Light curve and spectrum; None before ``source_analysis`` or if it failed.
    out
        Product folder of the run; product paths in the report are relative to it.
    timeline
        Start and end times of the steps; the reception times of alert and packets are added.
    is_replay
        True for a replay of an archived alert.
    """
    moments = {"alert_received": reception.received, "packets_received": reception.packets_received}
    received = [TimelineEntry(name=name, time=time) for name, time in moments.items() if time is not None]
    products = {"photons": _product(Path(extraction.photons_path), out)}
    if event is not None:
        path = str(Path(event.path).relative_to(out))
        products["event_file"] = Product(path=path, sha256=event.sha256)
    if extraction.rejected_path is not None:
        products["rejected_packets"] = _product(Path(extraction.rejected_path), out)
    if extraction.onboard_path is not None:
        products["onboard_positions"] = _product(Path(extraction.onboard_path), out)
    if localisation is not None:
        products |= localisation.products
    if analysis is not None:
        products |= analysis.products
    return RunRecord(
        run_id=run_id,
        sequence=conf.sequence,
        alert=reception.alert,
        related=reception.related,
        packets=extraction.packets,
        patterns=event.patterns if event else None,
        lost=event.lost if event else None,
        localisation=localisation,
        analysis=analysis,
        products=products,
        timeline=(*received, *timeline),
        warnings=(*extraction.warnings, *(event.warnings if event else ())),
        is_replay=is_replay,
        calibration=event.calibration if event else {},
        assumed_calibration=event.assumed_calibration if event else (),
    )


def _source(path: Path) -> str:
    """Return a path as text; as a percent-encoded URI if it is not valid UTF-8."""
    return str(path.absolute()) if is_utf8(path.absolute()) else path.absolute().as_uri()


def _localised(
    extraction: Extraction,
    event: EventProduct | None,
    alerts: Sequence[Alert],
    out: Path,
    store: CalibrationStore | None,
) -> Localisation | None:
    """Localise the source; None if that fails: as in the DAG, the final report is written without it."""
    if event is None:
        return unplaced_localisation(extraction, alerts)
    try:
        return vhf_localisation(
            Path(event.path), out, alerts=alerts, onboard=extraction.onboard_path, store=store
        )
    except MxtVhfError as error:
        log.error("vhf_localisation failed, the report has no VHF position: %s", error)
        return None


def _analysed(
    event: EventProduct | None,
    localisation: Localisation,
    trigger_time: datetime | None,
    out: Path,
    store: CalibrationStore | None,
) -> SourceAnalysis:
    """Measure light curve and spectrum; an error becomes a reason in the report."""
    if event is None:
        return SourceAnalysis(analysed=False, reason=localisation.reason)
    try:
        return source_analysis(Path(event.path), localisation, out, trigger_time=trigger_time, store=store)
    except MxtVhfError as error:
        return SourceAnalysis(analysed=False, reason=str(error))


def _product(path: Path, out: Path) -> Product:
    return Product(path=str(path.relative_to(out)), sha256=sha256_of(path.read_bytes()))


def _ask_gp(conf: RunConf, event: EventProduct | None, url: str | None, timeout_s: float) -> GpOutcome:
    """Let GP analyse the event file; an error becomes a reason in the report."""
    if url is None:
        return _not_asked("GP was not asked (no --gp URL)")
    if event is None:
        return _not_asked("GP was not asked: there is no event file to analyse")
    request = GpRequest(**observation_fields(conf.observation), mode=conf.mode, event_file=event.path)
    try:
        client = GpClient(url)
        return gp_outcome(_finished(start_mxt_gp_pipeline(request, client), client, timeout_s))
    except MxtVhfError as error:
        return outcome_of(error)


def _not_asked(reason: str) -> GpOutcome:
    return GpOutcome(available=False, progress=GpProgress.NOT_ASKED, reason=reason)


def _finished(process_id: str, client: GpClient, timeout_s: float) -> GpStatus:
    """Poll a job until it ends or the time is up; failed polls are repeated at growing intervals."""
    deadline, polling = time.monotonic() + timeout_s, Polling(GP_POLL_S)
    while True:
        try:
            status = wait_mxt_gp(process_id, client)
        except (GpBusy, GpUnknownJobError) as error:
            polling.failed(error)
        else:
            if status.state.is_final:
                return status
            polling.answered(status)
        left = deadline - time.monotonic()
        if left <= 0.0:
            raise polling.given_up(
                f"GP process {process_id}: not finished after {timeout_s:.0f} s: {polling.last}"
            )
        time.sleep(polling.pause_s(left))
