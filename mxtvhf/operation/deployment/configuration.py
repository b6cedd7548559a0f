"""The configuration file ``mxtvhf.toml`` of an installation, checked as a whole.

Its upper part has the settings by the names that they have everywhere (`mxtvhf.settings`), its tables say
what else a deployment on several hosts needs. ``docs/reference/configuration.md`` explains it.
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
"""A certificate that ends sooner is worth a warning."""
SslMode = Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]
FERNET_KEY_LENGTH = 44
"""Characters: 32 bytes in base64 (the Fernet specification)."""
LEAST_SECRET_LENGTH = 32
"""Characters of a key that signs tokens: 256 bits of a random hexadecimal or base64 text, at least
(RFC 7518, section 3.2, for HMAC-SHA-256, counted in bytes)."""


class AirflowPart(Model):
    """How Airflow runs here."""

    project: Folder = Field(default=Path("/opt/mxtvhf"), description="folder with dags/ and plugins/")
    listen: Host = Field(default="0.0.0.0", description="address that the API server listens on")  # noqa: S104
    port: Port = Field(default=8080, description="and its port")
    public_url: HttpUrl = Field(
        default="http://127.0.0.1:8080", description="address of the web UI, as its users' browsers see it"
    )
    parallelism: int = Field(default=16, ge=1, le=4096, description="tasks at once, of all workers together")
    worker_concurrency: int = Field(default=4, ge=1, le=256, description="tasks at once on one worker")
    certificate: CertificateFile | None = Field(
        default=None,
        description="PEM file; with it and its key the API server speaks HTTPS only; its chain, leaf first",
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
            raise ValueError(f"{path}: want 32 bytes in URL-safe base64, {FERNET_KEY_LENGTH} characters")
        return path

    @field_validator("jwt_secret")
    @classmethod
    def _is_long_enough(cls, path: Path) -> Path:
        if len(secret_text(path)) < LEAST_SECRET_LENGTH:
            raise ValueError(f"{path}: want {LEAST_SECRET_LENGTH} characters or more")
        return path


class DatabasePart(Model):
    """PostgreSQL."""

    host: Host | Folder = Field(description="host name, or the folder of its Unix socket")
    port: Port = 5432
    name: Name = "airflow"
    user: Name = "airflow"
    password: SecretFile = Field(description="file with the password")
    sslmode: SslMode | None = Field(
        default=None, description="libpq's sslmode; verify-full is the one that knows the server"
    )
    ca: CertificateFile | None = Field(default=None, description="authority of the server's certificate")
    certificate: CertificateFile | None = Field(
        default=None, description="PEM file with the client's certificate, where the server wants one"
    )
    key: SecretFile | None = Field(
        default=None, validate_default=True, description="PEM file with its key, mode 0600 or 0400"
    )

    @field_validator("key")
    @classmethod
    def _is_of_the_certificate(cls, key: Path | None, info: ValidationInfo) -> Path | None:
        if key is not None and (status := key.stat()).st_uid and status.st_mode & 0o077:
            raise ValueError(
                f"{key}: may be read by others (mode {stat.S_IMODE(status.st_mode):04o}), libpq would refuse"
                f" it: chmod 0400 {key}"
            )
        return _pair(key, info)

    @model_validator(mode="after")
    def _judges_the_server(self) -> DatabasePart:
        if self.sslmode in ("verify-ca", "verify-full") and self.ca is None:
            raise ValueError(f'sslmode = "{self.sslmode}" needs ca, the authority of the server')
        return self


class RedisPart(Model):
    """Redis: the queue between scheduler and workers."""

    host: Host
    port: Port = 6379
    password: SecretFile = Field(description="file with the password")
    listen: Host = Field(default="0.0.0.0", description="address that `mxtvhf service redis` listens on")  # noqa: S104
    data: Path = Field(default=Path("/data"), description="folder of its append-only file")
    max_memory_mb: int = Field(default=256, ge=16, description="of the queue; a full one refuses tasks")


class NatsPart(Model):
    """The NATS server of ``mxtvhf service nats``; left out where there is another one."""

    listen: Host = Field(default="0.0.0.0", description="address that it listens on")  # noqa: S104
    port: Port = 4222
    data: Path = Field(default=Path("/data"), description="folder of JetStream's store")
    max_memory_mb: int = Field(default=64, ge=1, description="of streams in memory")
    max_file_mb: int = Field(
        default=4096, ge=1, description="of streams on disk; a full store refuses messages"
    )
    stations: SecretFile | None = Field(
        default=None, description="JSON file {user: password} of those who may publish to mxtvhf.in.>"
    )
    readers: SecretFile | None = Field(
        default=None, description="JSON file {user: password} of those who may follow mxtvhf.out.>"
    )
    certificate: CertificateFile | None = Field(
        default=None, description="PEM file; with it and its key: TLS only"
    )
    key: SecretFile | None = Field(default=None, validate_default=True)
    client_ca: CertificateFile | None = Field(
        default=None, description="PEM file; only clients with a certificate of this authority get in"
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
            raise ValueError("client_ca needs certificate and key of the server, too")
        return path


class NatsTlsPart(NatsTls):
    """The certificates of NATS's clients, checked."""

    ca: CertificateFile | None = None
    certificate: CertificateFile | None = None
    key: SecretFile | None = Field(default=None, validate_default=True)

    @field_validator("key")
    @classmethod
    def _is_of_the_certificate(cls, key: Path | None, info: ValidationInfo) -> Path | None:
        return _pair(key, info)


class NotificationPart(NotificationPolicy):
    """The notifications, with the file of the channels checked as a secret.

    What stands in it and in the rota is not looked at: a typing error there must stop no service.
    """

    channels: SecretFile


class GpPart(Model):
    """The General Program pipeline, and the reference service that can stand for it."""

    url: HttpUrl = Field(description="base URL of GP: Airflow's Connection mxt_gp")
    user: str | None = Field(default=None, description="login, where GP wants one")
    password: SecretFile | None = Field(default=None, description="file with its password")
    send_event_file: bool = Field(default=False, description="true for the reference service only")
    listen: Host = Field(default="0.0.0.0", description="address that `mxtvhf service gp` listens on")  # noqa: S104
    port: Port = Field(default=8765, description="and its port")


class Deployment(Settings):
    """A whole installation: `Settings` of all its processes, and the parts between them.

    Nothing is read from the environment: the file is all there is.
    """

    state: WritableFolder = Field(description="folder of all state, the same one for all services")
    airflow_url: HttpUrl = Field(description="Airflow's API server, as the services reach it")
    airflow_password_file: SecretFile = Field(
        description="JSON file {user: password}: of admin and of all users below"
    )
    intake_user: UserName = "intake"
    users: dict[UserName, Role] = Field(
        default={},
        validate_default=True,
        description="accounts beside admin and the listener's, and their roles",
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

    auth: AuthPart = Field(default=AuthPart(), description="who decides about logins")
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
        """Read no environment variable."""
        return (init_settings,)

    @field_validator("users")
    @classmethod
    def _have_passwords(cls, users: dict[str, Role], info: ValidationInfo) -> dict[str, Role]:
        intake = info.data.get("intake_user", "intake")
        if ADMIN in users:
            raise ValueError("admin is there by itself, with all rights")
        if users.get(intake, ROBOT) not in (ROBOT, "user"):
            raise ValueError(
                f"{intake} is the listener's account: expected the role robot, found {users[intake]}"
            )
        if path := info.data.get("airflow_password_file"):
            passwords_of(path, {ADMIN, intake, *users})
        return users

    @field_validator("airflow")
    @classmethod
    def _is_reached_as_it_listens(cls, part: AirflowPart, info: ValidationInfo) -> AirflowPart:
        for name, url in (("airflow_url", info.data.get("airflow_url")), ("public_url", part.public_url)):
            if part.certificate is not None and url and not url.startswith("https:"):
                raise ValueError(f"certificate and key: {name} is {url}, expected https://")
        return part

    @property
    def accounts(self) -> dict[str, Role]:
        """All accounts that the installation makes itself, and their roles."""
        return {self.intake_user: ROBOT, **self.users, ADMIN: "admin"}

    @property
    def fab_config(self) -> Path:
        """Flask AppBuilder's configuration, where ``[auth]`` wants one."""
        return self.home / "airflow" / "webserver_config.py"

    def certificates(self) -> dict[str, Path]:
        """Return the files of certificates that this installation shows or trusts, by their keys."""
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
    """Check that a key belongs to the certificate that stands before it in the same table.

    Raises
    ------
    ValueError
        It does not, or one of the two is missing.
    """
    if "certificate" not in info.data:  # it is wrong itself
        return key
    certificate = info.data["certificate"]
    if (key is None) != (certificate is None):
        raise ValueError("expected both certificate and key, or neither")
    return key if key is None else private_key(key, certificate)


def _or_value_error(check: Any, *values: Any) -> Any:
    """Call a check whose errors are ours, for pydantic, which collects its own only."""
    try:
        return check(*values)
    except InvalidInput as error:
        raise ValueError(str(error)) from None


def read_deployment(path: Path) -> Deployment:
    """Read and check a configuration file, and the secrets' files that it names.

    Raises
    ------
    InvalidInput
        With a line for each thing that is wrong: file, key, cause.
    """
    # A value is not shown: it might be a secret in a wrong place.
    return read_toml(path, Deployment, show_values=False)


def warnings_of(deployment: Deployment) -> Iterator[str]:
    """Yield what an operator should know of a good configuration, a line each."""
    if deployment.auth.manager == "simple":
        yield (
            'auth.manager = "simple": passwords are kept as plain text, for trials only (Airflow\'s own'
            ' words: for development and testing); expected "fab" or "keycloak" in service'
        )
    now = datetime.now(UTC)
    for key, path in deployment.certificates().items():
        try:
            end = expiry(path)
        except ValueError:
            yield f"{key}: {path}: no certificate can be read from it"
            continue
        if end < now + SOON:
            verb = "expired" if end < now else "expires"
            yield f"{key}: {path}: the certificate {verb} on {end:%Y-%m-%d %H:%M} UTC; replace it"
