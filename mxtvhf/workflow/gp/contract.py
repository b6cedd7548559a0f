"""The REST contract of the partner's General Program (GP) pipeline, and how its answers are read.

The contract has two requests (the project's founding document)::

    POST {base}/processing             {"apid": .., "target": .., "orbit": .., "mode": "GeneralProgram"}
                                       -> {"processing_descriptor": {"process_id": ".."}}
    GET  {base}/status?seqid=<process_id>   -> 200, with the job's state in the body

ASSUMED, since the real service's words are not public, and exchangeable here only: the names in
``STATE_WORDS``, the field ``processing_descriptor.state`` and ``.message``, the fields of ``GpResult``,
that a start answered by 429, 503 or a refusal (4xx) has not happened, and that ``"result": null`` of a
completed job says that GP found no source. ``docs/reference/gp.md`` lists them.

Errors that this module adds to the tree of ``mxtvhf.errors``::

    Failure
    ├── Retriable
    │   └── GpBusy           5xx, 429, 408 or no connection; may name the moment to ask again
    ├── GpTimeout            GP works on the job for longer than we wait
    └── GpAnswerError        an answer that the contract does not know (HTML, wrong types, redirect, ...)
        ├── GpUnknownJobError    404 on a status request: GP does not know the process id
        └── GpStartUnknownError  no usable answer to the request to start: GP may or may not have started
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from math import hypot, isfinite
from typing import Annotated, Any, Literal, NoReturn
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from mxtvhf.errors import Failure, InvalidInput, Retriable
from mxtvhf.models.base import Model, NonNegative
from mxtvhf.models.position import Declination, Origin, Position, RightAscension
from mxtvhf.models.run_conf import (
    OBSERVATION_FIELDS,
    OBSERVATION_GIVEN,
    OBSERVATION_UNKNOWN,
    TEXT_PATTERN,
    Apid,
    Mode,
    Observation,
    Orbit,
    Target,
)
from mxtvhf.models.text import one_line

MAX_BODY = 1_000_000
"""Longest answer that is read, bytes; a longer one is refused."""
KEPT_BODY = 65_536
"""How much of an unusable answer an error keeps in ``body``, bytes."""
UNKNOWN_GRACE_S = 15.0
"""For how long GP may say that it does not know a job it has started, as while it restarts, seconds."""
REFERENCE_SERVICE = "reference"
"""What the reference service calls itself in ``processing_descriptor.service``; a partner's GP does not."""
HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}
"""Sent with every request; without compression the size limit holds for what is in memory."""


class GpState(StrEnum):
    """Where a GP job stands."""

    PENDING = "PENDING"
    """Accepted, not started."""
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    """Ended with a result: a position, or ``null`` where GP found no source."""
    FAILED = "FAILED"
    """Ended without one; GP's message says why."""

    @property
    def is_final(self) -> bool:
        """True when the state will not change any more."""
        return self in (GpState.COMPLETED, GpState.FAILED)


_EVENT_FILE_ONLY: dict[str, Any] = {
    "required": ["event_file"],
    "properties": OBSERVATION_UNKNOWN["properties"] | {"event_file": {"type": "string"}},
}
"""JSON schema of a request without an observation."""


class GpRequest(Model):
    """Body of ``POST {base}/processing`` of the General Program (GP) service."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [OBSERVATION_GIVEN, _EVENT_FILE_ONLY]})

    apid: Apid | None = None
    target: Target | None = None
    orbit: Orbit | None = None
    mode: Mode = "GeneralProgram"
    event_file: Annotated[str, StringConstraints(pattern=TEXT_PATTERN)] | None = None
    """Only for the reference GP service: the event file to analyse, as a path it can read."""

    @model_validator(mode="after")
    def _names_what_to_analyse(self) -> GpRequest:
        missing = [name for name in OBSERVATION_FIELDS if getattr(self, name) is None]
        if missing and (self.event_file is None or len(missing) < len(OBSERVATION_FIELDS)):
            raise ValueError(f"{', '.join(missing)} missing; an observation is apid, target and orbit")
        return self

    @property
    def observation(self) -> Observation | None:
        """Return the observation; None in a request that names an event file only."""
        if self.apid is None or self.target is None or self.orbit is None:
            return None
        return Observation(apid=self.apid, target=self.target, orbit=self.orbit)


NOT_ASKED = (
    "GP was not asked: no observation (apid, target, orbit) is known for burst {burst_id}; "
    "name it in inputs/observations.toml of the state folder, or with the run"
)
"""Why GP has no result for a burst whose observation is not known."""
STATE_WORDS: dict[str, GpState] = {state.value: state for state in GpState}
"""The words of the service (upper case) and what they mean to us. ASSUMED."""


class GpBusy(Retriable):
    """GP could not be reached or could not answer now; ``retry_after`` is its wish in seconds, if any."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class GpTimeout(Failure):
    """GP answers, but its analysis takes longer than we wait."""


class GpAnswerError(Failure):
    """An answer that is not by the contract; ``body`` keeps its first ``KEPT_BODY`` bytes."""

    def __init__(self, message: str, body: bytes = b"") -> None:
        super().__init__(message)
        self.body = body[:KEPT_BODY]


class GpUnknownJobError(GpAnswerError):
    """GP does not know the process id (404): it forgot the job, or does not show it yet."""


class GpStartUnknownError(GpAnswerError):
    """The request to start was sent, but there is no usable answer: GP may or may not have started."""


class WireModel(BaseModel):
    """A part of a GP answer. Fields that we do not know are the partner's business and ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class ProcessingDescriptor(WireModel):
    """Who and where a job is."""

    process_id: str = Field(pattern=r"^[!-~]{1,256}$")
    """GP's name of the job: 1 to 256 printable ASCII characters without blanks."""
    state: str | None = None
    """One of ``STATE_WORDS``; needed in the answer to a status request."""
    message: str | None = None
    """For a person: why the job failed."""
    service: Any = None
    """``REFERENCE_SERVICE`` in the answers of the reference service; all else is the partner's business."""

    @field_validator("process_id", mode="before")
    @classmethod
    def _number_as_text(cls, value: Any) -> Any:
        """Accept a number: a service may well count its jobs."""
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class GpResult(WireModel):
    """Position of a completed job: ICRS degrees, 90 % radii in arcsec. ASSUMED."""

    ra_deg: RightAscension
    dec_deg: Declination
    r90_stat_arcsec: NonNegative
    r90_sys_arcsec: NonNegative
    data_stream: str | None = None
    """``XBand`` or ``VHF``: how the analysed data came to the ground. Without it GP's position may share our
    photons, and does not count as an independent one."""

    def position(self, process_id: str, label: str = "analysis") -> Position:
        """Return it as a position of the report; the total radius is the sum in quadrature."""
        return Position(
            origin=Origin.GP,
            label=label,
            r90_arcsec=hypot(self.r90_stat_arcsec, self.r90_sys_arcsec),
            reference=f"GP process {process_id}",
            **self.model_dump(include=set(GpResult.model_fields)),
        )


class GpAnswer(WireModel):
    """Body of every good answer of GP."""

    processing_descriptor: ProcessingDescriptor
    result: GpResult | None = None


class GpStatus(Model):
    """What one status request told."""

    process_id: str
    state: GpState
    message: str | None = None
    position: Position | None = None
    """Set if the state is COMPLETED, unless GP found no source."""
    is_reference: bool = False
    """True when the reference service answered, whose position is no independent one."""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer as it came, whoever fetched it."""

    method: Literal["GET", "POST"]
    url: str
    """Without credentials: it goes into messages."""
    status: int
    body: bytes
    """At most ``MAX_BODY + 1`` bytes; one more than the limit says that there was more."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """With lower-case names."""


def checked_base_url(url: str) -> str:
    """Return a base URL without a slash at its end.

    Raises
    ------
    InvalidInput
        Not ``http(s)://host[:port][/path]``, or with credentials, query or fragment in it.
    """
    try:
        parts = urlsplit(url)
        port_is_sound = parts.port is None or parts.port > 0
    except ValueError as error:
        raise InvalidInput(f"GP base URL {one_line(url, 200)!r}: {error}") from None
    if "@" in parts.netloc:
        raise InvalidInput("GP base URL: credentials do not belong into the URL")
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_sound:
        raise InvalidInput(f"GP base URL {one_line(url, 200)!r}: want http(s)://host[:port][/path]")
    if parts.query or parts.fragment:
        raise InvalidInput(f"GP base URL {one_line(url, 200)!r}: has a query or a fragment")
    return url.rstrip("/")


def started_job(answer: Answer) -> str:
    """Return the process id from the answer to ``POST {base}/processing``.

    Raises
    ------
    GpBusy
        429, 503: GP has not started, ask again later.
    InvalidInput, GpAnswerError
        Another 4xx but 408: GP refuses.
    GpStartUnknownError
        Everything else. A 500 or a redirect may come after the start, a 408, 502 or 504 from a gateway
        that gave up waiting for it, and a good answer that cannot be read is of a job.
    """
    try:
        return read_answer(answer).processing_descriptor.process_id
    except (GpBusy, GpAnswerError) as error:
        if answer.status == 503 or (400 <= answer.status < 500 and answer.status != 408):
            raise
        raise GpStartUnknownError(str(error), answer.body) from None


def job_status(answer: Answer, process_id: str) -> GpStatus:
    """Return the state of a job from the answer to ``GET {base}/status``.

    Raises
    ------
    GpUnknownJobError
        404.
    GpAnswerError
        Another job's status, an unknown state word, or a completed job without the field ``result``.
    GpBusy, InvalidInput, Failure
        As ``read_answer``.
    """
    if answer.status == 404:
        raise GpUnknownJobError(f"{_asked(answer)}: GP does not know process {process_id} (404)", answer.body)
    content = read_answer(answer)
    descriptor, result = content.processing_descriptor, content.result
    if descriptor.process_id != process_id:
        _refuse(answer, f"answer about process {descriptor.process_id}, asked for {process_id}")
    state = STATE_WORDS.get((descriptor.state or "").strip().upper())
    if state is None:
        _refuse(
            answer, f"unknown state {one_line(repr(descriptor.state), 200)}, want {', '.join(STATE_WORDS)}"
        )
    # Only an explicit null says that GP found nothing: a missing field may have another name.
    if state is GpState.COMPLETED and result is None and "result" not in content.model_fields_set:
        _refuse(answer, f"process {process_id} is completed, but there is no result")
    is_reference = descriptor.service == REFERENCE_SERVICE
    label = "reference service" if is_reference else "analysis"
    return GpStatus(
        process_id=process_id,
        state=state,
        message=one_line(descriptor.message, 500) if descriptor.message else None,
        position=result.position(process_id, label) if result and state is GpState.COMPLETED else None,
        is_reference=is_reference,
    )


def read_answer(answer: Answer) -> GpAnswer:
    """Check an answer and return its content.

    Raises
    ------
    GpBusy
        5xx, 429, 408: ask again later.
    InvalidInput
        400, 422: GP refuses what was asked.
    GpAnswerError
        Any other status than 2xx, too long, not JSON, or not the contract's fields.
    """
    _check_http_status(answer)
    if len(answer.body) > MAX_BODY:
        _refuse(answer, f"answer is longer than {MAX_BODY} bytes")
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        _refuse(answer, f"answer is {one_line(kind, 200) or 'without content type'}, not JSON")
    if not answer.body.strip():
        _refuse(answer, "answer is empty")
    try:
        content = json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        _refuse(answer, f"answer is not JSON ({one_line(error, 200)})")
    if not isinstance(content, dict):
        _refuse(answer, f"answer is a JSON {type(content).__name__}, not an object")
    try:
        return GpAnswer.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        _refuse(answer, f"answer's field {where}: {first['msg']}")


def _check_http_status(answer: Answer) -> None:
    """Turn every HTTP status but 2xx into an error."""
    status = answer.status
    if 200 <= status < 300:
        return
    said = one_line(answer.body[:2000].decode("utf-8", "replace"), 200)
    message = f"{_asked(answer)}: GP answers {status}" + (f": {said}" if said else "")
    if status >= 500 or status in (408, 429):
        raise GpBusy(message, seconds_of_retry_after(answer.headers.get("retry-after")))
    if status in (400, 422):
        raise InvalidInput(message)
    if status in (401, 403):
        raise GpAnswerError(f"{message} (check login and password of the connection)", answer.body)
    if 300 <= status < 400:
        raise GpAnswerError(f"{_asked(answer)}: GP answers {status}, redirects are not followed", answer.body)
    raise GpAnswerError(message, answer.body)


def seconds_of_retry_after(text: str | None, now: datetime | None = None) -> float | None:
    """Return the seconds that a ``Retry-After`` header (RFC 9110, 10.2.3) asks for, None if it is none."""
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return None
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = (aware - (now or datetime.now(UTC))).total_seconds()
    return max(0.0, seconds) if isfinite(seconds) else None


def pause_after_failures(
    failures: int, retry_after: float | None, interval: float, longest: float = 60.0
) -> float:
    """Return how long to wait after the n-th failed poll in a row, seconds.

    Doubles from ``interval`` on, never less than GP's own wish, never more than ``longest`` (but not
    less than ``interval`` either).
    """
    doubled = interval * 2.0 ** min(max(failures - 1, 0), 20)
    return max(interval, min(longest, max(doubled, retry_after or 0.0)))


def unreachable(cause: str) -> str:
    """Say that there is no connection to GP, and what to do."""
    return f"GP cannot be reached ({cause}); check that it runs and that its address is right"


def _asked(answer: Answer) -> str:
    return f"{answer.method} {answer.url}"


def _refuse(answer: Answer, cause: str) -> NoReturn:
    raise GpAnswerError(f"{_asked(answer)}: {cause}", answer.body)
