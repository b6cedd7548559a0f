"""Settings of an installation, from environment variables with the prefix ``MXTVHF_``.

Only command line, operators and services read them, with `read_settings`; the science code does not use them.
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
from mxtvhf.models.input_folders import InputFolders
from mxtvhf.models.text import is_utf8
from mxtvhf.models.toml import fault_cause

PREFIX = "MXTVHF_"
LONGEST_DAYS = 36_500
"""A hundred years, days. A longer span is a mistake, and its start may be before the first possible date."""
LONGEST_S = 86_400.0 * LONGEST_DAYS

Role = Literal["viewer", "robot", "user", "op", "admin"]
"""Roles of users of the web UI and the REST API, each with all rights of the roles before it
(docs/explanation/security.md)."""

ADMIN = "admin"
"""The user with all rights, in every installation."""

EventKind = Literal["live", "test", "drill"]
"""Kinds of events that cause notifications. A drill is a test that wakes people; replays cause none."""

NotifiedEvent = Literal[
    "first_notice",
    "first_position",
    "decision_wanted",
    "result_changed",
    "retraction",
    "run_failed",
    "intake_silent",
    "other_mission",
]
"""Events that a rule can notify people of."""

Line = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,1000}$", strip_whitespace=True)]
"""Text on one line."""

UserName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}$")]


def _from_json(value: Any) -> Any:
    """Return the value of a JSON text; a value that is not a text is returned unchanged.

    Raises
    ------
    ValueError
        The text is not JSON.
    """
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise ValueError(f"found {value[:60]!r}, expected JSON") from None


def _possible_folder(path: Path) -> Path:
    """Return the path of a folder, which need not exist yet.

    Raises
    ------
    ValueError
        The path is that of a file, or is not UTF-8, which records on disk require.
    """
    if not is_utf8(os.path.abspath(path)):
        raise ValueError(f"found {str(path)!r}, expected a name in UTF-8")
    if os.path.exists(path) and not os.path.isdir(path):
        raise ValueError(f"found the file {path}, expected a folder")
    return path


FromJson = (NoDecode, BeforeValidator(_from_json))
"""Parse the JSON here, because the error of pydantic-settings names neither the variable nor the value."""


class IntakePolicy(Model):
    """Conditions under which the photons of a burst, which arrive over minutes, start a run."""

    first_photons: int = Field(
        default=30, ge=1, description="number of photons (source and background) that starts the first run"
    )
    first_seconds: float = Field(
        default=20.0,
        ge=0.0,
        le=LONGEST_S,
        description="time after the first packet at which the first run starts with any number of photons, s",
    )
    growth: float = Field(
        default=2.0,
        gt=1.0,
        allow_inf_nan=False,
        description="ratio to the number of photons of the last run that starts an update",
    )
    quiet_seconds: float = Field(
        default=30.0,
        ge=0.0,
        le=LONGEST_S,
        description="time without a new packet that starts the last update, s",
    )
    updates: int = Field(
        default=4, ge=0, le=1000, description="largest number of updates, including the last one"
    )
    close_seconds: float = Field(
        default=3600.0,
        gt=0.0,
        le=LONGEST_S,
        description="time without new input after which no more runs of a burst are started, s",
    )
    analyses_at_once: int = Field(
        default=2,
        ge=1,
        le=1000,
        description="largest number of started runs that have photons and no preliminary report yet",
    )


class NotificationRule(Model):
    """The people to notify of events."""

    events: tuple[NotifiedEvent, ...] = Field(min_length=1)
    kinds: tuple[EventKind, ...] = Field(default=("live", "drill"), min_length=1)
    to: str = Field(
        default="duty",
        pattern=r"^[A-Za-z0-9._-]{1,64}$",
        description="duty: the person on duty; all: everybody; otherwise a tag of the channels file",
    )
    escalate: bool = Field(
        default=False, description="notify the next person, then everybody, until somebody acknowledges"
    )

    @model_validator(mode="after")
    def _tests_wake_nobody(self) -> NotificationRule:
        if "test" in self.kinds and self.to in ("duty", "all"):
            raise ValueError(f'to = "{self.to}": tests must not wake people; expected the tag of a chat')
        if self.escalate and self.to != "duty":
            raise ValueError(
                f'to = "{self.to}": cannot be escalated; expected to = "duty" or escalate = false'
            )
        return self


class NotificationPolicy(Model):
    """Notifications: channels, rota, times and rules."""

    channels: Path = Field(description="file with a line 'tag[, tag] = URL' for each channel; a secret")
    rota: Path | None = Field(
        default=None, description="TOML file with the rota; None: everybody is always on duty"
    )
    escalate_minutes: float = Field(
        default=5.0,
        gt=0.0,
        le=1440.0,
        description="time without acknowledgement until the next person is notified, min",
    )
    reminder_minutes: float = Field(
        default=30.0,
        ge=0.0,
        le=10_080.0,
        description="time before a shift at which its person is reminded, min; 0: no reminder",
    )
    silent_minutes: float = Field(
        default=5.0,
        gt=0.0,
        le=1440.0,
        description="duration of a failure of the intake after which it counts as silent, min",
    )
    rules: tuple[NotificationRule, ...] = Field(
        default=(
            NotificationRule(events=("first_notice", "intake_silent", "other_mission")),
            NotificationRule(
                events=("first_position", "decision_wanted", "result_changed", "retraction", "run_failed"),
                escalate=True,
            ),
        ),
        description="rules; all that match an event are applied",
    )


class AnnouncementTexts(Model):
    """Authors and acknowledgement in the texts of an announcement."""

    authors: tuple[Line, ...] = Field(
        default=(),
        description="authors of circulars after the Burst Advocate, as printed",
        examples=[["A. Lovelace (CEA)"]],
    )
    advocates: dict[str, Line] = Field(
        default={},
        description="printed name of each Burst Advocate, by login",
        examples=[{"ada": "A. Lovelace (CEA)"}],
    )
    acknowledgement: Line | None = Field(
        default=None, description="last paragraph of circulars; None: that of announcement.toml"
    )

    def byline(self, decided_by: str | None) -> tuple[str, ...]:
        """Return the authors of a circular, the Burst Advocate first.

        Parameters
        ----------
        decided_by
            Login of the Burst Advocate; None: no decision yet. A login without a printed name is used only if
            no authors are configured.
        """
        advocate = self.advocates.get(decided_by) if decided_by is not None else None
        if advocate is None and not self.authors:
            advocate = decided_by
        first = () if advocate is None else (advocate,)
        return (*first, *(author for author in self.authors if author not in first))


class NatsTls(Model):
    """Certificates of a NATS client: its own, and the authority that it trusts."""

    ca: Path | None = Field(
        default=None,
        description="PEM file of the server's certificate authority; None: the authorities of the system",
    )
    certificate: Path | None = Field(
        default=None, description="PEM file with the client certificate; None: the server requires none"
    )
    key: Path | None = Field(default=None, description="PEM file with the key of the client certificate")

    @model_validator(mode="after")
    def _is_whole(self) -> NatsTls:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate or key missing; expected both or neither")
        return self


class Settings(BaseSettings):
    """Settings of an installation."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True)

    state: Annotated[Path, AfterValidator(_possible_folder)] = Field(
        default=Path("var"), description="folder of all state"
    )
    input_roots: Annotated[tuple[Path, ...], *FromJson] = Field(
        default=(Path.home(), Path(tempfile.gettempdir())),
        description="folders from which a run may read its alert and packets (JSON list)",
        examples=['["/data/incoming"]'],
    )
    calibration: Path | None = Field(
        default=None, description="folder of calibration files that take precedence over those of the package"
    )
    airflow_url: HttpUrl = Field(
        default="http://127.0.0.1:8080",
        description="address of Airflow; if unset, that of the `make run` on the same state folder",
    )
    airflow_user: str = Field(default="admin", description="user as which the commands log in")
    intake_user: UserName = Field(
        default="intake", description="user with the role `robot` as which the listener logs in; not admin"
    )
    airflow_password_file: Path | None = Field(
        default=None,
        description="file with the password, plain or JSON {user: password}; default: that of the embedded"
        " stack",
    )
    airflow_ca: Path | None = Field(
        default=None,
        description="PEM file of Airflow's certificate authority; None: the authorities of the system",
    )
    statsd: HostPort | None = Field(
        default=None, description="host:port of a StatsD server for the metrics of Airflow"
    )
    otlp: HttpUrl | None = Field(
        default=None,
        description="URL of an OpenTelemetry collector (OTLP over HTTP) for the metrics of Airflow",
    )

    nats_url: str | None = Field(
        default=None, description="NATS server for incoming and outgoing messages; None: NATS is not used"
    )
    nats_credentials: Path | None = Field(
        default=None, description="file with NATS credentials: .creds, user:password, or a token"
    )
    nats_tls: Annotated[NatsTls | None, *FromJson] = Field(
        default=None,
        description="certificates for NATS (JSON: ca, certificate, key); None: the authorities of the system",
        examples=['{"ca": "/etc/mxtvhf/ca.pem"}'],
    )
    nats_trusted_keys: Path | None = Field(
        default=None,
        description="PEM file with the Ed25519 public keys of senders whose NATS messages are accepted; "
        "None: signatures are not checked",
    )

    webhook_file: Path | None = Field(
        default=None,
        description="file with the URL of a Mattermost or Slack webhook for announcements; None: no webhook",
    )
    notification: Annotated[NotificationPolicy | None, *FromJson] = Field(
        default=None,
        description="notifications of people (JSON: channels, rota, ...); None: nobody is notified",
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
        description="time to wait for the answer of the Burst Advocate, days; after it nothing is announced",
    )
    users: Annotated[dict[UserName, Role], *FromJson] = Field(
        default={},
        description="further users of the embedded stack and their roles (JSON), e.g. the Burst Advocates; "
        "passwords are generated in secrets/passwords.json of the state folder",
        examples=['{"ada": "user"}'],
    )

    gcn_credentials: Path | None = Field(
        default=None,
        description="TOML file with client_id and client_secret for GCN Kafka; None: GCN is not used",
    )
    intake: Annotated[IntakePolicy, *FromJson] = Field(
        default=IntakePolicy(),
        description="conditions that start the runs of a burst (JSON of the values to change)",
        examples=['{"first_photons": 20}'],
    )

    replays_at_once: int = Field(
        default=4,
        ge=1,
        le=1000,
        description="largest number of replays at a time, so that live alerts do not wait behind them",
    )

    keep_days: int = Field(
        default=90,
        ge=1,
        le=LONGEST_DAYS,
        description="time for which task logs and products of replays and tests are kept, days",
    )

    remote_catalogues: Annotated[tuple[str, ...], *FromJson] = Field(
        default=(),
        description="remote catalogue services to search, by name in cone_search.toml (JSON list)",
        examples=['["4xmm", "erass1"]'],
    )

    observatories: Path | None = Field(
        default=None,
        description="TOML file of telescopes for the visibility; None: followup/observatories.toml",
    )

    @field_validator("intake_user")
    @classmethod
    def _is_no_admin(cls, name: str) -> str:
        if name == ADMIN:
            raise ValueError("found 'admin', expected an account with fewer rights, e.g. 'intake'")
        return name

    def environment(self) -> dict[str, str]:
        """Return the environment variables that pass the explicitly set settings to another process."""
        fields = self.model_fields_set & Settings.model_fields.keys()
        values = self.model_dump(mode="json", include=fields, exclude_none=True)
        return {
            _variable(name): value if isinstance(value, str) else json.dumps(value)
            for name, value in values.items()
        }

    @property
    def home(self) -> Path:
        """Return the state folder as an absolute path."""
        return self.state.resolve()

    @property
    def archive(self) -> Path:
        """Return the folder of raw inputs as received, by burst; append-only."""
        return self.home / "archive"

    @property
    def products(self) -> Path:
        """Return the folder of products, with ``<burst>/<run>/``."""
        return self.home / "products"

    @property
    def inbox(self) -> Path:
        """Return the folder for incoming notices and packets; files are removed from it when stored."""
        return self.home / "inbox"

    @property
    def inputs(self) -> Path:
        """Return the folder for files that a manually started run names."""
        return self.home / "inputs"

    @property
    def observations(self) -> Path:
        """Return the path of the table of GP observations (``docs/reference/gp.md``); it need not exist."""
        return self.inputs / "observations.toml"

    @property
    def outbox(self) -> Path:
        """Return the folder of messages queued for NATS."""
        return self.home / "outbox"

    @property
    def comparisons(self) -> Path:
        """Return the folder of the results of the replay DAG, ``<run of the DAG>.txt``."""
        return self.home / "comparisons"

    @property
    def catalogues(self) -> Path:
        """Return the folder of the ingested catalogues of known sources."""
        return self.home / "catalogues"

    @property
    def notifications(self) -> Path:
        """Return the folder of the records of notifications and acknowledgements."""
        return self.home / "notifications"

    @property
    def releases(self) -> Path:
        """Return the folder of decisions and announcements, with ``<burst>/<run>/``."""
        return self.home / "releases"

    @property
    def desk(self) -> str:
        """Return the address of the Burst Advocate's desk in notifications."""
        return f"{self.public_url or self.airflow_url}/mxtvhf/desk"

    @property
    def desk_records(self) -> Path:
        """Return the folder of comments and of dismissed unreadable inputs."""
        return self.home / "desk"

    def input_folders(self) -> InputFolders:
        """Return all folders from which inputs may be read.

        Of the state folder these are only archive and inputs, because it also contains secrets.
        """
        roots = (self.archive, self.inputs, *self.input_roots)
        return InputFolders(tuple(root.resolve() for root in roots), self.home.resolve())


def read_settings() -> Settings:
    """Read the settings from the environment.

    Raises
    ------
    SeveralFaults
        At least one variable is invalid. The message has a line for each with its name, value and the
        expected value; passwords in URLs are hidden.
    """
    try:
        return Settings()
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False)
        raise SeveralFaults("\n".join(map(_fault, faults))) from None


def _variable(name: str) -> str:
    return f"{PREFIX}{name.upper()}"


def _fault(fault: ErrorDetails) -> str:
    """Return ``MXTVHF_NAME: cause``, with the key within the JSON of the variable if it has several."""
    name, *inside = map(str, fault["loc"])
    where = ".".join([_variable(name), *(part for part in inside if part != "[key]")])
    cause = re.sub(r"//[^/@]*@", "//***@", fault_cause(fault))
    examples = Settings.model_fields[name].examples
    return f"{where}: {cause}{f', e.g. {examples[0]}' if examples else ''}"
