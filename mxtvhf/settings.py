"""Settings of an installation, from environment variables with the prefix ``MXTVHF_``.

Read with `read_settings` at the edges only (command line, operators, services); the science never looks here.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from mxtvhf.errors import SeveralFaults
from mxtvhf.models.addresses import HostPort, HttpUrl
from mxtvhf.models.base import Model
from mxtvhf.models.text import is_utf8
from mxtvhf.models.toml import fault_cause

PREFIX = "MXTVHF_"
LONGEST_DAYS = 36_500
"""A hundred years, days: longer spans are mistakes, and a date so long ago cannot be computed."""
LONGEST_S = 86_400.0 * LONGEST_DAYS

Role = Literal["viewer", "robot", "user", "op", "admin"]
"""Roles of users of the web UI and the REST API; each has the rights of those before it
(docs/explanation/security.md)."""

ADMIN = "admin"
"""The user with all rights, in every installation."""

EventKind = Literal["live", "test", "drill"]
"""A drill is a test that wakes people on purpose; replays are no events."""

NotifiedEvent = Literal[
    "first_notice",
    "first_position",
    "decision_wanted",
    "result_changed",
    "retraction",
    "run_failed",
    "intake_silent",
]
"""What people are notified of by rules."""

Line = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,1000}$", strip_whitespace=True)]
"""Text on one line."""

UserName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")]


def _from_json(value: Any) -> Any:
    """Return what the JSON of an environment variable holds; a value from elsewhere stays as it is.

    Raises
    ------
    ValueError
        It is not JSON.
    """
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise ValueError(f"found {value[:60]!r}, expected JSON") from None


def _possible_folder(path: Path) -> Path:
    """Return the path of a folder, which need not be there yet.

    Raises
    ------
    ValueError
        Another kind of file has this name, or it is not UTF-8, as records on disk need it.
    """
    if not is_utf8(os.path.abspath(path)):
        raise ValueError(f"found {str(path)!r}, expected a name in UTF-8")
    if os.path.exists(path) and not os.path.isdir(path):
        raise ValueError(f"found the file {path}, expected a folder")
    return path


FromJson = (NoDecode, BeforeValidator(_from_json))
"""Read here, not by pydantic-settings, whose error names neither the variable nor the value."""


class IntakePolicy(Model):
    """When the photons of a burst, which trickle in over minutes, are worth a run."""

    first_photons: int = Field(
        default=30, ge=1, description="photons (source and background) with which the first run starts"
    )
    first_seconds: float = Field(
        default=20.0,
        ge=0.0,
        le=LONGEST_S,
        description="or seconds after the first packet, with however few photons",
    )
    growth: float = Field(
        default=2.0,
        gt=1.0,
        allow_inf_nan=False,
        description="an update when there are so many times the photons of the last run",
    )
    quiet_seconds: float = Field(
        default=30.0, ge=0.0, le=LONGEST_S, description="the last update when no new packet came for so long"
    )
    updates: int = Field(default=4, ge=0, le=1000, description="updates at most, the last one included")
    close_seconds: float = Field(
        default=3600.0,
        gt=0.0,
        le=LONGEST_S,
        description="a burst of which nothing new came for so long is left alone",
    )


class NotificationRule(Model):
    """Which events are notified to whom."""

    events: tuple[NotifiedEvent, ...] = Field(min_length=1)
    kinds: tuple[EventKind, ...] = Field(default=("live", "drill"), min_length=1)
    to: str = Field(
        default="duty",
        pattern=r"^[A-Za-z0-9._-]{1,64}$",
        description="duty: who is on duty; all: everybody; else a tag of the file of channels",
    )
    escalate: bool = Field(
        default=False, description="notify the next person, then everybody, until somebody acknowledges"
    )

    @model_validator(mode="after")
    def _tests_wake_nobody(self) -> NotificationRule:
        if "test" in self.kinds and self.to in ("duty", "all"):
            raise ValueError(f'to = "{self.to}": a test wakes nobody; expected the tag of a chat')
        if self.escalate and self.to != "duty":
            raise ValueError(f'to = "{self.to}": only what goes to duty can be escalated')
        return self


class NotificationPolicy(Model):
    """Who is notified of what, and by which channels."""

    channels: Path = Field(description="file with a line 'tag[, tag] = URL' for each channel; a secret")
    rota: Path | None = Field(
        default=None, description="TOML file: who is on duty when; None: everybody always is"
    )
    escalate_minutes: float = Field(
        default=5.0, gt=0.0, le=1440.0, description="without an acknowledgement, until the next one"
    )
    reminder_minutes: float = Field(
        default=30.0, ge=0.0, le=10_080.0, description="before a shift its person is reminded; 0: never"
    )
    silent_minutes: float = Field(
        default=5.0, gt=0.0, le=1440.0, description="an intake that fails for so long is silent"
    )
    rules: tuple[NotificationRule, ...] = Field(
        default=(
            NotificationRule(events=("first_notice", "intake_silent")),
            NotificationRule(
                events=("first_position", "decision_wanted", "result_changed", "retraction", "run_failed"),
                escalate=True,
            ),
        ),
        description="all that fit an event apply",
    )


class AnnouncementTexts(Model):
    """What the texts of an announcement say beside the result."""

    authors: tuple[Line, ...] = Field(
        default=(),
        description="authors of circulars after the Burst Advocate, as they are printed",
        examples=[["A. Lovelace (CEA)"]],
    )
    advocates: dict[str, Line] = Field(
        default={},
        description="login of a Burst Advocate -> their name, as it is printed",
        examples=[{"ada": "A. Lovelace (CEA)"}],
    )
    acknowledgement: Line | None = Field(
        default=None, description="last paragraph of circulars; None: the one of announcement.toml"
    )

    def byline(self, decided_by: str | None) -> tuple[str, ...]:
        """Return the authors of a circular, the Burst Advocate first.

        Parameters
        ----------
        decided_by
            Login of the Burst Advocate; None: nobody has decided yet. A login without a printed name is
            named only where no authors are configured.
        """
        advocate = self.advocates.get(decided_by) if decided_by is not None else None
        if advocate is None and not self.authors:
            advocate = decided_by
        first = () if advocate is None else (advocate,)
        return (*first, *(author for author in self.authors if author not in first))


class NatsTls(Model):
    """The certificates with which a client of NATS proves who it is, and judges the server."""

    ca: Path | None = Field(
        default=None, description="PEM file of the authority of the server's certificate; None: the system's"
    )
    certificate: Path | None = Field(
        default=None, description="PEM file with the client's certificate; None: the server asks for none"
    )
    key: Path | None = Field(default=None, description="PEM file with its key")

    @model_validator(mode="after")
    def _is_whole(self) -> NatsTls:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate or key missing; expected both or neither")
        return self


class Settings(BaseSettings):
    """Where an installation keeps its things and what it may read."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True)

    state: Annotated[Path, AfterValidator(_possible_folder)] = Field(
        default=Path("var"), description="folder of all state; git-ignored"
    )
    input_roots: Annotated[tuple[Path, ...], *FromJson] = Field(
        default=(Path.home(), Path(tempfile.gettempdir())),
        description="folders from which a run may read its alert and packets (JSON list)",
        examples=['["/data/incoming"]'],
    )
    calibration: Path | None = Field(
        default=None, description="folder of calibration files to be used before those of the package"
    )
    airflow_url: HttpUrl = Field(
        default="http://127.0.0.1:8080",
        description="Airflow's address; unset: that of the `make run` that runs on the state folder",
    )
    airflow_user: str = Field(default="admin", description="user that the commands log in as")
    intake_user: UserName = Field(
        default="intake", description="user that the listener logs in as, a `robot`; never admin"
    )
    airflow_password_file: Path | None = Field(
        default=None,
        description="file with their password, plain or JSON {user: password}; default: the embedded stack's",
    )
    airflow_ca: Path | None = Field(
        default=None,
        description="PEM file of the authority of Airflow's certificate; None: the system's authorities",
    )
    statsd: HostPort | None = Field(
        default=None, description="host:port of a StatsD server that gets Airflow's metrics"
    )
    otlp: HttpUrl | None = Field(
        default=None, description="URL of an OpenTelemetry collector (OTLP over HTTP) that gets them"
    )

    nats_url: str | None = Field(
        default=None, description="NATS server for messages in and out; None: no NATS"
    )
    nats_credentials: Path | None = Field(
        default=None, description="file with NATS's .creds, or user:password, or a token"
    )
    nats_tls: Annotated[NatsTls | None, *FromJson] = Field(
        default=None,
        description="certificates for NATS (JSON: ca, certificate, key); None: the system's authorities",
        examples=['{"ca": "/etc/mxtvhf/ca.pem"}'],
    )
    nats_trusted_keys: Path | None = Field(
        default=None,
        description="PEM file with the Ed25519 public keys of those whose messages over NATS are taken in; "
        "None: signatures are not looked at",
    )

    webhook_file: Path | None = Field(
        default=None,
        description="file with the URL of a Mattermost or Slack webhook that is told what is announced;"
        " None: no webhook",
    )
    notification: Annotated[NotificationPolicy | None, *FromJson] = Field(
        default=None,
        description="who is notified of bursts, and how (JSON: channels, rota, ...); None: nobody",
        examples=['{"channels": "/etc/mxtvhf/channels"}'],
    )
    public_url: HttpUrl | None = Field(
        default=None, description="address of the web UI in notifications; None: airflow_url"
    )
    announcement: Annotated[AnnouncementTexts, *FromJson] = Field(
        default=AnnouncementTexts(),
        description="authors and acknowledgement of circulars (JSON)",
        examples=['{"authors": ["A. Lovelace (CEA)"]}'],
    )
    answer_within_days: float = Field(
        default=7.0,
        gt=0.0,
        le=LONGEST_DAYS,
        description="how long the Burst Advocate is waited for; then nothing is announced",
    )
    users: Annotated[dict[UserName, Role], *FromJson] = Field(
        default={},
        description="further users of the embedded stack's web UI and their roles (JSON), e.g. the Burst"
        " Advocates; their passwords are made in secrets/passwords.json of the state folder",
        examples=['{"ada": "user"}'],
    )

    gcn_credentials: Path | None = Field(
        default=None, description="TOML file with client_id and client_secret for GCN Kafka; None: no GCN"
    )
    intake: Annotated[IntakePolicy, *FromJson] = Field(
        default=IntakePolicy(),
        description="when a burst gets its runs (JSON of what differs)",
        examples=['{"first_photons": 20}'],
    )

    replays_at_once: int = Field(
        default=4,
        ge=1,
        le=1000,
        description="replays under way at most; live alerts must not wait behind them",
    )

    keep_days: int = Field(
        default=90,
        ge=1,
        le=LONGEST_DAYS,
        description="how long logs of tasks and products of replays and tests are kept",
    )

    remote_catalogues: Annotated[tuple[str, ...], *FromJson] = Field(
        default=(),
        description="catalogue services to ask, too, by name in cone_search.toml (JSON list)",
        examples=['["4xmm", "erass1"]'],
    )

    @field_validator("intake_user")
    @classmethod
    def _is_no_admin(cls, name: str) -> str:
        if name == ADMIN:
            raise ValueError("found 'admin', expected an account with fewer rights, e.g. 'intake'")
        return name

    def environment(self) -> dict[str, str]:
        """Return the variables that give another process the settings that were set here."""
        fields = self.model_fields_set & Settings.model_fields.keys()
        values = self.model_dump(mode="json", include=fields, exclude_none=True)
        return {
            _variable(name): value if isinstance(value, str) else json.dumps(value)
            for name, value in values.items()
        }

    @property
    def home(self) -> Path:
        """The state folder as an absolute path."""
        return self.state.resolve()

    @property
    def archive(self) -> Path:
        """Raw inputs as received, by burst; append-only."""
        return self.home / "archive"

    @property
    def products(self) -> Path:
        """Products, ``<burst>/<run>/``."""
        return self.home / "products"

    @property
    def inbox(self) -> Path:
        """Where alerts and packets are laid to be taken in; what is kept is removed from there."""
        return self.home / "inbox"

    @property
    def inputs(self) -> Path:
        """Where files may lie that a run started by hand names."""
        return self.home / "inputs"

    @property
    def observations(self) -> Path:
        """Table of GP's observations by burst, see ``docs/reference/gp.md``; it may be missing."""
        return self.inputs / "observations.toml"

    @property
    def outbox(self) -> Path:
        """Messages that wait for NATS."""
        return self.home / "outbox"

    @property
    def comparisons(self) -> Path:
        """What the replay DAG found, ``<run of the DAG>.txt``."""
        return self.home / "comparisons"

    @property
    def catalogues(self) -> Path:
        """Catalogues of known sources, as ingested."""
        return self.home / "catalogues"

    @property
    def notifications(self) -> Path:
        """What people were notified of, and who has acknowledged it."""
        return self.home / "notifications"

    @property
    def releases(self) -> Path:
        """What was decided and announced, ``<burst>/<run>/``."""
        return self.home / "releases"

    @property
    def desk(self) -> str:
        """Address of the Burst Advocate's desk, as it stands in notifications."""
        return f"{self.public_url or self.airflow_url}/mxtvhf/desk"

    @property
    def desk_records(self) -> Path:
        """Comments, and which unreadable inputs somebody has seen."""
        return self.home / "desk"

    def readable_roots(self) -> tuple[Path, ...]:
        """All folders from which inputs may be read, resolved.

        Of the state only the archive and the inputs: beside them lie its secrets.
        """
        return tuple(root.resolve() for root in (self.archive, self.inputs, *self.input_roots))


def read_settings() -> Settings:
    """Read the settings from the environment.

    Raises
    ------
    SeveralFaults
        A variable has a wrong value: one line for each, with the variable, its value and what is expected.
        Passwords in URLs are not shown.
    """
    try:
        return Settings()
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False)
        raise SeveralFaults("\n".join(map(_fault, faults))) from None


def _variable(name: str) -> str:
    return f"{PREFIX}{name.upper()}"


def _fault(fault: ErrorDetails) -> str:
    """Return ``MXTVHF_NAME: cause``, with the key inside the variable's JSON where it is one of several."""
    name, *inside = map(str, fault["loc"])
    where = ".".join([_variable(name), *(part for part in inside if part != "[key]")])
    cause = re.sub(r"//[^/@]*@", "//***@", fault_cause(fault))
    examples = Settings.model_fields[name].examples
    return f"{where}: {cause}{f', e.g. {examples[0]}' if examples else ''}"
