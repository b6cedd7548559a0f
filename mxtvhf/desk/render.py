"""Render the pages of the desk as HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from urllib.parse import quote

from jinja2 import Environment, PackageLoader
from markupsafe import Markup

from mxtvhf import __version__
from mxtvhf.archive.archive import QuarantineNote
from mxtvhf.desk.burst_list import BurstLine, list_sections
from mxtvhf.desk.burst_page import BurstPage
from mxtvhf.desk.comments import MAX_COMMENT
from mxtvhf.desk.duty import DutyBox
from mxtvhf.desk.followup import UNFOLDED
from mxtvhf.desk.handover import Handover, announcement_text
from mxtvhf.desk.notice_result import snr_text
from mxtvhf.desk.sky_view import origin_word
from mxtvhf.desk.states import State
from mxtvhf.desk.statistics import Month, statistics_charts
from mxtvhf.models.galactic import galactic_text
from mxtvhf.models.ids import RunKind
from mxtvhf.reporting.report.figures import figure_path
from mxtvhf.reporting.report.followup_files import FOLLOWUP_FILES
from mxtvhf.reporting.report.page import page_environment
from mxtvhf.reporting.report.plots import detector_frame
from mxtvhf.workflow.runs import Run

LIST_REFRESH_S = 5

ERRORS = {403: "Not allowed", 404: "Not found", 422: "Invalid address"}
"""HTTP status -> title of the error page."""

ALADIN = "https://aladin.cds.unistra.fr/AladinLite/api/v3/latest/aladin.js"
"""Aladin Lite v3 of the CDS, loaded only on request."""


@dataclass(frozen=True)
class Viewer:
    """Person who views a page."""

    name: str
    """Login name."""
    may_decide: bool
    """True if Airflow accepts their answer to the question about a burst."""


def render_list(
    lines: Sequence[BurstLine],
    *,
    quarantined: int,
    base: str,
    viewer: Viewer | None = None,
    duty: DutyBox | None = None,
    now: datetime | None = None,
) -> str:
    """Render the list of bursts.

    Parameters
    ----------
    lines
        Lines from `burst_lines`.
    quarantined
        Number of unreadable inputs.
    base
        Path of the app, e.g. ``/mxtvhf``.
    viewer
        Person who views the page; None if unknown.
    duty
        Content of the duty box; None if no notifications are configured.
    now
        Time of the page, UTC; None for the current time.
    """
    template = _environment().get_template("list.html.j2")
    return template.render(
        sections=list_sections(lines, now or datetime.now(UTC)),
        total=len(lines),
        open_decisions=sum(line.state is State.AWAITING_DECISION for line in lines),
        quarantined=quarantined,
        base=base,
        viewer=viewer,
        duty=duty,
        refresh_s=LIST_REFRESH_S,
    )


def render_burst(
    page: BurstPage, *, base: str, viewer: Viewer | None = None, duty: DutyBox | None = None
) -> str:
    """Render the page of a burst; arguments as in `render_list`. Without a viewer, everybody may decide."""
    return (
        _environment()
        .get_template("burst.html.j2")
        .render(
            page=page,
            base=base,
            viewer=viewer,
            duty=duty,
            run_files=_run_files(page, base),
            refresh_s=page.refresh_s,
        )
    )


def render_handover(shift: Handover, *, base: str, viewer: Viewer | None = None) -> str:
    """Render the hand-over of a shift; arguments as in `render_list`."""
    template = _environment().get_template("handover.html.j2")
    return template.render(shift=shift, base=base, viewer=viewer, refresh_s=0)


def render_statistics(
    every: Sequence[Month], kind: RunKind, *, base: str, viewer: Viewer | None = None
) -> str:
    """Render the statistics of the runs of a kind by month; arguments as in `render_list`."""
    template = _environment().get_template("statistics.html.j2")
    charts = statistics_charts(every)
    return template.render(
        months=every, charts=charts, kind=kind, kinds=list(RunKind), base=base, viewer=viewer, refresh_s=0
    )


def render_unreadable(notes: Sequence[QuarantineNote], *, base: str, viewer: Viewer | None = None) -> str:
    """Render the list of unreadable inputs; arguments as in `render_list`."""
    template = _environment().get_template("unreadable.html.j2")
    return template.render(notes=notes, base=base, viewer=viewer, refresh_s=LIST_REFRESH_S)


def render_aladin(page: BurstPage, *, base: str) -> str:
    """Render the frame with Aladin Lite and the overlays of the sky view; ``base`` as in `render_list`."""
    return _environment().get_template("aladin.html.j2").render(page=page, base=base, aladin=ALADIN)


def render_error(status: int, detail: str, *, base: str) -> str:
    """Render an error page.

    Parameters
    ----------
    status
        HTTP status.
    detail
        Reason in one line.
    base
        As in `render_list`.
    """
    title = ERRORS.get(status, f"Error {status}")
    template = _environment().get_template("error.html.j2")
    return template.render(title=title, detail=detail, base=base, viewer=None, refresh_s=0)


def render_no_report(run_id: str, run: Run | None, *, base: str, airflow: str) -> str:
    """Render the page of a run without a report, with the reason.

    Parameters
    ----------
    run_id
        Run id of the request.
    run
        The run with its problems; None if the id is unknown.
    base
        As in `render_list`.
    airflow
        Path of Airflow's root, often empty.
    """
    template = _environment().get_template("no_report.html.j2")
    return template.render(run_id=run_id, run=run, base=base, airflow=airflow, viewer=None, refresh_s=0)


def _run_files(page: BurstPage, base: str) -> str:
    return f"{base}/runs/{quote(page.run.run_id, safe='')}" if page.run else base


# Of a thousand lines, only few change between two requests.
@lru_cache(maxsize=4096)
def _row(line: BurstLine, base: str) -> Markup:
    return Markup(_environment().get_template("row.html.j2").render(line=line, base=base))  # noqa: S704  escaped


@cache
def _environment() -> Environment:
    environment = page_environment(PackageLoader("mxtvhf.desk"))
    environment.filters |= {
        "figure_path": figure_path,
        "galactic": lambda position: galactic_text(position.ra_deg, position.dec_deg),
        "origin_word": origin_word,
        "row": _row,
        "snr": snr_text,
        "short_run": lambda run_id, burst_id: run_id.removeprefix(f"{burst_id}__"),
    }
    environment.globals |= {
        "version": __version__,
        "detector_frame": detector_frame(),
        "max_comment": MAX_COMMENT,
        "followup_files": FOLLOWUP_FILES,
        "unfolded_telescopes": UNFOLDED,
        "announcement_text": announcement_text,
    }
    environment.tests["is_step"] = lambda name: name.endswith(("_started", "_ended"))
    return environment
