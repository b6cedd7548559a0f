"""Detection of events about a burst that people are notified of, from the archive and the products."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

from mxtvhf.archive.archive import Archive
from mxtvhf.archive.products import FINAL_REPORT, PRELIMINARY_REPORT
from mxtvhf.errors import InvalidInput
from mxtvhf.models.angles import radius_text, separation_arcsec
from mxtvhf.models.files import changed_at
from mxtvhf.models.ids import TEST_MARK
from mxtvhf.models.kept import log_once, read_kept
from mxtvhf.models.position import Position
from mxtvhf.notices.alert import Alert
from mxtvhf.notices.voevent import read_alert
from mxtvhf.notification.ledger import Ledger
from mxtvhf.notification.message import ACKNOWLEDGE, notice_body, plain_body, report_body
from mxtvhf.notification.model import Occurrence
from mxtvhf.reporting.report.model import Report

FRESH = timedelta(hours=12)
"""Age up to which an event notifies people. Older events come from restored archives or late packets."""
MUCH_BETTER = 0.5
"""An error radius below this fraction of the notified one counts as a changed result."""
DECIDE = f"Check the position and decide. {ACKNOWLEDGE}"
CHECK = f"Check the result and decide, or correct the announcement. {ACKNOWLEDGE}"


def subject_of(burst_id: str, *, is_test: bool) -> str:
    """Return the ledger's subject of a burst or of its tests."""
    return f"{burst_id}{TEST_MARK if is_test else ''}"


def subject_name(subject: str) -> str:
    """Return the name of a subject in messages."""
    return f"DRILL {subject.removesuffix(TEST_MARK)}" if subject.endswith(TEST_MARK) else subject


def desk_link(desk: str | None, burst_id: str, run_id: str | None = None) -> str | None:
    """Return the address of the page of a burst; None if the address of the desk is unknown."""
    query = f"?{urlencode({'run': run_id})}" if run_id else ""
    return f"{desk}/{burst_id}{query}" if desk else None


class BurstWatch:
    """Watches the archive and the products, and records occurrences in the ledger.

    Parameters
    ----------
    archive
        Archive of the notices.
    products
        Folder of the reports.
    ledger
        Ledger that records the occurrences.
    desk
        Address of the Burst Advocate's desk; None if it is unknown.
    telescopes
        TOML file of telescopes for the visibility; None for those of the package.
    """

    def __init__(
        self,
        archive: Archive,
        products: Path,
        ledger: Ledger,
        desk: str | None,
        telescopes: Path | None = None,
    ) -> None:
        self._archive = archive
        self._products = products
        self._ledger = ledger
        self._desk = desk
        self._telescopes = telescopes
        self._seen: dict[str, dict[str, float]] = {}
        self._minute: datetime | None = None
        self._with_products: set[str] = set()

    def look(self, now: datetime) -> None:
        """Record new occurrences of the open bursts, and of those with new products.

        The intake closes a burst one hour after its last notice or packet; a report may be written later.
        """
        if (minute := now.replace(second=0, microsecond=0)) != self._minute:
            self._minute, self._with_products = minute, self._with_new_products(now)
        names = self._with_products | {path.name for path in (self._archive.root / "open").glob("sb*")}
        for burst_id in self._seen.keys() - names:
            del self._seen[burst_id]
        for burst_id in sorted(names):
            files = self._files(burst_id)
            seen = self._seen.get(burst_id, {})
            if seen != files:
                new = (one for one in files if one.endswith(".json") and seen.get(one) != files[one])
                self._look_at(burst_id, map(Path, new), now)
                self._seen[burst_id] = files

    def _with_new_products(self, now: datetime) -> set[str]:
        """Return the bursts with a run whose products changed recently."""
        since = (now - FRESH).timestamp()
        runs = self._products.glob("sb*/*/")
        return {run.parent.name for run in runs if (changed_at(run) or 0.0) > since}

    def _files(self, burst_id: str) -> dict[str, float]:
        """Return the files that can show something new, with their times of change.

        Each round looks at all bursts of half a day. Names take a third of the time of paths and patterns.
        """
        names = [f"{self._archive.root}/{burst_id}/alerts/received.jsonl"]
        with suppress(FileNotFoundError), os.scandir(self._products / burst_id) as runs:
            for run in runs:
                names += [f"{run.path}/{FINAL_REPORT}", f"{run.path}/{PRELIMINARY_REPORT}"]
        return {name: changed for name in names if (changed := changed_at(name)) is not None}

    def _look_at(self, burst_id: str, reports: Iterable[Path], now: datetime) -> None:
        notices = list(self._notices(burst_id))
        found = sorted(filter(None, map(_report, reports)), key=lambda report: report.written)
        for is_test in (False, True):
            subject = subject_of(burst_id, is_test=is_test)
            own = [(time, alert) for time, alert in notices if alert.is_test == is_test]
            for occurrence in self._from_notices(burst_id, subject, own):
                self._raise(occurrence, now)
            of_runs = [one for one in found if one.is_test == is_test and not one.is_replay]
            self._from_reports(subject, of_runs, now)
            self._from_retraction(burst_id, subject, own, now)

    def _raise(self, occurrence: Occurrence, now: datetime) -> None:
        if now - occurrence.raised < FRESH:
            self._ledger.raise_occurrence(occurrence)

    def _notices(self, burst_id: str) -> Iterator[tuple[datetime, Alert]]:
        for path, received in self._archive.first_notices(burst_id).items():
            try:
                yield received, read_alert(path.read_bytes(), name=str(path))
            except (InvalidInput, OSError) as error:
                log_once(f"{error}; no notification is sent about this notice")

    def _from_notices(
        self, burst_id: str, subject: str, notices: list[tuple[datetime, Alert]]
    ) -> Iterator[Occurrence]:
        first = next(((time, alert) for time, alert in notices if not alert.is_retraction), None)
        if first is not None:
            time, alert = first
            yield Occurrence(
                key="first_notice",
                event="first_notice",
                subject=subject,
                raised=time,
                title=f"{subject_name(subject)}: new burst, {alert.notice_type}",
                body=notice_body(
                    alert,
                    do="Stand by: the first MXT position follows within minutes.",
                    link=desk_link(self._desk, burst_id),
                ),
            )

    def _from_reports(self, subject: str, reports: Iterable[Report], now: datetime) -> None:
        """Record the first position, and each result that differs clearly from the last notified one.

        Airflow asks about each new run within seconds, so these messages ask for the decision at once.
        """
        # Imported here, because Airflow's listener imports this module and needs no numpy.
        from mxtvhf.notification.follow_up import follow_up_text

        known = {one.key: one for one in self._ledger.record(subject).occurrences}
        for report in reports:
            results = [one for one in known.values() if one.event in ("first_position", "result_changed")]
            last = max(results, key=lambda one: one.raised, default=None)
            key = f"{report.run_id}-{report.status}"
            if report.best_position is None or report.is_retracted or key in known:
                continue
            if last is not None and (last.raised >= report.written or not (why := _change(last, report))):
                continue
            what = "First position" if last is None else f"Result changed: {why}"
            radius = report.best_position.r90_arcsec
            occurrence = Occurrence(
                key=key,
                event="first_position" if last is None else "result_changed",
                subject=subject,
                raised=report.written,
                title=f"{subject_name(subject)}: {what[:1].lower()}{what[1:]}"
                + ("" if radius is None else f", R90 {radius_text(radius)}")
                + (", decision needed" if last is None else ""),
                body=report_body(
                    report,
                    what=what,
                    do=DECIDE if last is None else CHECK,
                    link=desk_link(self._desk, report.burst_id, report.run_id),
                    follow_up=follow_up_text(report.best_position, now, self._telescopes),
                ),
                run_id=report.run_id,
                verdict=str(report.verdict),
                seen_by=report.other_missions.seen_by if report.other_missions else (),
                position=report.best_position,
            )
            known[key] = occurrence
            self._raise(occurrence, now)

    def _from_retraction(
        self, burst_id: str, subject: str, notices: list[tuple[datetime, Alert]], now: datetime
    ) -> None:
        """Record a retraction. It is ignored if nobody was notified of the burst."""
        time = next((time for time, alert in notices if alert.is_retraction), None)
        if time is None or not self._ledger.record(subject).occurrences:
            return
        body = plain_body(
            what=f"SVOM retracted {burst_id}",
            do="Check whether the burst was announced. If so, retract the announcement.",
            link=desk_link(self._desk, burst_id),
        )
        self._raise(
            Occurrence(
                key="retraction",
                event="retraction",
                subject=subject,
                raised=time,
                title=f"{subject_name(subject)}: retracted by SVOM",
                body=body,
            ),
            now,
        )


def _change(last: Occurrence, report: Report) -> str | None:
    """Describe how a report differs from the last notified result; None for a small difference."""
    before, after = last.position, report.best_position
    if last.verdict != report.verdict:
        return f"{report.verdict} (before: {last.verdict})"
    if before is None or after is None:
        return None
    if before.origin != after.origin:
        return f"position from {after.origin} (before: {before.origin})"
    apart = separation_arcsec(before.ra_deg, before.dec_deg, after.ra_deg, after.dec_deg)
    if _is_farther(apart, before):
        return f"position moved by {radius_text(apart)}"
    if before.r90_arcsec and after.r90_arcsec and after.r90_arcsec < MUCH_BETTER * before.r90_arcsec:
        return "smaller error radius"
    return None


def _is_farther(apart: float, before: Position) -> bool:
    return before.r90_arcsec is not None and apart > before.r90_arcsec


def _report(path: Path) -> Report | None:
    try:
        return read_kept(path, Report)
    except (InvalidInput, OSError) as error:
        log_once(f"{error}; no notification is sent about this report")
        return None
