"""The pages of the Burst Advocate's desk below ``/mxtvhf/desk``, behind Airflow's login.

``app.create_app`` mounts them and checks on every route that the user may read runs. ``mxtvhf.desk`` renders
the pages, and this module collects their content. Heavy imports are inside the functions, because the API
server would otherwise start later.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import quote

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import APIRouter, Depends, HTTPException, Path, Query, Request, Response
from fastapi.responses import FileResponse, RedirectResponse
from pydantic import AwareDatetime, BaseModel, Field

from mxtvhf.archive.archive import Archive
from mxtvhf.archive.products import product_folder
from mxtvhf.desk.comments import CommentText
from mxtvhf.desk.decision import answer_address
from mxtvhf.desk.policy import ALADIN_HEADERS, HEADERS
from mxtvhf.errors import InvalidInput
from mxtvhf.models.base import Model
from mxtvhf.models.files import sha256_of
from mxtvhf.models.ids import BURST_ID_PATTERN, RunKind
from mxtvhf.models.position import BEST
from mxtvhf.models.text import one_line
from mxtvhf.models.times import utc_text
from mxtvhf.settings import Settings
from mxtvhf.workflow.airflow_api import DECISION_DAG_ID
from mxtvhf.workflow.runs import AirflowState
from mxtvhf_airflow.addresses import PREFIX, web_address
from mxtvhf_airflow.dag_runs import failures, find_run, latest_runs, questions
from mxtvhf_airflow.web.rest import RUN_ID_PATTERN, RUNS_LOOKED_AT

if TYPE_CHECKING:
    from airflow.api_fastapi.auth.managers.models.base_user import BaseUser

    from mxtvhf.desk.burst_list import BurstLine
    from mxtvhf.desk.burst_page import BurstPage
    from mxtvhf.desk.render import Viewer
    from mxtvhf.reporting.announcement.deliveries import Channels

STATIC = FilePath(str(files("mxtvhf.desk") / "static"))
router = APIRouter(prefix="/desk", include_in_schema=False)


def _checked_advocate(user: GetUserDep, request: Request) -> None:
    """Reject users who may not answer the question about a burst, and forms of other sites.

    A browser sends the form of any site with the cookies of this site, but never as JSON.
    """
    if not _viewer(user).may_decide:
        raise HTTPException(403, f"{user.get_name()} is not allowed to decide about announcements")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "wrong Content-Type; expected application/json")


may_decide = Depends(_checked_advocate)


class EventForm(BaseModel):
    """The form with the name of an event."""

    name: str


class SubmissionForm(BaseModel):
    """The form with the number of the GCN Circular about an announcement."""

    run: Annotated[str, Field(pattern=RUN_ID_PATTERN)]
    """Run id of the announcement."""
    circular: Annotated[int, Field(ge=1)]


class ChangeForm(BaseModel):
    """The form of a correction or retraction of an announcement."""

    action: Literal["correct", "retract"]
    about: Annotated[str, Field(max_length=200)]
    """Ivorn of the announcement that was current when the user decided."""
    reason: Annotated[str, Field(min_length=1, max_length=2000)]
    run: Annotated[str, Field(pattern=RUN_ID_PATTERN)] | None = None
    """Run of the report to announce; only for a correction."""
    report: Annotated[str, Field(max_length=64)] | None = None
    """Digest of the report that the user read; only for a correction."""
    position: Annotated[str, Field(max_length=200)] | None = None


BurstId = Annotated[str, Path(pattern=BURST_ID_PATTERN)]
SHIFT = timedelta(hours=12)
"""Default length of the period covered by the hand-over."""


class NewComment(BaseModel):
    """The form of a new comment."""

    text: CommentText


RunId = Annotated[
    str | None,
    Query(pattern=RUN_ID_PATTERN, description="Run of the burst; default: the newest one with a report"),
]


@router.get("")
def bursts(request: Request, session: SessionDep, user: GetUserDep) -> Response:
    """Return the list of bursts."""
    from mxtvhf.desk.duty import duty_box
    from mxtvhf.desk.render import render_list
    from mxtvhf.desk.unreadable import UnreadableInputs

    settings = _settings(request)
    unread = len(UnreadableInputs(Archive(settings.archive), settings.desk_records).open())
    lines, duty = _list_lines(settings, session), duty_box(settings, now=datetime.now(UTC))
    html = render_list(lines, quarantined=unread, base=_base(request), viewer=_viewer(user), duty=duty)
    return _page(request, html)


@router.get("/static/{name}")
def static(name: str) -> FileResponse:
    """Return a style sheet or script of the pages."""
    path = STATIC / name
    if path.parent != STATIC or not path.is_file():
        raise HTTPException(404, f"file {name!r} not found")
    return FileResponse(
        path, headers={"X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-cache"}
    )


@router.get("/runs/{run_id}")
def of_run(
    run_id: Annotated[str, Path(pattern=RUN_ID_PATTERN)], request: Request, session: SessionDep
) -> Response:
    """Redirect to the page of the burst of a run, because Airflow's own pages know only the run."""
    found = find_run(run_id, session)
    if found is None or found[0].burst_id is None:
        raise HTTPException(404, f"run {run_id} not found, or without a burst")
    return RedirectResponse(f"{_base(request)}/desk/{found[0].burst_id}?run={quote(run_id, safe='')}")


@router.get("/handover")
def handover(
    request: Request,
    session: SessionDep,
    user: GetUserDep,
    since: Annotated[
        AwareDatetime | None, Query(description="ISO 8601 with zone; default: 12 hours ago")
    ] = None,
) -> Response:
    """Return the hand-over of a shift."""
    from mxtvhf.desk.files import DeskFiles
    from mxtvhf.desk.handover import handover as of_shift
    from mxtvhf.desk.render import render_handover

    settings, now = _settings(request), datetime.now(UTC)
    shift = of_shift(
        _list_lines(settings, session), DeskFiles(settings), since=since or now - SHIFT, until=now
    )
    return _page(request, render_handover(shift, base=_base(request), viewer=_viewer(user)))


@router.get("/statistics")
def statistics(
    request: Request, session: SessionDep, user: GetUserDep, kind: RunKind = RunKind.LIVE
) -> Response:
    """Return the statistics of runs of one kind."""
    from mxtvhf.desk.files import DeskFiles
    from mxtvhf.desk.render import render_statistics
    from mxtvhf.desk.statistics import months

    runs = latest_runs(session, burst_id=None, limit=RUNS_LOOKED_AT)
    every = months(runs, DeskFiles(_settings(request)), kind)
    return _page(request, render_statistics(every, kind, base=_base(request), viewer=_viewer(user)))


@router.get("/unreadable")
def unreadable(request: Request, user: GetUserDep) -> Response:
    """Return the unreadable inputs that nobody has dismissed."""
    from mxtvhf.desk.render import render_unreadable
    from mxtvhf.desk.unreadable import UnreadableInputs

    settings = _settings(request)
    notes = UnreadableInputs(Archive(settings.archive), settings.desk_records).open()
    return _page(request, render_unreadable(notes, base=_base(request), viewer=_viewer(user)))


@router.post("/unreadable/{sha256}", status_code=204, dependencies=[may_decide])
def dismiss(
    sha256: Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")], request: Request, user: GetUserDep
) -> None:
    """Remove an unreadable input from the list. It stays in the quarantine."""
    from mxtvhf.desk.unreadable import UnreadableInputs

    settings = _settings(request)
    try:
        UnreadableInputs(Archive(settings.archive), settings.desk_records).dismiss(
            sha256, by=user.get_name(), now=datetime.now(UTC)
        )
    except InvalidInput as error:
        raise HTTPException(404, str(error)) from error


@router.get("/{burst_id}")
def burst(
    burst_id: BurstId, request: Request, session: SessionDep, user: GetUserDep, run: RunId = None
) -> Response:
    """Return the page of a burst."""
    from mxtvhf.desk.duty import duty_box
    from mxtvhf.desk.render import render_burst
    from mxtvhf.models.ids import RunKind

    page = _burst(burst_id, run, request, session)
    duty = duty_box(
        _settings(request), now=datetime.now(UTC), burst_id=burst_id, is_test=page.kind is RunKind.TEST
    )
    return _page(request, render_burst(page, base=_base(request), viewer=_viewer(user), duty=duty))


class AcknowledgementRequest(Model):
    """The request sent by the button "I have it"."""

    subject: str
    """Subject of the burst or of its tests in the ledger of notifications."""
    instead_of: str | None = None
    """Person who had acknowledged the burst according to the page; None if nobody had."""


@router.post("/{burst_id}/acknowledge", dependencies=[may_decide])
def acknowledge(
    burst_id: BurstId, body: AcknowledgementRequest, request: Request, user: GetUserDep
) -> dict[str, str]:
    """Record that the user acknowledges a burst, which ends the escalation; 409 if another person did."""
    from mxtvhf.notification.burst_events import subject_of
    from mxtvhf.notification.ledger import Ledger

    now = datetime.now(UTC)
    if body.subject not in (subject_of(burst_id, is_test=False), subject_of(burst_id, is_test=True)):
        raise HTTPException(422, f"subject {body.subject!r} does not belong to {burst_id}")
    ledger = Ledger(_settings(request).notifications)
    try:
        kept = ledger.acknowledge(body.subject, user.get_name(), instead_of=body.instead_of, now=now)
    except InvalidInput as error:
        raise HTTPException(409, str(error)) from None
    return {"by": kept.by, "time": utc_text(kept.time)}


@router.get("/{burst_id}/aladin")
def aladin(burst_id: BurstId, request: Request, session: SessionDep, run: RunId = None) -> Response:
    """Return the frame with Aladin Lite."""
    from mxtvhf.desk.render import render_aladin

    page = _burst(burst_id, run, request, session)
    if page.sky is None:
        raise HTTPException(404, f"no position of {burst_id} available")
    return _page(request, render_aladin(page, base=_base(request)), ALADIN_HEADERS)


@router.get("/{burst_id}/products.zip")
def products(burst_id: BurstId, request: Request, session: SessionDep, run: RunId = None) -> Response:
    """Return the report and the products of a run as a zip file."""
    from mxtvhf.desk.download import zipped

    page = _burst(burst_id, run, request, session)
    if page.report is None:
        raise HTTPException(404, f"no report of {burst_id} available")
    folder = product_folder(_settings(request).products, burst_id, page.report.run_id)
    name = f'attachment; filename="{folder.name}.zip"'
    return Response(
        zipped(folder, page.report), media_type="application/zip", headers={"Content-Disposition": name}
    )


@router.get("/{burst_id}/followup/{name}")
def followup(
    burst_id: BurstId, name: str, request: Request, session: SessionDep, run: RunId = None
) -> Response:
    """Return a file for observers, which is made on demand from the report of a run."""
    from mxtvhf.followup.observatories import observatories
    from mxtvhf.reporting.report.followup_files import FOLLOWUP_FILES, followup_file

    settings, page = _settings(request), _burst(burst_id, run, request, session)
    if page.report is None or name not in FOLLOWUP_FILES:
        raise HTTPException(404, f"no file {name!r} of {burst_id} available")
    try:
        telescopes = observatories(settings.observatories)
        content = followup_file(page.report, name, datetime.now(UTC), of=telescopes)
    except InvalidInput as error:
        raise HTTPException(404, one_line(error)) from None
    headers = HEADERS | {"Content-Disposition": f'attachment; filename="{burst_id}_{name}"'}
    return Response(content, media_type=FOLLOWUP_FILES[name], headers=headers)


@router.get("/{burst_id}/release/{name}")
def release(
    burst_id: BurstId, name: str, run: Annotated[str, Query(pattern=RUN_ID_PATTERN)], request: Request
) -> FileResponse:
    """Return a file of an announcement."""
    folder = product_folder(_settings(request).releases, burst_id, run)
    path = folder / name
    if path.parent != folder or not path.is_file():
        raise HTTPException(404, f"no file {name!r} in the announcement of {run}")
    return FileResponse(path, headers=HEADERS, filename=name)


@router.post("/{burst_id}/comments", status_code=201, dependencies=[may_decide])
def comment(burst_id: BurstId, new: NewComment, request: Request, user: GetUserDep) -> None:
    """Add a comment of the user about a burst."""
    from mxtvhf.desk.files import DeskFiles

    files = DeskFiles(_settings(request))
    if not files.archive.has(burst_id):
        raise HTTPException(404, f"unknown burst {burst_id}")
    try:
        files.comments.add(burst_id, new.text, author=user.get_name(), now=datetime.now(UTC))
    except InvalidInput as error:
        raise HTTPException(422, str(error)) from None


class Answer(Model):
    """An answer to the question about a run in the form of Airflow's API."""

    chosen_options: list[str]
    params_input: dict[str, str | None]
    """Fields of the form; ``report`` is the digest of the report that the user read."""


@router.patch("/{burst_id}/answer", dependencies=[may_decide])
def answer(
    burst_id: BurstId,
    run: Annotated[str, Query(pattern=RUN_ID_PATTERN)],
    given: Answer,
    request: Request,
    session: SessionDep,
) -> Response:
    """Redirect an answer about the newest report to Airflow's API; else return 409 with the reason."""
    decision = _burst(burst_id, run, request, session).decision
    objection = decision.objection(given.params_input.get("report")) if decision else "No decision is open."
    if objection:
        raise HTTPException(409, objection)
    # With 307 the browser repeats the same request at the new address.
    return RedirectResponse(answer_address(_base(request).removesuffix(PREFIX), run), 307)


@router.post("/{burst_id}/event", dependencies=[may_decide], status_code=204)
def name_event(burst_id: BurstId, named: EventForm, request: Request, user: GetUserDep) -> None:
    """Record the event name of a burst."""
    from mxtvhf.reporting.announcement import submission

    with _refusals():
        submission.name_event(
            _settings(request).releases, burst_id, named.name, by=user.get_name(), at=datetime.now(UTC)
        )


@router.post("/{burst_id}/submission", dependencies=[may_decide], status_code=204)
def record_submission(burst_id: BurstId, given: SubmissionForm, request: Request, user: GetUserDep) -> None:
    """Record the number of the GCN Circular about an announcement and publish it as a message."""
    from mxtvhf.reporting.announcement import submission

    settings = _settings(request)
    folder = product_folder(settings.releases, burst_id, given.run)
    with _refusals():
        submission.record_submission(folder, given.circular, by=user.get_name(), at=datetime.now(UTC))
        submission.send_submission(folder, settings.outbox if settings.nats_url else None)


@router.post("/{burst_id}/change", dependencies=[may_decide], status_code=204)
def change(burst_id: BurstId, given: ChangeForm, request: Request, user: GetUserDep) -> None:
    """Correct or retract the current announcement."""
    from mxtvhf.desk.files import DeskFiles
    from mxtvhf.reporting.announcement.change import change as change_announcement
    from mxtvhf.reporting.announcement.model import Decision

    settings, now = _settings(request), datetime.now(UTC)
    files = DeskFiles(settings)
    read = files.digested_report(burst_id, given.run) if given.run and given.action == "correct" else None
    if given.action == "correct" and (read is None or read[1] != given.report):
        raise HTTPException(409, f"{burst_id}: a newer result is available; reload the page")
    is_test = any(out.is_test for _, out, _ in files.announced(burst_id) if out.ivorn == given.about)
    retraction = Archive(settings.archive).retraction(burst_id, is_test=is_test)
    with _refusals():
        change_announcement(
            Decision(
                run_id=given.run or "",
                burst_id=burst_id,
                choice="approve",
                action=given.action,
                position=None if given.position == BEST else given.position,
                comment=given.reason,
                decided_by=user.get_name(),
                decided_at=now,
            ),
            about=given.about,
            report=read[0] if read else None,
            releases=settings.releases,
            channels=_channels(settings),
            now=now,
            retracted_by=retraction.ivorn if retraction else None,
            desk_url=web_address(f"/desk/{burst_id}"),
            texts=settings.announcement,
        )


@router.post("/{burst_id}/resume", dependencies=[may_decide], status_code=204)
def resume(burst_id: BurstId, request: Request) -> None:
    """Resume an interrupted correction or retraction."""
    from mxtvhf.reporting.announcement.change import resume as resume_change

    settings = _settings(request)
    with _refusals():
        resume_change(
            settings.releases / burst_id, _channels(settings), desk_url=web_address(f"/desk/{burst_id}")
        )


@contextmanager
def _refusals() -> Iterator[None]:
    """Convert rejected requests into answers 409 with the reason."""
    try:
        yield
    except InvalidInput as error:
        raise HTTPException(409, one_line(error)) from None


def _channels(settings: Settings) -> Channels:
    from mxtvhf.reporting.announcement.deliveries import Channels

    return Channels(outbox=settings.outbox if settings.nats_url else None, webhook=settings.webhook_file)


def _burst(burst_id: str, run_id: str | None, request: Request, session: SessionDep) -> BurstPage:
    from mxtvhf.desk.burst_page import burst_page
    from mxtvhf.desk.files import DeskFiles
    from mxtvhf.desk.shown_run import shown_run

    runs = latest_runs(session, burst_id=burst_id, limit=RUNS_LOOKED_AT)
    files = DeskFiles(_settings(request))
    chosen = run_id or next((run.run_id for run in (shown_run(runs, files),) if run), None)
    if run_id is not None and run_id not in {run.run_id for run in runs}:
        raise HTTPException(404, f"no run {run_id} of {burst_id} found")
    found = find_run(chosen, session) if chosen else None
    page = burst_page(
        burst_id,
        runs,
        found[0] if found else None,
        {question.run_id: question for question in questions(session, [run.run_id for run in runs])},
        files,
        airflow=_base(request).removesuffix(PREFIX),
        now=datetime.now(UTC),
    )
    if page is None:
        raise HTTPException(404, f"unknown burst {burst_id}")
    return page


def _list_lines(settings: Settings, session: SessionDep) -> list[BurstLine]:
    from mxtvhf.desk.burst_list import burst_lines
    from mxtvhf.desk.files import DeskFiles
    from mxtvhf.intake.open_bursts import OpenBursts

    opened = OpenBursts(settings.archive).all().items()
    asked = questions(session, just_answered=True)
    runs = latest_runs(session, burst_id=None, limit=RUNS_LOOKED_AT)
    return burst_lines(
        runs,
        {burst_id: datetime.fromtimestamp(at / 1e9, UTC) for burst_id, at in opened},
        {question.run_id for question in asked if question.is_open},
        DeskFiles(settings),
        answers={one.run_id: one.standing_answer for one in asked if one.standing_answer},
        failures=failures(session, [run.run_id for run in runs if run.state is AirflowState.FAILED]),
    )


def _viewer(user: BaseUser) -> Viewer:
    from mxtvhf.desk.render import Viewer

    may_decide = get_auth_manager().is_authorized_dag(
        method="PUT",
        access_entity=DagAccessEntity.HITL_DETAIL,
        details=DagDetails(id=DECISION_DAG_ID),
        user=user,
    )
    return Viewer(name=user.get_name(), may_decide=may_decide)


def _page(request: Request, html: str, headers: dict[str, str] = HEADERS) -> Response:
    """Return a page, or 304 if the browser has the same content."""
    content = html.encode()
    tag = f'"{sha256_of(content)[:32]}"'
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={**headers, "ETag": tag})
    return Response(content, media_type="text/html; charset=utf-8", headers={**headers, "ETag": tag})


def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


def _base(request: Request) -> str:
    return str(request.scope.get("root_path", ""))
