"""Operators of the steps. Each reads the results of earlier steps, calls a pure function and writes a result.

Heavy imports (astropy, scipy) are inside the functions, because every Airflow process imports this module.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import DownstreamTasksSkipped

from mxtvhf.archive.disk import once_there_is_room
from mxtvhf_airflow.addresses import desk_url
from mxtvhf_airflow.run_context import RunContext, airflow_errors, run_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from mxtvhf.analysis.model import SourceAnalysis
    from mxtvhf.events.photons import PhotonList
    from mxtvhf.models.base import Model
    from mxtvhf.reporting.report.model import RunRecord


class StepOperator(BaseOperator):
    """Base class of the operators, which calls ``step`` and writes its result."""

    def execute(self, context: Context) -> None:
        """Run the step and write its result and its times into the product folder of the run."""
        started = datetime.now(UTC)
        with airflow_errors(context, self.log):
            run = run_of(context)
            self.log.info("burst %s, run %s: %s", run.burst_id, run.run_id, self.task_id)
            run.results.begin(self.task_id, run.attempt)
            result = once_there_is_room(lambda: self.step(run), self.log.error)
            once_there_is_room(
                lambda: run.results.write(self.task_id, run.attempt, result, started=started), self.log.error
            )
            skipped = self.skips(run)
        if skipped:
            raise DownstreamTasksSkipped(tasks=skipped)

    def step(self, run: RunContext) -> Model:
        """Call the pure function of the step."""
        raise NotImplementedError

    def skips(self, run: RunContext) -> list[str]:
        """Return the later tasks that are not needed. Airflow skips them without starting a process."""
        return []


class ReceptionMessageOperator(StepOperator):
    """Step 1: archive the inputs as received and read the alert. Skip the run if nothing can be analysed."""

    def step(self, run: RunContext) -> Model:
        """Archive and read the inputs."""
        from mxtvhf.archive.archive import Archive
        from mxtvhf.workflow.steps.reception_message import check_analysable, reception_message

        reception = reception_message(
            run.conf,
            run_id=run.run_id,
            archive=Archive(run.settings.archive),
            folders=run.settings.input_folders(),
            created=run.created,
            is_replay=run.is_replay,
            observations=run.settings.observations,
        )
        check_analysable(reception)
        return reception


class PhotonsExtractionOperator(StepOperator):
    """Step 2: decode the packets into photons."""

    def step(self, run: RunContext) -> Model:
        """Decode the packets."""
        from mxtvhf.workflow.steps.photons_extraction import photons_extraction

        reception = run.reception()
        return photons_extraction(
            Path(str(reception.packets_path)),
            run.burst_id,
            run.out,
            name=run.conf.packets,
            attitude=None if reception.attitude_path is None else Path(reception.attitude_path),
            attitude_name=run.conf.attitude,
        )


class FitsFeedOperator(StepOperator):
    """Step 3: write the photons as an OGIP event file."""

    def step(self, run: RunContext) -> Model:
        """Write the event file."""
        from mxtvhf.instrument.calibration import calibration_store
        from mxtvhf.models.run_conf import observation_fields
        from mxtvhf.workflow.steps.fits_feed import NoEventFile, fits_feed

        reception, extraction = run.reception(), run.extraction()
        if extraction.unplaced is not None:
            return NoEventFile(reason=extraction.unplaced)
        return fits_feed(
            extraction,
            reception.alert,
            run.out,
            related=reception.related,
            **observation_fields(reception.observation),
            store=calibration_store(run.settings.calibration),
        )


class VhfLocalisationOperator(StepOperator):
    """Parallel to step 4: find the source in the VHF photons.

    :param remote_task_id: task that queries remote catalogues. This operator skips it if none are
        configured, which needs no process.
    """

    def __init__(self, *, remote_task_id: str = "remote_catalogues", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.remote_task_id = remote_task_id

    def skips(self, run: RunContext) -> list[str]:
        """Skip the query of remote catalogues if none are configured."""
        return [] if run.settings.remote_catalogues else [self.remote_task_id]

    def step(self, run: RunContext) -> Model:
        """Localise the source."""
        from mxtvhf.instrument.calibration import calibration_store
        from mxtvhf.workflow.steps.vhf_localisation import unplaced_localisation, vhf_localisation

        reception, event = run.reception(), run.event_product()
        extraction, alerts = run.extraction(), (reception.alert, *reception.related)
        if event is None:
            return unplaced_localisation(extraction, alerts)
        return vhf_localisation(
            Path(event.path),
            run.out,
            alerts=alerts,
            onboard=extraction.onboard_path,
            store=calibration_store(run.settings.calibration),
        )


class SourceAnalysisOperator(StepOperator):
    """After the localisation: measure the light curve and the spectrum of the source."""

    def step(self, run: RunContext) -> Model:
        """Analyse the source."""
        from mxtvhf.analysis.model import SourceAnalysis
        from mxtvhf.instrument.calibration import calibration_store
        from mxtvhf.notices.burst import burst_trigger_time
        from mxtvhf.workflow.steps.source_analysis import source_analysis

        reception, event = run.reception(), run.event_product()
        if event is None:
            return SourceAnalysis(analysed=False, reason=run.extraction().unplaced)
        return source_analysis(
            Path(event.path),
            run.localisation(),
            run.out,
            trigger_time=burst_trigger_time((reception.alert, *reception.related)),
            store=calibration_store(run.settings.calibration),
        )


class PreliminaryReportOperator(StepOperator):
    """Parallel to step 4: send the VHF position at once, without waiting for GP."""

    def step(self, run: RunContext) -> Model:
        """Write the preliminary report."""
        from mxtvhf.workflow.steps.preliminary_report import preliminary_report

        return preliminary_report(
            record(run),
            photons=photons(run),
            out=run.out,
            written=datetime.now(UTC),
            catalogues=run.catalogues(),
            sky=run.sky_notices(),
        )


class RemoteCataloguesOperator(StepOperator):
    """After the localisation: query the configured online catalogues. No report waits for the answers."""

    def step(self, run: RunContext) -> Model:
        """Query the services."""
        from mxtvhf.catalogues.cone_search import remote_services
        from mxtvhf.workflow.steps.remote_catalogues import RemoteCatalogues, remote_catalogues

        reception = run.reception()
        services = RemoteCatalogues(remote_services(run.settings.remote_catalogues))
        return remote_catalogues((reception.alert, *reception.related), run.localisation(), services)


class CrosscheckPositionsOperator(StepOperator):
    """Step 6: compare all positions of the burst, including GP's or the reason why GP is missing."""

    def step(self, run: RunContext) -> Model:
        """Compare the positions."""
        from mxtvhf.workflow.steps.crosscheck_positions import crosscheck_positions
        from mxtvhf_airflow.gp_outcome import gp_outcome_of_run

        reception = run.reception()
        return crosscheck_positions(
            (reception.alert, *reception.related),
            run.localisation(),
            gp_outcome_of_run(run),
            catalogues=run.catalogues(),
            remote=run.remote_answers(),
        )


class UpdateBAOperator(StepOperator):
    """Step 7: send the result to the Burst Advocate.

    :param ask_task_id: task that asks for the decision after the final report. This operator skips it if
        the question was asked with the preliminary report, which needs no process. It is not skipped if
        another run of the burst was decided about: its announcement may have the preliminary result.
    """

    def __init__(self, *, ask_task_id: str = "ask_ba_final", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ask_task_id = ask_task_id

    def skips(self, run: RunContext) -> list[str]:
        """Skip the question if it was asked with the preliminary report, or is never asked (replays)."""
        preliminary = run.preliminary()
        decided = {folder.name for folder in (run.settings.releases / run.burst_id).glob("*/")}
        is_first = decided <= {run.out.name}
        is_asked = preliminary is not None and preliminary.best_position is not None and is_first
        return [self.ask_task_id] if run.is_replay or is_asked else []

    def step(self, run: RunContext) -> Model:
        """Write the report and the drafts of the announcement."""
        from mxtvhf.archive.products import report_summary
        from mxtvhf.reporting.announcement.question import read_report, write_drafts
        from mxtvhf.reporting.announcement.request import is_askable
        from mxtvhf.workflow.steps.update_ba import update_ba

        written = update_ba(
            record(run, run.analysis()),
            run.crosscheck(),
            photons=photons(run),
            out=run.out,
            written=datetime.now(UTC),
            sky=run.sky_notices(),
        )
        if is_askable(report_summary(run.settings.products, run.run_id)):
            report, _ = read_report(run.settings.products, run.burst_id, run.run_id)
            write_drafts(
                report,
                out=run.out,
                releases=run.settings.releases,
                desk_url=desk_url(run.burst_id, run.run_id),
                texts=run.settings.announcement,
            )
        return written


def photons(run: RunContext) -> PhotonList:
    """Read the reconstructed photons of the run."""
    from mxtvhf.events.patterns import reconstruct
    from mxtvhf.events.photons import PhotonList

    return reconstruct(PhotonList.load(Path(run.extraction().photons_path))).photons


def record(run: RunContext, analysis: SourceAnalysis | None = None) -> RunRecord:
    """Collect the results of the run so far for its report."""
    from mxtvhf.workflow.local import run_record

    return run_record(
        run.run_id,
        run.conf,
        run.reception(),
        run.extraction(),
        run.event_product(),
        run.localisation(),
        analysis=analysis,
        out=run.out,
        timeline=run.timeline(),
        is_replay=run.is_replay,
    )
