"""The configuration file ``mxtvhf.toml`` of an installation and its validation.

The top level contains the settings under their usual names (`mxtvhf.settings`). The tables contain what else
a deployment on several hosts needs. ``docs/reference/configuration.md`` explains the file.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from mxtvhf.errors import InvalidInput
from mxtvhf.models.addresses import HttpUrl
from mxtvhf.models.base import Model
from mxtvhf.models.toml import read_toml
from mxtvhf.operation.deployment.checks import (
    CertificateFile,
    Folder,
    Host,
    Name,
    Port,
    SecretFile,
    WritableFolder,
    all_passwords,
    expiry,
    passwords_of,
    private_key,
    secret_text,
)
from mxtvhf.operation.deployment.logins import AuthPart
from mxtvhf.operation.stack.airflow_config import metrics_environment
from mxtvhf.reporting.messages.connection import checked_servers
from mxtvhf.settings import ADMIN, NatsTls, NotificationPolicy, Role, Settings, UserName

ROBOT: Role = "robot"
SOON = timedelta(days=30)
"""Remaining validity of a certificate below which a warning is given."""
SslMode = Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]
FERNET_KEY_LENGTH = 44
"""Length of a Fernet key in characters: 32 bytes in base64 (the Fernet specification)."""
LEAST_SECRET_LENGTH = 32
"""Smallest length of a key that signs tokens, characters (RFC 7518, section 3.2, for HMAC-SHA-256)."""


class AirflowPart(Model):
    """The settings of Airflow."""

    project: Folder = Field(default=Path("/opt/mxtvhf"), description="folder with dags/ and plugins/")
    listen: Host = Field(default="0.0.0.0", description="address that the API server listens on")  # noqa: S104
    port: Port = Field(default=8080, description="port of the API server")
    public_url: HttpUrl = Field(
        default="http://127.0.0.1:8080", description="address of the web UI in its users' browsers"
    )
    parallelism: int = Field(default=16, ge=1, le=4096, description="tasks at once on all workers together")
    worker_concurrency: int = Field(default=4, ge=1, le=256, description="tasks at once on one worker")
    certificate: CertificateFile | None = Field(
        default=None,
        description="PEM file with the server's certificate chain, leaf first; with certificate and key the "
        "API server accepts HTTPS only",
    )
    key: SecretFile | None = Field(default=None, validate_default=True)
    fernet_key: SecretFile = Field(description="file with the key that encrypts Connections in the database")
    jwt_secret: SecretFile = Field(description="file with the secret that signs tokens")

    @field_validator("key")
    @classmethod
    def _is_of_the_certificate(cls, key: Path | None, info: ValidationInfo) -> Path | None:
        return _pair(key, info)

    @field_validator("fernet_key")
    @classmethod
    def _is_fernet_key(cls, path: Path) -> Path:
        if len(secret_text(path)) != FERNET_KEY_LENGTH:
            raise ValueError(
                f"{path}: invalid Fernet key; expected 32 bytes in URL-safe base64 "
                f"({FERNET_KEY_LENGTH} characters)"
            )
        return path

    @field_validator("jwt_secret")
    @classmethod
    def _is_long_enough(cls, path: Path) -> Path:
        if len(secret_text(path)) < LEAST_SECRET_LENGTH:
            raise ValueError(f"{path}: secret too short; expected at least {LEAST_SECRET_LENGTH} characters")
        return path


class DatabasePart(Model):
    """The access to Airflow's PostgreSQL database."""

    host: Host | Folder = Field(description="host name, or folder of the Unix socket")
    port: Port = 5432
    name: Name = "airflow"
    user: Name = "airflow"
    password: SecretFile = Field(description="file with the password")
    sslmode: SslMode | None = Field(
        default=None, description="libpq's sslmode; verify-full verifies the server and its host name"
    )
    ca: CertificateFile | None = Field(
        default=None, description="PEM file with the authority of the server's certificate"
    )
    certificate: CertificateFile | None = Field(
        default=None, description="PEM file with the client certificate, if the server requires one"
    )
    key: SecretFile | None = Field(
        default=None, validate_default=True, description="PEM file with its key, mode 0600 or 0400"
    )

    @field_validator("key")
    @classmethod
    def _is_of_the_certificate(cls, key: Path | None, info: ValidationInfo) -> Path | None:
        if key is not None and (status := key.stat()).st_uid and status.st_mode & 0o077:
            raise ValueError(
                f"{key}: readable by others (mode {stat.S_IMODE(status.st_mode):04o}), which libpq rejects; "
                f"run chmod 0400 {key}"
            )
        return _pair(key, info)

    @model_validator(mode="after")
    def _judges_the_server(self) -> DatabasePart:
        if self.sslmode in ("verify-ca", "verify-full") and self.ca is None:
            raise ValueError(
                f'sslmode = "{self.sslmode}": ca is missing; add the authority of the server\'s certificate'
            )
        return self


class RedisPart(Model):
    """The access to Redis, the task queue between scheduler and workers."""

    host: Host
    port: Port = 6379
    password: SecretFile = Field(description="file with the password")
    listen: Host = Field(default="0.0.0.0", description="address that `mxtvhf service redis` listens on")  # noqa: S104
    data: Path = Field(default=Path("/data"), description="folder of the append-only file")
    max_memory_mb: int = Field(
        default=256, ge=16, description="memory of the queue, MB; a full queue rejects tasks"
    )


class NatsPart(Model):
    """The NATS server of ``mxtvhf service nats``. The table is omitted if another server is used."""

    listen: Host = Field(default="0.0.0.0", description="address that the server listens on")  # noqa: S104
    port: Port = 4222
    data: Path = Field(default=Path("/data"), description="folder of JetStream's store")
    max_memory_mb: int = Field(default=64, ge=1, description="size of streams in memory, MB")
    max_file_mb: int = Field(
        default=4096, ge=1, description="size of streams on disk, MB; a full store rejects messages"
    )
    stations: SecretFile | None = Field(
        default=None,
        description="JSON file {user: password} of users who may publish to mxtvhf.in.> and mxtvhf.sky.>",
    )
    readers: SecretFile | None = Field(
        default=None, description="JSON file {user: password} of users who may subscribe to mxtvhf.out.>"
    )
    certificate: CertificateFile | None = Field(
        default=None,
        description="PEM file with the server's certificate; with certificate and key it accepts TLS only",
    )
    key: SecretFile | None = Field(default=None, validate_default=True)
    client_ca: CertificateFile | None = Field(
        default=None,
        description="PEM file with an authority; clients then need a certificate of this authority",
    )

    @field_validator("stations", "readers")
    @classmethod
    def _has_passwords(cls, path: Path | None) -> Path | None:
        if path is not None:
            all_passwords(path)
        return path

    @field_validator("key")
    @classmethod
    def _is_of_the_certificate(cls, key: Path | None, info: ValidationInfo) -> Path | None:
        return _pair(key, info)

    @field_validator("client_ca")
    @classmethod
    def _goes_with_tls(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        if path is not None and info.data.get("certificate") is None:
            raise ValueError("certificate and key of the server are missing; add both")
        return path


class NatsTlsPart(NatsTls):
    """The TLS files of NATS clients, with validation."""

    ca: CertificateFile | None = None
    certificate: CertificateFile | None = None
    key: SecretFile | None = Field(default=None, validate_default=True)

    @field_validator("key")
    @classmethod
    def _is_of_the_certificate(cls, key: Path | None, info: ValidationInfo) -> Path | None:
        return _pair(key, info)


class NotificationPart(NotificationPolicy):
    """The notification settings, with the channels file checked as a secret.

    The contents of the channels file and the rota are not checked, because a typing error there must not stop
    a service.
    """

    channels: SecretFile


class GpPart(Model):
    """The access to GP, and the address of the reference GP."""

    url: HttpUrl = Field(description="base URL of GP, used for Airflow's Connection mxt_gp")
    user: str | None = Field(default=None, description="login, if GP requires one")
    password: SecretFile | None = Field(default=None, description="file with the password")
    send_event_file: bool = Field(default=False, description="true only for the reference GP")
    listen: Host = Field(default="0.0.0.0", description="address that `mxtvhf service gp` listens on")  # noqa: S104
    port: Port = Field(default=8765, description="port of the reference GP")


class Deployment(Settings):
    """A whole installation: the `Settings` of all its processes and the services that connect them.

    All values come from the file; environment variables are ignored.
    """

    state: WritableFolder = Field(description="folder of all state, shared by all services")
    airflow_url: HttpUrl = Field(description="address of Airflow's API server for the services")
    airflow_password_file: SecretFile = Field(
        description="JSON file {user: password} with admin, the listener's user and all users below"
    )
    intake_user: UserName = "intake"
    users: dict[UserName, Role] = Field(
        default={},
        validate_default=True,
        description="accounts in addition to admin and the listener's user, with their roles",
    )
    airflow_ca: CertificateFile | None = None
    nats_url: str | None = None
    nats_credentials: SecretFile | None = None
    nats_tls: NatsTlsPart | None = None
    nats_trusted_keys: Path | None = None
    webhook_file: SecretFile | None = None
    notification: NotificationPart | None = None
    gcn_credentials: SecretFile | None = None
    otlp: HttpUrl | None = None

    auth: AuthPart = Field(default=AuthPart(), description="authentication of users")
    airflow: AirflowPart
    database: DatabasePart
    redis: RedisPart
    nats: NatsPart | None = None
    gp: GpPart

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the constructor's arguments as the only source, so that no environment variable is read."""
        return (init_settings,)

    @field_validator("users")
    @classmethod
    def _have_passwords(cls, users: dict[str, Role], info: ValidationInfo) -> dict[str, Role]:
        intake = info.data.get("intake_user", "intake")
        if ADMIN in users:
            raise ValueError("admin is reserved for the built-in administrator; choose another name")
        if users.get(intake, ROBOT) not in (ROBOT, "user"):
            raise ValueError(
                f"{intake} is the listener's account: found the role {users[intake]}; expected robot"
            )
        if path := info.data.get("airflow_password_file"):
            passwords_of(path, {ADMIN, intake, *users})
        return users

    @field_validator("airflow")
    @classmethod
    def _is_reached_as_it_listens(cls, part: AirflowPart, info: ValidationInfo) -> AirflowPart:
        for name, url in (("airflow_url", info.data.get("airflow_url")), ("public_url", part.public_url)):
            if part.certificate is not None and url and not url.startswith("https:"):
                raise ValueError(f"certificate and key: {name} is {url}; expected https://")
        return part

    @property
    def accounts(self) -> dict[str, Role]:
        """Return all accounts that the installation creates, with their roles."""
        return {self.intake_user: ROBOT, **self.users, ADMIN: "admin"}

    @property
    def fab_config(self) -> Path:
        """Return the path of Flask AppBuilder's configuration, used with the auth manager ``fab``."""
        return self.home / "airflow" / "webserver_config.py"

    def certificates(self) -> dict[str, Path]:
        """Return the certificate files that this installation presents or trusts, by their keys."""
        ldap, oidc, tls, nats = self.auth.ldap, self.auth.oidc, self.nats_tls, self.nats
        found = {
            "airflow_ca": self.airflow_ca,
            "airflow.certificate": self.airflow.certificate,
            "database.ca": self.database.ca,
            "database.certificate": self.database.certificate,
            "nats_tls.ca": tls.ca if tls else None,
            "nats_tls.certificate": tls.certificate if tls else None,
            "nats.certificate": nats.certificate if nats else None,
            "nats.client_ca": nats.client_ca if nats else None,
            "auth.ldap.ca": ldap.ca if ldap else None,
            "auth.oidc.ca": oidc.ca if oidc else None,
        }
        return {key: path for key, path in found.items() if path is not None}

    @field_validator("nats_url")
    @classmethod
    def _is_nats_url(cls, url: str | None) -> str | None:
        return url if url is None else _or_value_error(checked_servers, url) and url

    @field_validator("otlp")
    @classmethod
    def _is_one_place(cls, otlp: str | None, info: ValidationInfo) -> str | None:
        _or_value_error(metrics_environment, info.data.get("statsd"), otlp)
        return otlp


def _pair(key: Path | None, info: ValidationInfo) -> Path | None:
    """Check that a key belongs to the certificate of the same table.

    Raises
    ------
    ValueError
        The key belongs to another certificate, or one of the two is missing.
    """
    if "certificate" not in info.data:  # the certificate itself is invalid
        return key
    certificate = info.data["certificate"]
    if (key is None) != (certificate is None):
        raise ValueError("certificate or key missing; expected both or neither")
    return key if key is None else private_key(key, certificate)


def _or_value_error(check: Any, *values: Any) -> Any:
    """Call a check and convert our errors into ValueError, because pydantic collects only ValueErrors."""
    try:
        return check(*values)
    except InvalidInput as error:
        raise ValueError(str(error)) from None


def read_deployment(path: Path) -> Deployment:
    """Read and validate a configuration file and the files that it names.

    Raises
    ------
    InvalidInput
        The configuration is invalid. The message has a line with file, key and cause for each fault.
    """
    # Values are not shown, because a value might be a secret in a wrong place.
    return read_toml(path, Deployment, show_values=False)


def warnings_of(deployment: Deployment) -> Iterator[str]:
    """Yield warnings about a valid configuration, one line each."""
    if deployment.auth.manager == "simple":
        yield (
            'auth.manager = "simple": passwords are stored as plain text; Airflow recommends it for '
            'development and testing only; use "fab" or "keycloak" in production'
        )
    now = datetime.now(UTC)
    for key, path in deployment.certificates().items():
        try:
            end = expiry(path)
        except ValueError:
            yield f"{key}: {path}: unreadable certificate; expected PEM"
            continue
        if end < now + SOON:
            verb = "expired" if end < now else "expires"
            yield f"{key}: {path}: the certificate {verb} on {end:%Y-%m-%d %H:%M} UTC; replace it"
