"""The tables of ``mxtvhf info``: bursts, runs, quarantine and gaps."""

from __future__ import annotations

from collections.abc import Iterable

from mxtvhf.archive.archive import QuarantineNote
from mxtvhf.archive.stream_gaps import StreamGap
from mxtvhf.models.angles import radius_text
from mxtvhf.models.position import Position
from mxtvhf.models.times import utc_text
from mxtvhf.workflow.gp.contract import GpState
from mxtvhf.workflow.runs import AirflowState, BurstEntry, RunAnswer, RunEntry

STATES = {
    GpState.PENDING: "queued",
    GpState.RUNNING: "running",
    GpState.COMPLETED: "position",
    GpState.FAILED: "no position",
}
"""State of a run by the state word of GP's contract."""
DECISIONS = (
    "awaiting decision", "approved", "refused", "released, not sent", "released, sent", "rejected",
    "unreadable record",
)  # fmt: skip
"""States of the desk that are about a decision."""


RUN_ENDS = {AirflowState.SUCCESS: ", run succeeded", AirflowState.FAILED: ", run failed"}


def runs_text(entries: Iterable[RunEntry]) -> list[str]:
    """Return the list of runs as a table."""
    lines = [f"{'run':40} {'state':11} {'age':>9}  {'position (RA, Dec, R90)':36} {'decision':17} marks"]
    lines += [
        f"{entry.process_id:40} {STATES[entry.state]:11} {_age(entry.age_s):>9}  "
        f"{_position(entry.best_position):36} {_decision(entry):17} {_marks(entry)}".rstrip()
        for entry in entries
    ]
    return lines


def bursts_text(entries: Iterable[BurstEntry]) -> list[str]:
    """Return the list of bursts as a table."""
    place = "position (RA, Dec, R90)"
    lines = [f"{'burst':11} {'age':>9} {'runs':>5} {'latest':11}  {place:36} {'decision':17} marks"]
    for entry in entries:
        run = entry.latest
        lines.append(
            f"{entry.burst_id:11} {_age(entry.age_s):>9} {entry.runs:5} {STATES[run.state]:11}  "
            f"{_position(run.best_position):36} {_decision(run):17} {_marks(run)}".rstrip()
        )
    return lines


def answer_text(answer: RunAnswer) -> list[str]:
    """Return the description of one run."""
    descriptor, run, report = answer.processing_descriptor, answer.run, answer.report
    lines = [
        f"{descriptor.process_id}: {STATES[GpState(str(descriptor.state))]}{RUN_ENDS.get(run.state, '')}"
    ]
    moments = {"created": run.created, "started": run.started, "ended": run.ended}
    lines += [f"  {name:9} {utc_text(moment)}" for name, moment in moments.items() if moment]
    lines += [f"  {problem.state:9} {problem.step}: {problem.reason}" for problem in run.problems]
    if report is not None:
        lines += [f"  {report.status:9} {report.headline}", f"  report    {report.url}"]
    return lines


def quarantine_text(notes: Iterable[QuarantineNote]) -> list[str]:
    """Return the list of unreadable inputs with the reasons."""
    # Most reasons begin with the name of the input, which is removed here.
    return [
        f"{utc_text(note.time)}  {note.input}: {note.reason.removeprefix(f'{note.input}: ')} "
        f"({note.size} bytes, {note.sha256[:12]})"
        for note in notes
    ]


def gaps_text(gaps: Iterable[StreamGap]) -> list[str]:
    """Return the list of messages lost in streams."""
    return [
        f"{utc_text(gap.noticed)}  {gap.stream}: {gap.messages} lost ({gap.first}..{gap.last}): {gap.cause}"
        for gap in gaps
    ]


def _age(seconds: float) -> str:
    for size, unit in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def _decision(entry: RunEntry) -> str:
    return entry.desk_state if entry.desk_state in DECISIONS else "-"


def _position(position: Position | None) -> str:
    if position is None:
        return "-"
    radius = "?" if position.r90_arcsec is None else radius_text(position.r90_arcsec)
    ra, dec = position.degrees_text
    return f"{ra:>9} {dec:>9} {radius:>5} {position.instrument}"


def _marks(entry: RunEntry) -> str:
    is_retracted = entry.is_retracted or entry.desk_state == "retracted"
    marks = {"TEST": entry.is_test, "REPLAY": entry.is_replay, "RETRACTED": is_retracted}
    return " ".join(name for name, is_set in marks.items() if is_set)
