"""Who may log in: the table ``[auth]`` of the configuration file, and the options that Airflow gets of it.

The options are those of the providers' own documentation: Flask AppBuilder's ``webserver_config.py`` for
apache-airflow-providers-fab, the section ``[keycloak_auth_manager]`` for apache-airflow-providers-keycloak.
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
"""The package that each kind of login needs; python-ldap has no wheel, and is not everybody's."""
NETWORK_S, ANSWER_S = 5, 10
"""Patience with LDAP for a connection, and with LDAP and OpenID Connect for an answer; by default endless."""
AUTH_DB, AUTH_LDAP, AUTH_OAUTH = 1, 2, 4
"""Flask AppBuilder's numbers of its kinds of login (``flask_appbuilder.const``)."""
NOBODY = "Public"
"""FAB's role without any right: of those who can log in but are in none of the groups."""
FAB_ROLES: dict[Role, str] = {
    "viewer": "Viewer",
    "robot": "Robot",
    "user": "User",
    "op": "Op",
    "admin": "Admin",
}
ROBOT_RIGHTS = (
    ("can_read", "DAGs"),
    ("can_edit", "DAGs"),  # FAB wants it of who starts a run
    ("can_read", "DAG Runs"),
    ("can_create", "DAG Runs"),
    ("can_edit", "DAG Runs"),  # a run of a retracted burst is stopped
    ("can_read", "Task Instances"),
)
"""FAB's names of what a robot may do: it answers no question, and reads no connection, variable or log."""

T = TypeVar("T")
LdapUrl = Annotated[str, StringConstraints(pattern=r"^ldaps?://[A-Za-z0-9.:\[\]-]+/?$")]
Text = Annotated[str, StringConstraints(min_length=1)]


class LdapPart(Model):
    """A directory that knows the users, their passwords and their groups."""

    server: LdapUrl = Field(description="ldaps://host, or ldap://host with start_tls")
    start_tls: bool = Field(default=False, description="true: encrypt a connection to ldap:// by STARTTLS")
    ca: CertificateFile | None = Field(
        default=None, description="PEM file of the authority of its certificate; default: the system's"
    )
    bind_user: Text = Field(description="DN of the account that searches the directory")
    bind_password: SecretFile = Field(description="file with its password")
    search: Text = Field(description="DN below which the users are")
    filter: str = Field(default="", description="LDAP filter that a user must fit, too")
    user_field: Text = Field(default="uid", description="attribute that holds the login name")
    group_field: Text = Field(default="memberOf", description="attribute that names a user's groups")

    @model_validator(mode="after")
    def _is_encrypted(self) -> LdapPart:
        if self.server.startswith("ldap:") and not self.start_tls:
            raise ValueError(
                f"found {self.server} without start_tls, which sends passwords in clear; expected ldaps:// or"
                " start_tls = true"
            )
        return self


class OidcPart(Model):
    """An OpenID Connect provider with discovery."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,31}$")] = Field(
        default="sso", description="name in the address that the provider sends the browser back to"
    )
    issuer: HttpUrl = Field(description="its address; <issuer>/.well-known/openid-configuration must answer")
    client_id: Text
    client_secret: SecretFile = Field(description="file with the client's secret")
    scope: Text = Field(default="openid profile email groups", description="what it is asked for")
    ca: CertificateFile | None = Field(
        default=None, description="PEM file of the authority of its certificate; default: the system's"
    )


class KeycloakPart(Model):
    """A Keycloak realm that knows users and rights."""

    url: HttpUrl
    realm: Text
    client_id: Text
    client_secret: SecretFile = Field(description="file with the client's secret")


class AuthPart(Model):
    """Who decides about logins."""

    manager: Literal["simple", "fab", "keycloak"] = Field(
        default="simple",
        description="simple: passwords in a file, for trials; fab: users in the database, LDAP or OpenID"
        " Connect; keycloak",
    )
    ldap: LdapPart | None = None
    oidc: OidcPart | None = None
    keycloak: KeycloakPart | None = None
    groups: dict[str, Role] = Field(
        default={}, description="roles of the groups that LDAP or the OpenID provider names"
    )

    @field_validator("manager", "ldap", "oidc")
    @classmethod
    def _is_installed(cls, value: T, info: ValidationInfo) -> T:
        kind = value if isinstance(value, str) else info.field_name
        package = PACKAGES.get(str(kind))
        if value is not None and package is not None and not _is_installed(package):
            raise ValueError(f"{kind}: the package {package} is not installed (docs/how-to/deploy.md)")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> AuthPart:
        outside = [name for name in ("ldap", "oidc") if getattr(self, name) is not None]
        if outside and self.manager != "fab":
            raise ValueError(f'[auth.{outside[0]}] needs manager = "fab", found "{self.manager}"')
        if len(outside) > 1:
            raise ValueError("found [auth.ldap] and [auth.oidc], expected one of them")
        if bool(self.groups) != bool(outside):
            raise ValueError("[auth.groups] goes with [auth.ldap] or [auth.oidc]: expected both or none")
        if (self.manager == "keycloak") != (self.keycloak is not None):
            raise ValueError('manager = "keycloak" goes with [auth.keycloak]: expected both or none')
        return self


def _is_installed(package: str) -> bool:
    try:
        distribution(package)
    except PackageNotFoundError:
        return False
    return True


def auth_sections(auth: AuthPart, *, config_file: Path, is_https: bool) -> dict[str, dict[str, object]]:
    """Return Airflow's options of an auth manager other than ``simple``, which is everywhere's default.

    Parameters
    ----------
    auth
        The table.
    config_file
        Where `write_fab_config` writes.
    is_https
        Whether browsers reach the web UI by HTTPS; its cookies then travel by nothing else.
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
    """Write Flask AppBuilder's configuration; secrets are not in it, it reads their files."""
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
            # Whoever is new gets an account; the groups decide at each login what it may do.
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
    """Return Python for a value; a path is that of a secret, and stands for what is in the file."""
    if isinstance(value, Path):
        return f"Path({str(value)!r}).read_text().strip()"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {_python(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_python, value)) + "]"
    return repr(value)
