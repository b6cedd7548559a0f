"""Files of an installation that the desk reads; a file is read again only if it has changed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from mxtvhf.analysis.model import LightCurve
from mxtvhf.archive.archive import Archive
from mxtvhf.archive.products import FINAL_REPORT, PRELIMINARY_REPORT, ReportSummary, product_folder
from mxtvhf.catalogues.store import CatalogueStore
from mxtvhf.desk.comments import Comments
from mxtvhf.desk.states import State, kind_of, state_of
from mxtvhf.errors import InvalidInput
from mxtvhf.models.base import Model
from mxtvhf.models.ids import RunKind
from mxtvhf.models.kept import Kept, KeptModel, log_once, read_kept
from mxtvhf.notices.alert import Alert
from mxtvhf.notices.voevent import read_alert
from mxtvhf.reporting.announcement.model import (
    DECISION,
    REFUSAL,
    RELEASE,
    SUBMISSION,
    Decision,
    Release,
    SubmittedCircular,
)
from mxtvhf.reporting.announcement.news import Result, changes_since
from mxtvhf.reporting.announcement.question import report_at
from mxtvhf.reporting.announcement.release import REPORT
from mxtvhf.reporting.report.changes import changes
from mxtvhf.reporting.report.model import Report
from mxtvhf.settings import Settings
from mxtvhf.sky_notices.store import SkyStore
from mxtvhf.workflow.runs import Run

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Decided:
    """Records of the decision about a run."""

    decision: Decision | None = None
    release: Release | None = None
    fault: str | None = None
    """Reason why a record cannot be read; whether something was announced is then unknown."""


@dataclass(frozen=True)
class Standing:
    """The current announcement of a burst, as seen from one of its runs."""

    release: Release
    submission: SubmittedCircular | None
    changes: tuple[str, ...]
    """What the report of the run changes since; empty if the announcement has its result."""

    @property
    def is_covering(self) -> bool:
        """True if the announcement has the result of the run."""
        return not self.changes


class MeasuredCurve(KeptModel):
    """The part of a report that holds the light curve."""

    class Analysis(Model):
        """The part of the analysis that holds the light curve."""

        light_curve: LightCurve | None = None

    analysis: Analysis | None = None


class DeskFiles:
    """Reports, releases, comments, raw notices and catalogues of an installation."""

    def __init__(self, settings: Settings) -> None:
        self.products = settings.products
        self.releases = settings.releases
        self.archive = Archive(settings.archive)
        self.sky = SkyStore(settings.archive)
        self.comments = Comments(settings.desk_records / "comments")
        self.catalogues = CatalogueStore(settings.catalogues)
        self.observatories = settings.observatories

    def summary(self, burst_id: str, run_id: str) -> ReportSummary | None:
        """Return the summary of the final or else the preliminary report; None without a readable one."""
        return _first(_left_out(_read, path, ReportSummary) for path in self._reports(burst_id, run_id))

    def report(self, burst_id: str, run_id: str) -> Report | None:
        """Return the final or else the preliminary report of a run; None without a readable one."""
        found = self.digested_report(burst_id, run_id)
        return found[0] if found else None

    def digested_report(self, burst_id: str, run_id: str) -> tuple[Report, str] | None:
        """Return a report as `report` does, with the SHA-256 of its file."""
        # Not cached, since a complete report is large and only one is displayed at a time.
        for path in self._reports(burst_id, run_id):
            try:
                if path.exists():
                    return report_at(path)
            except InvalidInput as error:
                log_once(f"{error}; file skipped")
        return None

    def changes(self, burst_id: str, run_id: str) -> tuple[str, ...] | None:
        """Return the changes from the preliminary to the final report; None unless both can be read."""
        after, before = (_left_out(_read, path, ReportSummary) for path in self._reports(burst_id, run_id))
        return None if before is None or after is None else changes(before, after)

    def light_curve(self, burst_id: str, run_id: str) -> LightCurve | None:
        """Return the light curve of the source from a run; None without a readable one."""
        found = _first(_left_out(_read, path, MeasuredCurve) for path in self._reports(burst_id, run_id))
        return found.analysis.light_curve if found and found.analysis else None

    def _reports(self, burst_id: str, run_id: str) -> list[Path]:
        folder = product_folder(self.products, burst_id, run_id)
        return [folder / name for name in (FINAL_REPORT, PRELIMINARY_REPORT)]

    def release_folder(self, burst_id: str, run_id: str) -> Path:
        """Return the folder with the decision about a run and its announcement."""
        return product_folder(self.releases, burst_id, run_id)

    def decided(self, burst_id: str, run_id: str) -> Decided:
        """Return the decision about a run and its announcement."""
        folder = self.release_folder(burst_id, run_id)
        if not folder.is_dir():
            return Decided()
        decision = release = None
        try:
            decision = _read(folder / DECISION, Decision)
            release = _read(folder / RELEASE, Release)
        except InvalidInput as error:
            log_once(str(error))
            return Decided(decision, release, fault=str(error))
        return Decided(decision, release)

    def announced(self, burst_id: str) -> list[tuple[str, Release, SubmittedCircular | None]]:
        """Return all announcements of a burst: name of the folder, release, number of the circular."""
        found = []
        for path in sorted((self.releases / burst_id).glob(f"*/{RELEASE}")):
            release = _left_out(_read, path, Release)
            if release is not None:
                submission = _left_out(_read, path.with_name(SUBMISSION), SubmittedCircular)
                found.append((path.parent.name, release, submission))
        return found

    def standing(self, burst_id: str, run_id: str, *, is_test: bool) -> Standing | None:
        """Return the current announcement of an earlier result than that of a run.

        Parameters
        ----------
        burst_id, run_id
            The burst, and the run.
        is_test
            True for the announcements of its tests.

        Returns
        -------
        Standing or None
            None without an announcement that is out, for a replay, for a run that was announced itself or is
            not newer, and if a record cannot be read.
        """
        history = [one for one in self.announced(burst_id) if one[1].is_test == is_test]
        if not history or any(one.decision.run_id == run_id for _, one, _ in history):
            return None
        folder, out, submission = max(history, key=lambda one: one[1].number)
        before = _left_out(_read, self.releases / burst_id / folder / REPORT, Result)
        after = _first(_left_out(_read, path, Result) for path in self._reports(burst_id, run_id))
        if out.is_retraction or before is None or after is None or after.is_replay:
            return None
        if after.written <= before.written:
            return None
        return Standing(out, submission, changes_since(out, before, after))

    def _of_run(self, burst_id: str, run_id: str) -> list[tuple[Release, SubmittedCircular | None]]:
        """Return the announcement of a run and its retraction, oldest first."""
        found = [(release, recorded) for _, release, recorded in self.announced(burst_id)]
        mine = [one for one in found if one[0].decision.run_id == run_id]
        return sorted(mine, key=lambda one: one[0].number)

    def state_words(self, run: Run, state: State) -> str:
        """Return the state of a run with the number of its circular: ``submitted, GCN 44454``."""
        if state is not State.SUBMITTED:
            return str(state)
        burst_id = str(run.burst_id)
        report = self.summary(burst_id, run.run_id)
        is_test = kind_of(run.run_id, report, is_test=run.is_test) is RunKind.TEST
        of_run = self._of_run(burst_id, run.run_id)
        standing = self.standing(burst_id, run.run_id, is_test=is_test)
        recorded = of_run[-1][1] if of_run else standing.submission if standing else None
        return f"{state}, GCN {recorded.circular}" if recorded else str(state)

    def first_written(self, burst_id: str, run_id: str) -> datetime | None:
        """Return the time when the first report of a run was written, UTC; None without a readable one."""
        found = (_left_out(_read, path, ReportSummary) for path in self._reports(burst_id, run_id))
        return min((report.written for report in found if report is not None), default=None)

    def state(
        self, run: Run, report: ReportSummary | None, *, is_asked: bool, answer: str | None = None
    ) -> State:
        """Return the state of the burst of a run; parameters as in `state_of`."""
        burst_id = str(run.burst_id)
        is_test = kind_of(run.run_id, report, is_test=run.is_test) is RunKind.TEST
        decided = self.decided(burst_id, run.run_id)
        of_run = self._of_run(burst_id, run.run_id)
        last, recorded = of_run[-1] if of_run else (None, None)
        standing = self.standing(burst_id, run.run_id, is_test=is_test)
        if standing and standing.is_covering and decided.decision is None:
            last, recorded = standing.release, standing.submission
        return state_of(
            run,
            report,
            is_retracted=bool(report and report.is_retracted)
            or self.archive.retraction(burst_id, is_test=is_test) is not None,
            is_asked=is_asked,
            answer=answer,
            is_refused=(self.release_folder(burst_id, run.run_id) / REFUSAL).exists(),
            decision=decided.decision,
            release=last or decided.release,
            is_submitted=recorded is not None,
            is_unreadable=decided.fault is not None,
        )

    def notices(self, burst_id: str) -> list[tuple[datetime, Alert]]:
        """Return the notices of a burst with their time of arrival, in this order."""
        kept = self.archive.first_notices(burst_id).items()
        read = ((received, _notice(path)) for path, received in kept)
        return [(received, alert) for received, alert in read if alert is not None]

    def alerts(self, burst_id: str) -> list[Alert]:
        """Return the notices of a burst in the order of their arrival."""
        return [alert for _, alert in self.notices(burst_id)]


def _first(found: Iterable[Kept | None]) -> Kept | None:
    return next((one for one in found if one is not None), None)


def _left_out(read: Callable[[Path, type[Kept]], Kept | None], path: Path, kind: type[Kept]) -> Kept | None:
    """Read a file; return None if it cannot be read, so that the others are still shown."""
    try:
        return read(path, kind)
    except InvalidInput as error:
        log_once(f"{error}; file skipped")
        return None


def _read(path: Path, kind: type[Kept]) -> Kept | None:
    try:
        changed = path.stat()
    except FileNotFoundError:
        return None
    return _read_version(path, kind, changed.st_mtime_ns, changed.st_size)


@lru_cache(maxsize=4096)
def _read_version(path: Path, kind: type[Kept], changed_ns: int, size: int) -> Kept | None:
    return _parse(path, kind)


def _parse(path: Path, kind: type[Kept]) -> Kept | None:
    try:
        return read_kept(path, kind)
    except FileNotFoundError:
        return None


@lru_cache(maxsize=1024)
def _notice(path: Path) -> Alert | None:
    try:
        return read_alert(path.read_bytes(), name=path.name)
    except (InvalidInput, FileNotFoundError) as error:
        log.warning("%s: skipped, not a valid notice: %s", path, error)
        return None
