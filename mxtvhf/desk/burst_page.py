"""The page of a burst, with the report of one of its runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import takewhile
from typing import TypedDict
from urllib.parse import quote

from mxtvhf.analysis.model import LightCurve
from mxtvhf.archive.products import REPORT_FOLDERS, ReportSummary, product_folder
from mxtvhf.catalogues.model import CatalogueAnswer
from mxtvhf.crosscheck.joint_position import JointPosition, joint_of_burst
from mxtvhf.crosscheck.model import BurstVerdict, PositionPair
from mxtvhf.crosscheck.verdict import is_deep
from mxtvhf.desk.announced import AnnouncementBox, announcement_box
from mxtvhf.desk.burst_list import first_report_latency, headline_words
from mxtvhf.desk.charts import Chart
from mxtvhf.desk.comments import Comment
from mxtvhf.desk.context import ContextRow, context_links, context_rows
from mxtvhf.desk.decision import (
    AskedQuestion,
    DecisionBox,
    Draft,
    drafts_in,
    form_address,
    refusal_in,
)
from mxtvhf.desk.files import DeskFiles, Standing
from mxtvhf.desk.followup import FollowUp, follow_up
from mxtvhf.desk.gp_line import GpLine, gp_line
from mxtvhf.desk.headline import Candidate, candidates, pair_of
from mxtvhf.desk.notice_result import NoticeResult, kind_of_notices, notice_result
from mxtvhf.desk.sky_view import SkyView, sky_view
from mxtvhf.desk.source_charts import PositionOfUpdate, light_curve_chart, spectrum_chart, trend_chart
from mxtvhf.desk.states import State, kind_of
from mxtvhf.followup.line_of_sight import line_of_sight
from mxtvhf.models.ids import RunKind
from mxtvhf.models.position import Position, superseded
from mxtvhf.notices.alert import Alert
from mxtvhf.reporting.announcement.content import announceable_first, choice_text, known_sources, recommended
from mxtvhf.reporting.announcement.model import DRAFTS, Release
from mxtvhf.reporting.announcement.request import is_askable
from mxtvhf.reporting.report.model import Report
from mxtvhf.reporting.report.sources import other_sources
from mxtvhf.reporting.report.verdict import (
    is_non_detection,
    upper_limit_text,
    verdict_about,
    verdict_facts,
    verdict_line,
)
from mxtvhf.sky_notices.coincidence import OtherMissions, other_missions
from mxtvhf.workflow.runs import Run

REFRESH_S = 2
"""Interval of the refreshes while a run or a decision is open."""
SLOW_REFRESH_S = 30
"""Interval afterwards, for one day, since an update or a retraction may follow."""
MOST_CURVES = 10
"""Maximum number of other updates whose light curves are read."""
SETTLED_AFTER = timedelta(days=1)
ASKED_WITHIN = timedelta(minutes=1)
"""Time after the report within which the question is expected."""


@dataclass(frozen=True)
class HistoryLine:
    """Line of the table of updates: one run of the burst."""

    run: Run
    kind: RunKind
    state: State
    report: ReportSummary | None
    is_shown: bool
    state_words: str = ""
    """State with the number of the circular."""


@dataclass(frozen=True)
class ComparedPosition:
    """Comparison of a position with the best one."""

    position: Position
    is_best: bool
    pair: PositionPair | None
    """None for the best position itself, and if they were not compared."""


@dataclass(frozen=True)
class CatalogueLine:
    """Result of the searches of one catalogue."""

    catalogue: str
    version: str | None
    checked: bool
    """True if it was searched completely around every position."""
    reason: str | None
    radius_arcsec: float
    """Largest search radius, arcsec."""
    sources: int
    """Number of different sources."""
    omitted: int


@dataclass(frozen=True)
class BurstPage:
    """Content of the page."""

    burst_id: str
    run: Run | None
    """None until a run has started."""
    kind: RunKind
    state: State
    report: Report | None
    summary: ReportSummary | None
    """Summary of the report, also of one of another version."""
    latency_s: float | None
    retraction: datetime | None
    """Time when SVOM's retraction was received, UTC; None without one."""
    sky: SkyView | None
    comparisons: tuple[ComparedPosition, ...]
    decision: DecisionBox | None
    history: tuple[HistoryLine, ...]
    """Newest first."""
    notices: tuple[tuple[datetime, Alert], ...]
    """Notices of the burst with their time of arrival, in this order."""
    refresh_s: int
    """Interval of the refreshes, s; 0 for none."""
    by_notices: NoticeResult | None = None
    """Result of the notices, shown until there is a report."""
    is_question_due: bool = False
    """True if a report was just written and its question is expected."""
    announcement: AnnouncementBox | None = None
    """Announcements of the burst, from any of its runs of this kind; None without one."""
    state_words: str = ""
    """State with the number of the circular."""
    earlier_curves: tuple[LightCurve, ...] = ()
    """Light curves of the other runs of this kind, newest first."""
    comments: tuple[Comment, ...] = ()
    """Comments on the burst, oldest first."""
    context: tuple[ContextRow, ...] = ()
    """Line of sight to the position; empty without one."""
    follow_up: FollowUp | None = None
    """Visibility of the position; None without one."""
    standing: Standing | None = None
    """Current announcement of an earlier result; None without one."""
    other_missions: OtherMissions | None = None
    """Events of other missions that fit the burst, from the notices received until now."""

    @property
    def joint_position(self) -> JointPosition | None:
        """Joint position of the report's positions and those of other missions; None without any."""
        if self.report is None:
            return None
        others = self.other_missions.coincidences if self.other_missions else ()
        return joint_of_burst(recommended(self.report), self.report.positions, self.report.crosscheck, others)

    @property
    def announced(self) -> Release | None:
        """Current announcement of the result of the displayed run; None without one."""
        if self.standing is not None and self.standing.is_covering:
            return self.standing.release
        box = self.announcement
        if box is None or not box.is_out or self.run is None:
            return None
        last = box.last.release
        return last if last.decision.run_id == self.run.run_id else None

    @property
    def trigger_time(self) -> datetime | None:
        """T0 from the report, or else from the notices, UTC; None if unknown."""
        if self.report is not None:
            return self.report.trigger_time
        return self.by_notices.trigger_time if self.by_notices else None

    @property
    def best(self) -> Position | None:
        """Position in the headline: the announced one, or else the recommended one."""
        if self.report is None:
            return None
        return self.announced.position if self.announced else recommended(self.report)

    @property
    def is_other_announced(self) -> bool:
        """True if the announced position is not the recommended one."""
        return bool(self.choice_words)

    @property
    def choice_words(self) -> str:
        """Sentences about the announcement of another position than the recommended one; empty without."""
        if self.report is None or self.announced is None:
            return ""
        return choice_text(self.report, self.announced.position)

    @property
    def verdict_word(self) -> str:
        """Verdict about the position in the headline, in a word."""
        return str(verdict_about(self.report, self.best)[0]) if self.report else ""

    @property
    def verdict(self) -> str:
        """Verdict about the position in the headline, in one line."""
        if self.report and self.report.verdict_reason:
            return verdict_line(self.report, self.best)
        return self.verdict_facts

    @property
    def verdict_facts(self) -> str:
        """Facts behind the word in this line; for reports older than the verdict, the comparison."""
        if self.report and self.report.verdict_reason:
            return verdict_facts(self.report, self.best)
        return headline_words(self.summary.headline, self.summary.verdict) if self.summary else ""

    @property
    def newer(self) -> HistoryLine | None:
        """Newest run of this kind with a report, if newer than the displayed one; else None."""
        return next((line for line in self._newer if line.report is not None), None)

    @property
    def update(self) -> HistoryLine | None:
        """Newest run of this kind, if newer than the displayed one and without a report; else None."""
        newest = next(iter(self._newer), None)
        return newest if newest and newest.report is None else None

    @property
    def _newer(self) -> list[HistoryLine]:
        return newer_lines(self.history, self.kind)

    @property
    def limit(self) -> str | None:
        """Upper limit if MXT detected no source, empty if none could be set; None with a detection."""
        found = self.report.localisation if self.report else None
        return upper_limit_text(found) if is_non_detection(found) else None

    @property
    def is_deep(self) -> bool:
        """True if a catalogue as deep as MXT was checked around the position in the headline."""
        answers, best = self.report.catalogues if self.report else (), self.best
        return best is not None and any(is_deep(answer) for answer in answers if answer.is_around(best))

    @property
    def gp(self) -> GpLine | None:
        """Progress of GP's analysis; None without a report."""
        return gp_line(self.run, self.report) if self.report else None

    @property
    def cautions(self) -> list[str]:
        """Warnings for the confirmation of an approval in sentences, with every caveat of the page."""
        if self.report is None:
            return []
        found, verdict = self.report.localisation, self.report.verdict
        short = {
            "This is a test: nothing is sent.": self.kind is RunKind.TEST,
            "MXT detected no source.": is_non_detection(found),
            f"Known source: {self.verdict_facts}.": verdict is BurstVerdict.KNOWN_SOURCE,
            "The positions are inconsistent.": verdict is BurstVerdict.INCONSISTENT,
            "This result is preliminary.": self.report.status == "preliminary",
            "An update is running.": self.is_updating,
        }
        first = [caution for caution, applies in short.items() if applies]
        return [*first, *self.report.flags, *self.caveats]

    @property
    def is_updating(self) -> bool:
        """True while a newer run of this kind is running."""
        return self.update is not None and self.update.run.ended is None

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """Position in the headline and those that contradict it; empty without a position."""
        return candidates(self.report, self.best) if self.report and self.best else ()

    @property
    def superseded(self) -> frozenset[str]:
        """Labels of the positions that a later one of the same origin replaces."""
        return superseded(self.report.positions) if self.report else frozenset()

    @property
    def caveats(self) -> list[str]:
        """Warning of the report that no other part of the page shows."""
        if self.report is None:
            return []
        told = {*self.report.flags, *(pair.explanation for pair in self.report.crosscheck)}
        return [warning for warning in self.report.warnings if warning not in told]

    @property
    def light_curve(self) -> Chart | None:
        """Light curve of the source over the updates; None if none was measured."""
        curve = self.report.analysis.light_curve if self.report and self.report.analysis else None
        return light_curve_chart(curve, self.earlier_curves) if curve else None

    @property
    def spectrum(self) -> Chart | None:
        """Spectrum of the source; None if none was fitted."""
        fit = self.report.analysis.spectrum if self.report and self.report.analysis else None
        return spectrum_chart(fit) if fit and fit.bins else None

    @property
    def trend(self) -> Chart | None:
        """Offset and R90 by update; None with fewer than two updates with a position."""
        return trend_chart(
            [
                PositionOfUpdate(line.run.sequence or 0, line.report.best_position)
                for line in reversed(self.history)
                if line.kind is self.kind and line.report and line.report.best_position
            ]
        )

    @property
    def links(self) -> dict[str, str]:
        """Name -> address of external services for the position of report or notices."""
        place = self.best or (self.by_notices.position if self.by_notices else None)
        return context_links(self.burst_id, place) if place else {}

    @property
    def report_folder(self) -> str:
        """Folder of the report's own files, relative to the folder of the run."""
        return REPORT_FOLDERS[self.report.status] if self.report else ""

    @property
    def catalogues(self) -> list[CatalogueLine]:
        """Result of each catalogue, the unchecked ones first."""
        return catalogue_lines(self.report.catalogues) if self.report else []


def newer_lines(history: Iterable[HistoryLine], kind: RunKind) -> list[HistoryLine]:
    """Return the runs of a kind that are newer than the displayed one; ``history`` is newest first."""
    return list(takewhile(lambda line: not line.is_shown, (line for line in history if line.kind is kind)))


def catalogue_lines(answers: Iterable[CatalogueAnswer]) -> list[CatalogueLine]:
    """Combine the answers of each catalogue; return the unchecked ones first."""
    groups: dict[str, list[CatalogueAnswer]] = {}
    for answer in answers:
        groups.setdefault(answer.catalogue, []).append(answer)
    lines = [
        CatalogueLine(
            catalogue=catalogue,
            version=group[0].version,
            checked=all(answer.is_complete for answer in group),
            reason="; ".join(dict.fromkeys(filter(None, (answer.reason or answer.gap for answer in group))))
            or None,
            radius_arcsec=max(answer.radius_arcsec for answer in group),
            sources=len({(one.name, one.ra_deg, one.dec_deg) for answer in group for one in answer.sources}),
            omitted=sum(answer.omitted for answer in group),
        )
        for catalogue, group in groups.items()
    ]
    return sorted(lines, key=lambda line: (line.checked, line.catalogue))


def burst_page(
    burst_id: str,
    runs: Sequence[Run],
    shown: Run | None,
    questions: Mapping[str, AskedQuestion],
    files: DeskFiles,
    *,
    airflow: str,
    now: datetime,
) -> BurstPage | None:
    """Return the content of the page of a burst.

    Parameters
    ----------
    burst_id
        The burst.
    runs
        All its runs, newest first.
    shown
        The run to display, with its problems; None without a run.
    questions
        Run id -> question to the Burst Advocate.
    files
        Source of reports, releases and notices.
    airflow
        Path of Airflow's root, often empty.
    now
        Current time, UTC.

    Returns
    -------
    BurstPage or None
        None if the burst is unknown.
    """
    notices = tuple(files.notices(burst_id))
    if shown is None:
        return _received_only(burst_id, notices, files, now) if files.archive.has(burst_id) else None
    history = tuple(_history(run, shown, questions, files) for run in runs)
    line = next((line for line in history if line.is_shown), _history(shown, shown, questions, files))
    read = files.digested_report(burst_id, shown.run_id)
    report = read[0] if read else None
    retraction = files.archive.retraction(burst_id, is_test=line.kind is RunKind.TEST)
    best = recommended(report) if report else None
    announcement = _announcement(
        burst_id, line, files, report, retracted=retraction.received if retraction else None
    )
    standing = files.standing(burst_id, shown.run_id, is_test=line.kind is RunKind.TEST)
    closed = _why_closed(line, history, announcement, standing, is_retracted=line.state is State.RETRACTED)
    decision = _decision(burst_id, shown.run_id, questions, files, read, airflow, closed=closed)
    is_due = closed is None and _is_question_due(line, decision, now)
    by_notices = notice_result((alert for _, alert in notices), is_test=line.kind is RunKind.TEST)
    return BurstPage(
        burst_id=burst_id,
        run=shown,
        kind=line.kind,
        state=line.state,
        report=report,
        summary=line.report,
        latency_s=_latency(line.report, files),
        retraction=retraction.received if retraction else None,
        sky=_sky(report, best) if report and best else None,
        comparisons=tuple(map(partial(_comparison, report), report.positions)) if report else (),
        decision=decision,
        history=history,
        notices=notices,
        refresh_s=REFRESH_S if is_due else _refresh(history, decision, now),
        is_question_due=is_due,
        comments=tuple(files.comments.of(burst_id)),
        announcement=announcement,
        standing=standing,
        state_words=line.state_words,
        earlier_curves=tuple(_earlier_curves(burst_id, history, line.kind, files)),
        by_notices=by_notices,
        **_surroundings(decision.release.position if decision.release else best, by_notices, files, now),
        other_missions=_other_missions(
            burst_id, report, by_notices, files, is_test=line.kind is RunKind.TEST
        ),
    )


def _received_only(
    burst_id: str, notices: tuple[tuple[datetime, Alert], ...], files: DeskFiles, now: datetime
) -> BurstPage:
    alerts = [alert for _, alert in notices]
    kind = kind_of_notices(alerts)
    by_notices = notice_result(alerts, is_test=kind is RunKind.TEST)
    return BurstPage(
        burst_id=burst_id,
        run=None,
        kind=kind,
        state=State.RECEIVING,
        report=None,
        summary=None,
        latency_s=None,
        retraction=None,
        sky=None,
        comparisons=(),
        decision=None,
        history=(),
        notices=notices,
        refresh_s=REFRESH_S,
        by_notices=by_notices,
        **_surroundings(None, by_notices, files, now),
        other_missions=_other_missions(burst_id, None, by_notices, files, is_test=kind is RunKind.TEST),
        comments=tuple(files.comments.of(burst_id)),
    )


class _Surroundings(TypedDict, total=False):
    """Fields of the page about the direction of the burst."""

    context: tuple[ContextRow, ...]
    follow_up: FollowUp


def _surroundings(
    best: Position | None, by_notices: NoticeResult | None, files: DeskFiles, now: datetime
) -> _Surroundings:
    """Return line of sight and visibility of the best position, else of that of the notices."""
    place = best or (by_notices.position if by_notices else None)
    if place is None:
        return {}
    sight = line_of_sight(
        place.ra_deg, place.dec_deg, now, r90_arcsec=place.r90_arcsec, catalogues=files.catalogues
    )
    return {"context": context_rows(sight), "follow_up": follow_up(place, now, files.observatories)}


def _other_missions(
    burst_id: str, report: Report | None, by_notices: NoticeResult | None, files: DeskFiles, *, is_test: bool
) -> OtherMissions:
    """Compare the burst with the notices received until now, which may be newer than its report."""
    trigger = report.trigger_time if report else by_notices.trigger_time if by_notices else None
    place = (recommended(report) if report else None) or (by_notices.position if by_notices else None)
    return other_missions(files.sky, burst_id, trigger, place, is_test=is_test)


def _history(run: Run, shown: Run, questions: Mapping[str, AskedQuestion], files: DeskFiles) -> HistoryLine:
    burst_id = str(run.burst_id)
    report, question = files.summary(burst_id, run.run_id), questions.get(run.run_id)
    is_asked = question is not None and question.is_open
    answer = question.standing_answer if question else None
    state = files.state(run, report, is_asked=is_asked, answer=answer)
    kind = kind_of(run.run_id, report, is_test=run.is_test)
    return HistoryLine(
        run=run,
        kind=kind,
        state=state,
        state_words=files.state_words(run, state),
        report=report,
        is_shown=run.run_id == shown.run_id,
    )


def _decision(
    burst_id: str,
    run_id: str,
    questions: Mapping[str, AskedQuestion],
    files: DeskFiles,
    read: tuple[Report, str] | None,
    airflow: str,
    *,
    closed: str | None,
) -> DecisionBox:
    decided = files.decided(burst_id, run_id)
    report, digest = read or (None, None)
    choices = announceable_first(report) if report else ()
    return DecisionBox(
        question=questions.get(run_id),
        decision=decided.decision,
        release=decided.release,
        fault=decided.fault,
        report_status=report.status if report else None,
        report_sha256=digest,
        changes=files.changes(burst_id, run_id),
        known_as=_known_as(report) if report else None,
        choices=choices,
        drafts=_texts(burst_id, run_id, files, REPORT_FOLDERS[report.status] if report else ""),
        refusal=refusal_in(files.release_folder(burst_id, run_id)),
        closed=closed,
        answer_address=f"desk/{burst_id}/answer?run={quote(run_id, safe='')}",
        form_address=form_address(airflow, run_id),
    )


def _why_closed(
    line: HistoryLine,
    history: Sequence[HistoryLine],
    announcement: AnnouncementBox | None,
    standing: Standing | None,
    *,
    is_retracted: bool,
) -> str | None:
    """Return the reason why the question about a run needs no answer any more; None if it does."""
    if is_retracted:
        return "The burst was retracted."
    if announcement and announcement.last.release.decision.run_id == line.run.run_id:
        return f"Announcement {announcement.last.release.number} already covers this result."
    if standing is not None and standing.is_covering:
        return f"Announcement {standing.release.number} already has this result."
    newer = next((one for one in newer_lines(history, line.kind) if one.report is not None), None)
    return f"Superseded by update {newer.run.sequence}." if newer else None


def _known_as(report: Report) -> str | None:
    """Return the catalogued source at the recommended position with a probability above 50 %."""
    best = recommended(report)
    known = known_sources(report, best) if best else ()
    return known[0].source if known else None


def _texts(burst_id: str, run_id: str, files: DeskFiles, below: str) -> tuple[Draft, ...]:
    """Return the released texts, or else the drafts next to the report in the folder ``below``."""
    run, folder = quote(run_id, safe=""), product_folder(files.products, burst_id, run_id)
    told = drafts_in(
        files.release_folder(burst_id, run_id),
        lambda name: f"desk/{burst_id}/release/{quote(name)}?run={run}",
    )
    return told or drafts_in(
        folder / below / DRAFTS, lambda name: f"runs/{run}/{below}{DRAFTS}/{quote(name)}"
    )


def _sky(report: Report, best: Position) -> SkyView:
    regions = report.localisation.regions if report.localisation else ()
    return sky_view(best, report.positions, regions, report.catalogues, other_sources(report.localisation))


def _comparison(report: Report, position: Position) -> ComparedPosition:
    best = recommended(report)
    pair = pair_of(report, position, best) if best else None
    return ComparedPosition(
        position=position, is_best=best is not None and position.label == best.label, pair=pair
    )


def _latency(report: ReportSummary | None, files: DeskFiles) -> float | None:
    if report is None:
        return None
    return first_report_latency(report, files.first_written(report.burst_id, report.run_id))


def _announcement(
    burst_id: str, line: HistoryLine, files: DeskFiles, report: Report | None, *, retracted: datetime | None
) -> AnnouncementBox | None:
    if line.kind is RunKind.REPLAY:
        return None
    return announcement_box(
        burst_id,
        files,
        is_test=line.kind is RunKind.TEST,
        run_id=line.run.run_id,
        choices=announceable_first(report) if report else (),
        retracted=retracted,
    )


def _earlier_curves(
    burst_id: str, history: Sequence[HistoryLine], kind: RunKind, files: DeskFiles
) -> Iterator[LightCurve]:
    others = [line for line in history if line.kind is kind and line.report and not line.is_shown]
    for line in others[:MOST_CURVES]:
        curve = files.light_curve(burst_id, line.run.run_id)
        if curve is not None:
            yield curve


def _is_question_due(line: HistoryLine, decision: DecisionBox, now: datetime) -> bool:
    """Return True if a report was just written and Airflow is about to start the run of its question."""
    report = line.report
    if report is None or decision.question or decision.decision or not is_askable(report):
        return False
    return timedelta(0) <= now - report.written < ASKED_WITHIN


def _refresh(history: Sequence[HistoryLine], decision: DecisionBox, now: datetime) -> int:
    newest = max((line.run.created for line in history), default=now)
    if decision.is_open or any(line.run.ended is None for line in history):
        return REFRESH_S
    if decision.is_pending and now - newest < SETTLED_AFTER:
        return REFRESH_S
    return SLOW_REFRESH_S if now - newest < SETTLED_AFTER else 0
