"""The table ``[auth]`` and the resulting options of Airflow and Flask AppBuilder."""

import json
import runpy
import sys
from datetime import timedelta

import pytest

from mxtvhf.errors import InvalidInput
from mxtvhf.operation.deployment import logins, services
from mxtvhf.operation.deployment.configuration import read_deployment, warnings_of
from mxtvhf.operation.deployment.environment import service_environment
from mxtvhf.operation.deployment.logins import ROBOT_RIGHTS, fab_config
from mxtvhf.operation.deployment.servers import nats_configuration
from mxtvhf.operation.deployment.service import Service
from mxtvhf.operation.deployment.services import SERVICES
from support.certificates import HOUR, Authority
from support.deployment import write_deployment

LDAP = """
[auth]
manager = "fab"
[auth.ldap]
server = "ldaps://ldap.example.org"
bind_user = "cn=reader,dc=example"
bind_password = "{folder}/reader"
search = "ou=people,dc=example"
[auth.groups]
"cn=it's,dc=example" = "op"
"""
OIDC = """
[auth]
manager = "fab"
[auth.oidc]
issuer = "https://login.example.org/"
client_id = "mxtvhf"
client_secret = "{folder}/reader"
[auth.groups]
advocates = "user"
"""
KEYCLOAK = """
[auth]
manager = "keycloak"
[auth.keycloak]
url = "https://keycloak.example.org"
realm = "svom"
client_id = "mxtvhf"
client_secret = "{folder}/reader"
"""


@pytest.fixture
def with_auth(tmp_path, monkeypatch):
    """Write a configuration file with these tables, as if all packages were installed."""
    monkeypatch.setattr(logins, "_is_installed", lambda package: True)
    config = write_deployment(tmp_path)
    reader = tmp_path / "reader"
    reader.touch(0o600)
    reader.write_text("canary-reader\n")

    def write(auth):
        config.write_text(config.read_text() + auth.replace("{folder}", str(tmp_path)))
        return config

    return write


def cause(config):
    with pytest.raises(InvalidInput) as caught:
        read_deployment(config)
    (line,) = str(caught.value).splitlines()
    return line.removeprefix(f"{config}: ")


def options_of(deployment, tmp_path):
    """Return the options that Flask AppBuilder reads: the upper-case names of the executed file."""
    path = tmp_path / "webserver_config.py"
    path.write_text(fab_config(deployment.auth))
    return {name: value for name, value in runpy.run_path(str(path)).items() if name.isupper()}


@pytest.mark.parametrize(
    ("auth", "expected"),
    [
        ('[auth]\nmanager = "ldap"\n', "auth.manager: expected 'simple', 'fab' or 'keycloak'"),
        ("[auth]\nmanagr = 1\n", "auth.managr: unknown key"),
        (LDAP.replace("fab", "simple"), 'auth: [auth.ldap]: manager is "simple"; expected "fab"'),
        (LDAP.replace("ldaps:", "ldap:"), "auth.ldap: server is ldap://ldap.example.org without start_tls"),
        (LDAP.replace("ldaps://ldap", "https://ldap"), "auth.ldap.server: expected"),
        (
            LDAP.partition("[auth.groups]")[0],
            "auth: [auth.groups] and [auth.ldap] or",
        ),
        (LDAP.replace('"op"', '"god"'), "auth.groups.cn=it's,dc=example: expected"),
        (LDAP.replace("/reader", "/nothing"), "auth.ldap.bind_password: "),
        (LDAP + OIDC.partition('"fab"')[2].partition("[auth.groups]")[0], "auth: found [auth.ldap] and"),
        (OIDC.replace("https:", "ftp:"), "auth.oidc.issuer: found 'ftp://login.example.org/', expected"),
        (
            KEYCLOAK.partition("[auth.keycloak]")[0],
            'auth: manager = "keycloak" and',
        ),
        (KEYCLOAK.replace("realm", "real"), ""),
    ],
)
def test_faults_are_named_without_showing_a_secret(with_auth, auth, expected):
    config = with_auth(auth)
    with pytest.raises(InvalidInput) as caught:
        read_deployment(config)
    assert str(caught.value).startswith(f"{config}: {expected}".rstrip())
    assert "canary" not in str(caught.value)


def test_a_missing_package_is_named(with_auth, monkeypatch):
    monkeypatch.setattr(logins, "_is_installed", lambda package: package != "python-ldap")
    assert cause(with_auth(LDAP)) == (
        "auth.ldap: ldap: the package python-ldap is not installed; see docs/how-to/deploy.md"
    )


def test_the_fab_configuration_for_ldap_contains_no_password(with_auth, tmp_path, monkeypatch):
    text = fab_config(read_deployment(with_auth(LDAP)).auth)
    assert "canary" not in text
    monkeypatch.setitem(sys.modules, "ldap", FakeLdapModule())
    options = options_of(read_deployment(tmp_path / "mxtvhf.toml"), tmp_path)
    assert options["AUTH_TYPE"] == 2
    assert options["AUTH_LDAP_BIND_PASSWORD"] == "canary-reader"
    assert options["AUTH_LDAP_TLS_DEMAND"] is True
    assert options["AUTH_ROLES_MAPPING"] == {"cn=it's,dc=example": ["Op"]}
    assert options["AUTH_USER_REGISTRATION_ROLE"] == "Public"
    assert options["AUTH_ROLES_SYNC_AT_LOGIN"] is True


class FakeLdapModule:
    """python-ldap needs OpenLDAP's headers; of it the file sets two global options."""

    OPT_NETWORK_TIMEOUT = OPT_TIMEOUT = 1

    def set_option(self, option, value):
        assert 1 <= value <= 30


def test_the_fab_configuration_for_openid_connect(with_auth, tmp_path):
    options = options_of(read_deployment(with_auth(OIDC)), tmp_path)
    (provider,) = options["OAUTH_PROVIDERS"]
    remote = provider["remote_app"]
    assert options["AUTH_TYPE"] == 4
    assert remote["client_secret"] == "canary-reader"
    assert remote["server_metadata_url"] == "https://login.example.org/.well-known/openid-configuration"
    assert "verify" not in remote["client_kwargs"]


def test_users_are_not_registered_without_ldap_or_openid_connect(with_auth, tmp_path):
    deployment = read_deployment(with_auth('[auth]\nmanager = "fab"\n'))
    assert options_of(deployment, tmp_path) == {"AUTH_TYPE": 1}
    environment = service_environment(deployment)
    assert environment["AIRFLOW__CORE__AUTH_MANAGER"].endswith("FabAuthManager")
    assert environment["AIRFLOW__FAB__CONFIG_FILE"] == str(deployment.fab_config)
    assert environment["AIRFLOW__FAB__COOKIE_SECURE"] == "True"


def test_services_write_the_fab_file_and_pass_no_password_as_argument(with_auth, monkeypatch):
    monkeypatch.setattr(services, "wait_for_database", lambda part: None)
    deployment = read_deployment(with_auth('[auth]\nmanager = "fab"\n'))
    for service in (Service.MIGRATE, Service.API_SERVER):
        deployment.fab_config.unlink(missing_ok=True)
        command = SERVICES[service](deployment, "host")
        assert deployment.fab_config.read_text() == fab_config(deployment.auth)
    command = SERVICES[Service.MIGRATE](deployment, "host")
    assert command[-3:] == ["intake=Robot", "ada=User", "admin=Admin"]
    assert command[-4] == str(deployment.airflow_password_file)


def test_keycloak_gets_its_section(with_auth):
    deployment = read_deployment(with_auth(KEYCLOAK))
    environment = service_environment(deployment)
    assert environment["AIRFLOW__CORE__AUTH_MANAGER"].endswith("KeycloakAuthManager")
    assert environment["AIRFLOW__KEYCLOAK_AUTH_MANAGER__REALM"] == "svom"
    assert environment["AIRFLOW__KEYCLOAK_AUTH_MANAGER__CLIENT_SECRET"] == "canary-reader"
    assert SERVICES[Service.API_SERVER](deployment, "host")[-1] == "api-server"


def test_the_simple_manager_gives_a_warning_and_treats_robots_as_users(with_auth):
    deployment = read_deployment(with_auth(""))
    (warning,) = warnings_of(deployment)
    assert "plain text" in warning
    roles = service_environment(deployment)["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"]
    assert roles == "intake:user,ada:user,admin:admin"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            ('ada = "user"', 'admin = "viewer"'),
            "users: admin is reserved for the built-in administrator; choose another name",
        ),
        (('ada = "user"', 'intake = "admin"'), "users: intake is the listener's account: found the role"),
        (("[users]", 'intake_user = "admin"\n[users]'), "intake_user: found 'admin', expected an account"),
        (("[users]", 'intake_user = "eve"\n[users]'), "users: "),
    ],
)
def test_the_listener_is_never_an_administrator(with_auth, change, expected):
    config = with_auth("")
    config.write_text(config.read_text().replace(*change))
    assert cause(config).startswith(expected)


# ------------------------------------------------------------------ certificates


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "authority")


@pytest.fixture
def https(with_auth, authority):
    """Return a configuration file with a certificate of the API server."""
    config = with_auth("")
    certificate, key = authority.issue("api")
    text = config.read_text().replace("http://api-server:8080/", "https://api-server:8080")
    text = text.replace("[airflow]", f'[airflow]\ncertificate = "{certificate}"\nkey = "{key}"')
    config.write_text(text.replace("[users]", f'airflow_ca = "{authority.ca}"\n[users]'))
    return config


def test_airflow_gets_its_certificate_and_the_tasks_the_authority(https, authority):
    environment = service_environment(read_deployment(https))
    assert environment["AIRFLOW__API__SSL_CERT"].endswith("api.pem")
    assert environment["AIRFLOW__API__SSL_KEY"].endswith("api-key.pem")
    assert environment["AIRFLOW__API__SSL_CA_FILE"] == str(authority.ca)
    assert environment["MXTVHF_AIRFLOW_CA"] == str(authority.ca)
    assert environment["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "https://api-server:8080/execution/"


def test_a_certificate_requires_https_addresses(https):
    https.write_text(https.read_text().replace("https://api-server", "http://api-server"))
    assert cause(https) == (
        "airflow: certificate and key: airflow_url is http://api-server:8080; expected https://"
    )


def test_a_key_of_another_certificate_is_rejected(https, authority):
    _, other = authority.issue("other")
    https.write_text(https.read_text().replace("api-key.pem", other.name))
    assert cause(https).startswith(f"airflow.key: {other}: invalid key; expected the key of")


def test_a_certificate_without_its_key_is_rejected(https):
    lines = [line for line in https.read_text().splitlines() if not line.startswith("key = ")]
    https.write_text("\n".join(lines))
    assert cause(https) == "airflow.key: certificate or key missing; expected both or neither"


def test_an_invalid_certificate_is_rejected(https, authority):
    authority.ca.write_text("canary")
    assert cause(https) == f"airflow_ca: {authority.ca}: no certificate found; expected PEM"


@pytest.mark.parametrize(("ends", "verb"), [(-HOUR / 2, "expired"), (24 * HOUR, "expires")])
def test_an_expiring_certificate_gives_a_warning(https, authority, ends, verb):
    """The file is accepted, because other parts of an installation work with an expired certificate."""
    authority.issue("api", ends=ends)
    _, warning = warnings_of(read_deployment(https))
    assert warning.startswith("airflow.certificate: ")
    assert f"the certificate {verb} on " in warning
    assert timedelta(days=30) > ends


def test_libpq_and_asyncpg_get_the_same_tls_options(with_auth, authority):
    config = with_auth("")
    certificate, key = authority.issue("airflow")
    tls = f'sslmode = "verify-full"\nca = "{authority.ca}"\ncertificate = "{certificate}"\nkey = "{key}"'
    config.write_text(config.read_text().replace('host = "postgres"', f'host = "postgres"\n{tls}'))
    environment = service_environment(read_deployment(config))
    uri = environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    assert "sslmode=verify-full" in uri
    assert "sslrootcert=" in uri
    assert environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC"].endswith("@postgres:5432/airflow")
    assert environment["PGSSLMODE"] == "verify-full"
    assert environment["PGSSLKEY"] == str(key)


@pytest.mark.parametrize(
    ("tls", "expected"),
    [
        ('sslmode = "verify-full"', 'database: sslmode = "verify-full": ca is missing'),
        ('sslmode = "on"', "database.sslmode: expected"),
    ],
)
def test_invalid_tls_settings_of_the_database_are_rejected(with_auth, tls, expected):
    config = with_auth("")
    config.write_text(config.read_text().replace('host = "postgres"', f'host = "postgres"\n{tls}'))
    assert cause(config).startswith(expected)


def test_without_tls_the_database_uri_has_no_options(with_auth):
    environment = service_environment(read_deployment(with_auth("")))
    assert "?" not in environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    assert not [name for name in environment if name.startswith("PGSSL")]
    assert "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC" not in environment


def test_a_robot_has_only_rights_about_runs():
    assert {resource for _, resource in ROBOT_RIGHTS} == {"DAGs", "DAG Runs", "Task Instances"}
    assert not [action for action, _ in ROBOT_RIGHTS if action == "can_delete"]


@pytest.mark.parametrize(
    ("tls", "expected"),
    [
        ('{ca = "{folder}/reader"}', "nats_tls.ca: {folder}/reader: no certificate found; expected PEM"),
        (
            '{key = "{folder}/reader"}',
            "nats_tls.key: certificate or key missing; expected both or neither",
        ),
        ('{certificate = "{pem}"}', "nats_tls.key: certificate or key missing; expected both or neither"),
        (
            '{certificate = "{pem}", key = "{folder}/reader"}',
            "nats_tls.key: {folder}/reader: invalid key; expected the key",
        ),
        ('{cert = "{pem}"}', "nats_tls.cert: unknown key"),
    ],
)
def test_invalid_certificates_of_nats_are_rejected(with_auth, authority, tmp_path, tls, expected):
    config, (pem, _) = with_auth(""), authority.issue("mxtvhf")

    def filled(text):
        return text.replace("{folder}", str(tmp_path)).replace("{pem}", str(pem))

    config.write_text(config.read_text().replace("[users]", f"nats_tls = {filled(tls)}\n[users]"))
    assert cause(config).startswith(filled(expected))


def test_nats_and_its_clients_get_authority_and_certificates(with_auth, authority):
    config = with_auth("")
    certificate, key = authority.issue("nats")
    server = f'certificate = "{certificate}"\nkey = "{key}"\nclient_ca = "{authority.ca}"'
    client = f'nats_tls = {{ca = "{authority.ca}", certificate = "{certificate}", key = "{key}"}}'
    text = config.read_text().replace("[nats]", f"[nats]\n{server}").replace("[users]", f"{client}\n[users]")
    config.write_text(text)
    deployment = read_deployment(config)
    tls = json.loads(nats_configuration(deployment.nats, deployment.nats_credentials))["tls"]
    assert tls["ca_file"] == str(authority.ca)
    assert tls["verify"] is True
    given = json.loads(service_environment(deployment)["MXTVHF_NATS_TLS"])
    assert given == {"ca": str(authority.ca), "certificate": str(certificate), "key": str(key)}


BUILD = """
from airflow.api_fastapi.app import create_auth_manager

manager = create_auth_manager()
client = manager.get_keycloak_client()
print({route.path for route in manager.get_fastapi_app().routes} >= {"/login", "/token"})
print(client.connection.base_url, client.realm_name, client.client_id, client.client_secret_key)
"""


@pytest.mark.slow
@pytest.mark.service
def test_airflow_accepts_the_keycloak_options(with_auth, beside_airflow):
    """No login is tested, because no Keycloak server can be installed by a test."""
    environment = service_environment(read_deployment(with_auth(KEYCLOAK)))
    status, printed = beside_airflow(BUILD, **environment)
    assert status == 0, printed
    assert printed.splitlines()[-2:] == [
        "True",
        "https://keycloak.example.org svom mxtvhf canary-reader",
    ]
