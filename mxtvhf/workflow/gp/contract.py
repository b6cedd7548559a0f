"""The REST contract of the partner's General Program (GP) pipeline and the parsing of its answers.

The contract has two requests (the project's founding document)::

    POST {base}/processing             {"apid": .., "target": .., "orbit": .., "mode": "GeneralProgram"}
                                       -> {"processing_descriptor": {"process_id": ".."}}
    GET  {base}/status?seqid=<process_id>   -> 200, with the job's state in the body

The real service's schema is not public. The following is ASSUMED, and this module is the only place to
change it: the names in ``STATE_WORDS``, the fields ``processing_descriptor.state`` and ``.message``, the
fields of ``GpResult``, that GP has not started an analysis if it answers 429, 503 or another 4xx, and that
``"result": null`` of a completed job means that GP found no source. ``docs/reference/gp.md`` lists them.

Errors that this module adds to the tree of ``mxtvhf.errors``::

    Failure
    ├── Retriable
    │   └── GpBusy           5xx, 429, 408 or no connection; may contain the time to wait
    ├── GpTimeout            the analysis takes longer than the time limit
    └── GpAnswerError        an answer that violates the contract (HTML, wrong types, redirect, ...)
        ├── GpUnknownJobError    404 on a status request: unknown process id
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
"""Longest accepted answer, bytes."""
KEPT_BODY = 65_536
"""Bytes of an unusable answer that an error keeps in ``body``."""
UNKNOWN_GRACE_S = 15.0
"""Seconds during which GP may answer that a started job is unknown, as while it restarts."""
REFERENCE_SERVICE = "reference"
"""Name of the reference GP in ``processing_descriptor.service``; the partner's GP does not use it."""
HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}
"""Headers of every request; compression is off so that the size limit applies to the memory used."""


class GpState(StrEnum):
    """The state of a GP job."""

    PENDING = "PENDING"
    """Accepted, not started."""
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    """Ended with a result: a position, or ``null`` if GP found no source."""
    FAILED = "FAILED"
    """Ended without a result; GP's message gives the reason."""

    @property
    def is_final(self) -> bool:
        """True if the state cannot change any more."""
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
    """Only for the reference GP: path of the event file to analyse."""

    @model_validator(mode="after")
    def _names_what_to_analyse(self) -> GpRequest:
        missing = [name for name in OBSERVATION_FIELDS if getattr(self, name) is None]
        if missing and (self.event_file is None or len(missing) < len(OBSERVATION_FIELDS)):
            raise ValueError(f"{', '.join(missing)} missing; give apid, target and orbit")
        return self

    @property
    def observation(self) -> Observation | None:
        """The observation; None if the request only names an event file."""
        if self.apid is None or self.target is None or self.orbit is None:
            return None
        return Observation(apid=self.apid, target=self.target, orbit=self.orbit)


NOT_ASKED = (
    "GP was not asked: no observation (apid, target, orbit) is known for burst {burst_id}; "
    "add it to inputs/observations.toml in the state folder, or pass it with the run"
)
"""The reason in the report if the observation of a burst is unknown."""
STATE_WORDS: dict[str, GpState] = {state.value: state for state in GpState}
"""State names of the service (upper case) and our states. ASSUMED."""


class GpBusy(Retriable):
    """GP is unreachable or temporarily cannot answer.

    Parameters
    ----------
    message
        Error message.
    retry_after
        Seconds to wait before the next request, as GP asked for; None if it did not.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class GpTimeout(Failure):
    """GP answers, but its analysis exceeds the time limit."""


class GpAnswerError(Failure):
    """An answer that violates the contract.

    Parameters
    ----------
    message
        Error message.
    body
        Body of the answer; the first ``KEPT_BODY`` bytes are kept.
    """

    def __init__(self, message: str, body: bytes = b"") -> None:
        super().__init__(message)
        self.body = body[:KEPT_BODY]


class GpUnknownJobError(GpAnswerError):
    """GP does not know the process id (404): the job was lost or is not visible yet."""


class GpStartUnknownError(GpAnswerError):
    """The request to start was sent, but the answer does not tell if GP has started the analysis."""


class WireModel(BaseModel):
    """A part of a GP answer; unknown fields are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class ProcessingDescriptor(WireModel):
    """Identifier and state of a job."""

    process_id: str = Field(pattern=r"^[!-~]{1,256}$")
    """GP's id of the job: 1 to 256 printable ASCII characters without blanks."""
    state: str | None = None
    """One of ``STATE_WORDS``; required in the answer to a status request."""
    message: str | None = None
    """Human-readable reason of a failure."""
    service: Any = None
    """``REFERENCE_SERVICE`` in answers of the reference GP; other values are not interpreted."""

    @field_validator("process_id", mode="before")
    @classmethod
    def _number_as_text(cls, value: Any) -> Any:
        """Accept a number, as from a service that counts its jobs."""
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class GpResult(WireModel):
    """Position of a completed job: ICRS degrees, 90 % radii in arcsec. ASSUMED."""

    ra_deg: RightAscension
    dec_deg: Declination
    r90_stat_arcsec: NonNegative
    r90_sys_arcsec: NonNegative
    data_stream: str | None = None
    """Downlink of the analysed data, ``XBand`` or ``VHF``. None means that GP may have used our photons, so
    that its position is not treated as independent."""

    def position(self, process_id: str, label: str = "analysis") -> Position:
        """Return the result as a position of the report; the radii are added in quadrature.

        Parameters
        ----------
        process_id
            GP's id of the job, for the position's reference.
        label
            Label of the position.
        """
        return Position(
            origin=Origin.GP,
            label=label,
            r90_arcsec=hypot(self.r90_stat_arcsec, self.r90_sys_arcsec),
            reference=f"GP process {process_id}",
            **self.model_dump(include=set(GpResult.model_fields)),
        )


class GpAnswer(WireModel):
    """The body of a valid GP answer."""

    processing_descriptor: ProcessingDescriptor
    result: GpResult | None = None


class GpStatus(Model):
    """The result of one status request."""

    process_id: str
    state: GpState
    message: str | None = None
    position: Position | None = None
    """None unless the state is COMPLETED and GP found a source."""
    is_reference: bool = False
    """True if the reference GP answered, whose position is not independent."""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer as received, independent of the HTTP library."""

    method: Literal["GET", "POST"]
    url: str
    """URL without credentials, since messages contain it."""
    status: int
    body: bytes
    """At most ``MAX_BODY + 1`` bytes; more than ``MAX_BODY`` means that the answer was cut."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Header fields by lower-case name."""


def checked_base_url(url: str) -> str:
    """Validate a base URL and return it without a trailing slash.

    Parameters
    ----------
    url
        The URL, ``http(s)://host[:port][/path]``.

    Raises
    ------
    InvalidInput
        The URL has another form, or contains credentials, a query or a fragment.
    """
    try:
        parts = urlsplit(url)
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError as error:
        raise InvalidInput(f"GP base URL {one_line(url, 200)!r}: {error}") from None
    if "@" in parts.netloc:
        raise InvalidInput(
            "GP base URL: contains credentials; set login and password of the connection instead"
        )
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_valid:
        raise InvalidInput(f"GP base URL {one_line(url, 200)!r}: expected http(s)://host[:port][/path]")
    if parts.query or parts.fragment:
        raise InvalidInput(f"GP base URL {one_line(url, 200)!r}: remove the query or fragment")
    return url.rstrip("/")


def started_job(answer: Answer) -> str:
    """Return the process id from the answer to ``POST {base}/processing``.

    Parameters
    ----------
    answer
        The HTTP answer.

    Raises
    ------
    GpBusy
        429 or 503: GP has not started; try again later.
    InvalidInput, GpAnswerError
        Another 4xx except 408: GP rejected the request.
    GpStartUnknownError
        Any other failure. A 500 or a redirect may follow a start, a 408, 502 or 504 may come from a gateway
        that timed out, and an unreadable 2xx answer belongs to a started job.
    """
    try:
        return read_answer(answer).processing_descriptor.process_id
    except (GpBusy, GpAnswerError) as error:
        if answer.status == 503 or (400 <= answer.status < 500 and answer.status != 408):
            raise
        raise GpStartUnknownError(str(error), answer.body) from None


def job_status(answer: Answer, process_id: str) -> GpStatus:
    """Return the status of a job from the answer to ``GET {base}/status``.

    Parameters
    ----------
    answer
        The HTTP answer.
    process_id
        Id of the job that was asked for.

    Raises
    ------
    GpUnknownJobError
        404: the job is unknown.
    GpAnswerError
        The answer is about another job, has an unknown state, or lacks the field ``result`` of a completed
        job.
    GpBusy, InvalidInput
        As in ``read_answer``.
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
            answer,
            f"unknown state {one_line(repr(descriptor.state), 200)}, expected {', '.join(STATE_WORDS)}",
        )
    # Only an explicit null means "no source found"; a missing field may have another name.
    if state is GpState.COMPLETED and result is None and "result" not in content.model_fields_set:
        _refuse(answer, f"process {process_id} is completed, but the field result is missing")
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
    """Validate an answer and return its content.

    Parameters
    ----------
    answer
        The HTTP answer.

    Raises
    ------
    GpBusy
        5xx, 429 or 408: try again later.
    InvalidInput
        400 or 422: GP rejected the request.
    GpAnswerError
        Another status than 2xx, or an answer that is too long, not JSON, or violates the contract.
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
    """Raise an error for every HTTP status except 2xx."""
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
        raise GpAnswerError(f"{message} (check the login and password of the connection)", answer.body)
    if 300 <= status < 400:
        raise GpAnswerError(
            f"{_asked(answer)}: GP answers {status}; redirects are not followed, so correct the base URL",
            answer.body,
        )
    raise GpAnswerError(message, answer.body)


def seconds_of_retry_after(text: str | None, now: datetime | None = None) -> float | None:
    """Return the delay that a ``Retry-After`` header asks for (RFC 9110, section 10.2.3), seconds.

    Parameters
    ----------
    text
        Value of the header; None if it is missing.
    now
        Current time; None for the clock's.

    Returns
    -------
    float or None
        None if the value is missing or invalid.
    """
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
    """Return the pause after consecutive failed polls, seconds.

    The pause starts at ``interval`` and doubles with each failure. It is at least ``retry_after``, at most
    ``longest``, and never below ``interval``.

    Parameters
    ----------
    failures
        Number of failed polls in a row.
    retry_after
        Pause that GP asked for, seconds; None if it did not.
    interval
        Pause between two polls while GP answers, seconds.
    longest
        Longest pause, seconds.
    """
    doubled = interval * 2.0 ** min(max(failures - 1, 0), 20)
    return max(interval, min(longest, max(doubled, retry_after or 0.0)))


def unreachable(cause: str) -> str:
    """Return the message for a missing connection to GP.

    Parameters
    ----------
    cause
        Cause in one line.
    """
    return f"GP cannot be reached ({cause}); check that it is running and that its address is correct"


def _asked(answer: Answer) -> str:
    return f"{answer.method} {answer.url}"


def _refuse(answer: Answer, cause: str) -> NoReturn:
    raise GpAnswerError(f"{_asked(answer)}: {cause}", answer.body)
