"""Authentication of users: the table ``[auth]`` of the configuration file and the resulting Airflow options.

The options follow the documentation of the providers: Flask AppBuilder's ``webserver_config.py`` for
apache-airflow-providers-fab, and the section ``[keycloak_auth_manager]`` for
apache-airflow-providers-keycloak.
"""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import Field, StringConstraints, ValidationInfo, field_validator, model_validator

from mxtvhf.models.addresses import HttpUrl
from mxtvhf.models.base import Model
from mxtvhf.models.files import write_atomically
from mxtvhf.operation.deployment.checks import CertificateFile, SecretFile, secret_text
from mxtvhf.settings import Role

PACKAGES = {
    "fab": "apache-airflow-providers-fab",
    "keycloak": "apache-airflow-providers-keycloak",
    "ldap": "python-ldap",
    "oidc": "authlib",
}
"""The package that each authentication method needs. python-ldap is optional, because it has no wheel."""
NETWORK_S, ANSWER_S = 5, 10
"""Time limits for a connection to LDAP, and for an answer of LDAP or OpenID Connect (defaults: none), s."""
AUTH_DB, AUTH_LDAP, AUTH_OAUTH = 1, 2, 4
"""Flask AppBuilder's numbers of its authentication methods (``flask_appbuilder.const``)."""
NOBODY = "Public"
"""FAB's role without rights, given to users who are in none of the groups."""
FAB_ROLES: dict[Role, str] = {
    "viewer": "Viewer",
    "robot": "Robot",
    "user": "User",
    "op": "Op",
    "admin": "Admin",
}
ROBOT_RIGHTS = (
    ("can_read", "DAGs"),
    ("can_edit", "DAGs"),  # FAB requires it to start a run
    ("can_read", "DAG Runs"),
    ("can_create", "DAG Runs"),
    ("can_edit", "DAG Runs"),  # to stop the runs of a retracted burst
    ("can_read", "Task Instances"),
)
"""FAB's names of a robot's rights. It cannot answer questions or read connections, variables and logs."""

T = TypeVar("T")
LdapUrl = Annotated[str, StringConstraints(pattern=r"^ldaps?://[A-Za-z0-9.:\[\]-]+/?$")]
Text = Annotated[str, StringConstraints(min_length=1)]


class LdapPart(Model):
    """The access to an LDAP directory of users, passwords and groups."""

    server: LdapUrl = Field(description="ldaps://host, or ldap://host with start_tls")
    start_tls: bool = Field(default=False, description="encrypt connections to ldap:// by STARTTLS")
    ca: CertificateFile | None = Field(
        default=None,
        description="PEM file with the authority of the server's certificate; default: the system's",
    )
    bind_user: Text = Field(description="DN of the account that searches the directory")
    bind_password: SecretFile = Field(description="file with the password of bind_user")
    search: Text = Field(description="DN below which users are searched")
    filter: str = Field(default="", description="additional LDAP filter for users")
    user_field: Text = Field(default="uid", description="attribute with the login name")
    group_field: Text = Field(default="memberOf", description="attribute with the groups of a user")

    @model_validator(mode="after")
    def _is_encrypted(self) -> LdapPart:
        if self.server.startswith("ldap:") and not self.start_tls:
            raise ValueError(
                f"server is {self.server} without start_tls, which sends passwords unencrypted; "
                "expected ldaps:// or start_tls = true"
            )
        return self


class OidcPart(Model):
    """The access to an OpenID Connect provider with discovery."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")] = Field(
        default="sso", description="name of the provider in the redirect address"
    )
    issuer: HttpUrl = Field(
        description="address of the provider; <issuer>/.well-known/openid-configuration must exist"
    )
    client_id: Text
    client_secret: SecretFile = Field(description="file with the client's secret")
    scope: Text = Field(default="openid profile email groups", description="requested scopes")
    ca: CertificateFile | None = Field(
        default=None,
        description="PEM file with the authority of the provider's certificate; default: the system's",
    )


class KeycloakPart(Model):
    """The access to a Keycloak realm that manages users and rights."""

    url: HttpUrl
    realm: Text
    client_id: Text
    client_secret: SecretFile = Field(description="file with the client's secret")


class AuthPart(Model):
    """The table ``[auth]``: the auth manager and its settings."""

    manager: Literal["simple", "fab", "keycloak"] = Field(
        default="simple",
        description="simple: passwords in a file, for trials; fab: users in Airflow's database, LDAP or "
        "OpenID Connect; keycloak: users in Keycloak",
    )
    ldap: LdapPart | None = None
    oidc: OidcPart | None = None
    keycloak: KeycloakPart | None = None
    groups: dict[str, Role] = Field(default={}, description="role of each group of LDAP or OpenID Connect")

    @field_validator("manager", "ldap", "oidc")
    @classmethod
    def _is_installed(cls, value: T, info: ValidationInfo) -> T:
        kind = value if isinstance(value, str) else info.field_name
        package = PACKAGES.get(str(kind))
        if value is not None and package is not None and not _is_installed(package):
            raise ValueError(f"{kind}: the package {package} is not installed; see docs/how-to/deploy.md")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> AuthPart:
        outside = [name for name in ("ldap", "oidc") if getattr(self, name) is not None]
        if outside and self.manager != "fab":
            raise ValueError(f'[auth.{outside[0]}]: manager is "{self.manager}"; expected "fab"')
        if len(outside) > 1:
            raise ValueError("found [auth.ldap] and [auth.oidc]; expected only one of them")
        if bool(self.groups) != bool(outside):
            raise ValueError(
                "[auth.groups] and [auth.ldap] or [auth.oidc] belong together; expected both or neither"
            )
        if (self.manager == "keycloak") != (self.keycloak is not None):
            raise ValueError(
                'manager = "keycloak" and [auth.keycloak] belong together; expected both or neither'
            )
        return self


def _is_installed(package: str) -> bool:
    try:
        distribution(package)
    except PackageNotFoundError:
        return False
    return True


def auth_sections(auth: AuthPart, *, config_file: Path, is_https: bool) -> dict[str, dict[str, object]]:
    """Return Airflow's options of the auth manager; none for the default ``simple``.

    Parameters
    ----------
    auth
        The table ``[auth]``.
    config_file
        Path of the file written by `write_fab_config`.
    is_https
        True if browsers reach the web UI by HTTPS. Cookies are then sent over HTTPS only.
    """
    if auth.manager == "fab":
        rights = [{"action": action, "resource": resource} for action, resource in ROBOT_RIGHTS]
        return {
            "core": {"auth_manager": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"},
            "fab": {
                "config_file": config_file,
                "custom_roles": json.dumps({FAB_ROLES["robot"]: rights}),
                "cookie_secure": is_https,
            },
        }
    if auth.keycloak is not None:
        manager = "airflow.providers.keycloak.auth_manager.keycloak_auth_manager.KeycloakAuthManager"
        return {
            "core": {"auth_manager": manager},
            "keycloak_auth_manager": {
                "server_url": auth.keycloak.url,
                "realm": auth.keycloak.realm,
                "client_id": auth.keycloak.client_id,
                "client_secret": secret_text(auth.keycloak.client_secret),
            },
        }
    return {}


def write_fab_config(auth: AuthPart, config_file: Path) -> None:
    """Write Flask AppBuilder's configuration. It contains no secrets but reads them from their files."""
    write_atomically(config_file, fab_config(auth).encode())


def fab_config(auth: AuthPart) -> str:
    """Return Flask AppBuilder's configuration, ``webserver_config.py``."""
    lines = [
        "# Written by `mxtvhf service` at each start: change mxtvhf.toml, not this file.",
        "from pathlib import Path",
    ]
    options: dict[str, object] = {"AUTH_TYPE": AUTH_DB}
    if auth.ldap is not None:
        lines += [
            "",
            "import ldap",
            "",
            f"ldap.set_option(ldap.OPT_NETWORK_TIMEOUT, {NETWORK_S})",
            f"ldap.set_option(ldap.OPT_TIMEOUT, {ANSWER_S})",
        ]
        options |= _ldap_options(auth.ldap)
    elif auth.oidc is not None:
        options |= {"AUTH_TYPE": AUTH_OAUTH, "OAUTH_PROVIDERS": [_provider(auth.oidc)]}
    if auth.groups:
        options |= {
            "AUTH_ROLES_MAPPING": {group: [FAB_ROLES[role]] for group, role in auth.groups.items()},
            # A new user gets an account; the groups determine its roles at each login.
            "AUTH_USER_REGISTRATION": True,
            "AUTH_USER_REGISTRATION_ROLE": NOBODY,
            "AUTH_ROLES_SYNC_AT_LOGIN": True,
        }
    lines += ["", *(f"{name} = {_python(value)}" for name, value in options.items())]
    if auth.oidc is not None and auth.oidc.ca is not None:
        lines += [
            "",
            "from mxtvhf_airflow.oidc import OidcApp",
            "",
            'OAUTH_PROVIDERS[0]["remote_app"]["client_cls"] = OidcApp',
        ]
    return "\n".join([*lines, ""])


def _ldap_options(ldap: LdapPart) -> dict[str, object]:
    return {
        "AUTH_TYPE": AUTH_LDAP,
        "AUTH_LDAP_SERVER": ldap.server,
        "AUTH_LDAP_USE_TLS": ldap.start_tls,
        "AUTH_LDAP_TLS_DEMAND": True,
        "AUTH_LDAP_TLS_CACERTFILE": "" if ldap.ca is None else str(ldap.ca),
        "AUTH_LDAP_BIND_USER": ldap.bind_user,
        "AUTH_LDAP_BIND_PASSWORD": ldap.bind_password,
        "AUTH_LDAP_SEARCH": ldap.search,
        "AUTH_LDAP_SEARCH_FILTER": ldap.filter,
        "AUTH_LDAP_UID_FIELD": ldap.user_field,
        "AUTH_LDAP_GROUP_FIELD": ldap.group_field,
    }


def _provider(oidc: OidcPart) -> dict[str, object]:
    client: dict[str, object] = {"scope": oidc.scope, "default_timeout": ANSWER_S}
    if oidc.ca is not None:
        client["verify"] = str(oidc.ca)
    return {
        "name": oidc.name,
        "icon": "fa-key",
        "token_key": "access_token",
        "remote_app": {
            "client_id": oidc.client_id,
            "client_secret": oidc.client_secret,
            "server_metadata_url": f"{oidc.issuer}/.well-known/openid-configuration",
            "client_kwargs": client,
        },
    }


def _python(value: object) -> str:
    """Return Python source for a value. A path becomes an expression that reads the secret in the file."""
    if isinstance(value, Path):
        return f"Path({str(value)!r}).read_text().strip()"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {_python(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_python, value)) + "]"
    return repr(value)
