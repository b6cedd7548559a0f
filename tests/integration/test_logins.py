"""An installation with real logins, and TLS between all its parts.

One after the other, Flask AppBuilder knows its users by their passwords in the database, by a real LDAP
server and by a real OpenID Connect provider; what they may do must be the same.
"""

import asyncio
import json
import tempfile
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest

from mxtvhf.errors import Failure, InvalidInput
from mxtvhf.operation.deployment.cluster import entrypoint
from mxtvhf.operation.deployment.environment import service_environment
from mxtvhf.operation.deployment.service import Service
from mxtvhf.operation.stack.processes import wait_until
from mxtvhf.reporting.messages.connection import connect
from mxtvhf.simulator.scenario import scenario_of, write_scenario
from mxtvhf.workflow.airflow_api import run_path
from support.airflow_runs import Runner, conf_of, has_packets, planned
from support.installation import ACCOUNTS, SECRETS, installation
from support.ldap_server import BASE, PEOPLE, READER, READER_PASSWORD, LdapServer, group_dn
from support.oidc_provider import CLIENT_ID, OidcProvider
from support.role_checks import (
    WebUsers,
    check_connections_are_closed,
    check_starter,
    check_strangers,
    check_viewer,
    check_viewer_starts_nothing,
    routes_of,
)

# One fixture makes the installation, its tables and three starts of the API server.
pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]

BURST = "sb26030704"
KINDS = ("database", "oidc", "ldap")
PERSON = {"viewer": "bob", "user": "ada", "op": "olga"}
"""Of LDAP and OpenID, by role; their groups are those of `PEOPLE`."""
ROLE_OF_GROUP = {"observers": "viewer", "burst-advocates": "user", "operators": "op"}
LDAP = """
[auth]
manager = "fab"

[auth.ldap]
server = "{url}"
ca = "{{ca}}"
bind_user = "{reader}"
bind_password = "{{secrets}}/reader"
search = "ou=people,{base}"

[auth.groups]
{groups}
"""
OIDC = """
[auth]
manager = "fab"

[auth.oidc]
issuer = "{issuer}"
ca = "{{ca}}"
client_id = "{client}"
client_secret = "{{secrets}}/client"

[auth.groups]
{groups}
"""


@pytest.fixture(scope="module")
def secure():
    """An installation with its API server and DAG processor, and accounts in the database."""
    with installation('[auth]\nmanager = "fab"\n') as made:
        # In the wrong order: both wait for the tables.
        made.start(Service.API_SERVER, Service.DAG_PROCESSOR, ready=False)
        made.migrate()
        made.wait_for(Service.API_SERVER, Service.DAG_PROCESSOR)
        ready = partial(made.api.unpause, "mxt_vhf")
        wait_until(ready, what="DAG mxt_vhf", timeout=300, processes=made.processes)
        yield made


@pytest.fixture(scope="module")
def routes(secure):
    return routes_of(service_environment(secure.deployment))


@contextmanager
def ldap_server(secure):
    """Run a directory, and let the installation ask it."""
    folder = secure.config.parent
    certificate, key = secure.authority.issue("ldap")
    place = Path(tempfile.mkdtemp(prefix="ldap-", dir=folder))
    with LdapServer(place, certificate, key, secure.authority.ca) as server:
        (folder / "secrets" / "reader").touch(0o600)
        (folder / "secrets" / "reader").write_text(READER_PASSWORD)
        groups = "\n".join(f'"{group_dn(group)}" = "{role}"' for group, role in ROLE_OF_GROUP.items())
        secure.configure(LDAP.format(url=server.url, reader=READER, base=BASE, groups=groups))
        yield server


@contextmanager
def oidc_provider(secure):
    """Run an OpenID provider, and let the installation send browsers there."""
    certificate, key = secure.authority.issue("oidc")
    back = f"{secure.url}/auth/oauth-authorized/sso"
    folder = secure.config.parent / "oidc"
    with OidcProvider(folder, certificate, key, secure.authority.ca, back) as provider:
        groups = "\n".join(f'{group} = "{role}"' for group, role in ROLE_OF_GROUP.items())
        secure.configure(OIDC.format(issuer=provider.issuer, client=CLIENT_ID, groups=groups))
        yield provider


@pytest.fixture(scope="module", params=KINDS)
def users(request, secure):
    """Users of each role, known by one of the login methods, and the directory that knows them."""
    token, directory = {"robot": secure.token("robot"), "admin": secure.token("admin")}, None
    with ExitStack() as end:
        if request.param == "database":
            token |= {role: secure.token(role) for role in PERSON}
        elif request.param == "ldap":
            directory = end.enter_context(ldap_server(secure))
            token |= {role: secure.token(name, f"ldap-{name}") for role, name in PERSON.items()}
        else:
            provider = end.enter_context(oidc_provider(secure))
            for role, name in PERSON.items():
                token[role] = provider.log_in(secure.url, name).cookies["_token"]
        yield WebUsers(secure.url, token, secure.authority.ca, directory)


def test_every_url_requires_a_login(users, routes):
    check_strangers(users, routes)


def test_a_viewer_reads_everything_and_changes_nothing(users, routes):
    check_viewer(users, routes)


@pytest.mark.parametrize("role", ["robot", "user", "op", "admin"])
def test_users_who_may_trigger_can_start_runs(users, role):
    check_starter(users, role)


def test_a_viewer_cannot_start_runs_by_airflows_api(users, tmp_path):
    check_viewer_starts_nothing(users, conf_of("sb26030303", tmp_path))


def test_connections_are_for_operators(users):
    check_connections_are_closed(users, "viewer", "robot", "user")
    assert users.ask("GET", "/api/v2/connections", role="op").status_code == 200


def test_a_robot_starts_and_reads_runs_and_does_nothing_else(users, secure, tmp_path):
    write_scenario(scenario_of("sb26030303", counts=50, seed=3), tmp_path)
    path = "/api/v2/dags/mxt_vhf/dagRuns"
    run = {"dag_run_id": "robots", "logical_date": None, "conf": conf_of("sb26030303", tmp_path)}
    assert users.ask("POST", path, role="robot", json=run).status_code in (200, 409)
    assert users.ask("GET", f"{path}/robots", role="robot").json()["dag_run_id"] == "robots"
    assert users.ask("GET", f"{path}/robots/taskInstances", role="robot").status_code == 200
    for change in ({"note": "stopped"}, {"state": "failed"}):
        stopped = users.ask("PATCH", f"{path}/robots", role="robot", json=change)
        assert stopped.status_code == 200, stopped.text
    answer = f"{path}/robots/taskInstances/update_BA/-1/hitlDetails"
    for method, refused, body in (
        ("PATCH", answer, {"chosen_options": ["Approve"], "params_input": {}}),
        ("DELETE", f"{path}/robots", None),
        ("GET", "/api/v2/variables", None),
        ("GET", "/api/v2/pools", None),
        ("POST", "/api/v2/connections", {"connection_id": "x", "conn_type": "http"}),
        ("GET", "/auth/fab/v1/users", None),
        ("GET", "/api/v2/eventLogs", None),
    ):
        assert users.ask(method, refused, role="robot", json=body).status_code == 403, refused


def test_a_user_in_no_group_has_no_rights(users, secure):
    if users.directory is None:
        pytest.skip(
            "asked of LDAP only: the database has no groups, those of OpenID Connect are mapped alike"
        )
    (nobody,) = (name for name, group in PEOPLE.items() if group is None)
    token = secure.token(nobody, f"ldap-{nobody}")
    for path in ("/api/v2/dags", "/mxtvhf/desk", "/api/v2/connections"):
        assert users.ask("GET", path, token=token).status_code == 403, path


def test_wrong_passwords_are_rejected(users, secure):
    for name, password in (("admin", "guess"), ("ada", "guess"), ("nobody", "guess")):
        with pytest.raises(Failure, match=f"user '{name}' refused"):
            secure.token(name, password)


# ------------------------------------------------------------------ what fails, and comes back by itself


def test_without_the_directory_only_local_accounts_can_log_in(users, secure):
    if users.directory is None:
        pytest.skip("asked of LDAP only: the others have no directory")
    secure.token("ada", "ldap-ada")
    users.directory.stop()
    try:
        with pytest.raises(Failure, match="refused"):
            secure.token("ada", "ldap-ada")
        assert "Can't contact LDAP server" in secure.log(Service.API_SERVER)
        secure.token("intake")
    finally:
        users.directory.start()
    secure.token("ada", "ldap-ada")


def test_passwords_are_hashed_in_the_database_and_no_secret_is_written_anywhere(secure):
    with secure.cursor() as cursor:
        cursor.execute("SELECT username, password FROM ab_user")
        stored = dict(cursor.fetchall())
    assert set(ACCOUNTS) <= stored.keys()
    assert all(stored[name].startswith("scrypt:") for name in ACCOUNTS)
    secrets = [*json.loads(SECRETS["users"]).values(), *SECRETS.values(), READER_PASSWORD]
    places = (secure.config.parent / "state", secure.processes.logs)
    for path in (path for place in places for path in place.rglob("*") if path.is_file()):
        text = path.read_text(errors="replace")
        assert not [secret for secret in secrets if secret in text], path


def test_a_new_password_and_role_take_effect_at_the_next_migration(secure):
    file = secure.config.parent / "secrets" / "users"
    passwords = json.loads(file.read_text())
    file.write_text(json.dumps({**passwords, "robot": "canary-new"}))
    try:
        secure.migrate()
        secure.token("robot", "canary-new")
        with pytest.raises(Failure, match="refused"):
            secure.token("robot")
    finally:
        file.write_text(json.dumps(passwords))
        secure.migrate()
    secure.token("robot")


def test_the_listener_cannot_be_an_administrator(secure):
    text = secure.config.read_text()
    try:
        for wrong in ('intake_user = "admin"', 'intake_user = "boss"'):
            changed = text.replace("[nats_tls]", f"{wrong}\n[nats_tls]", 1)
            changed = changed.replace('op = "op"', 'op = "op"\nboss = "admin"')
            secure.config.write_text(changed)
            with pytest.raises(
                InvalidInput,
                match=r"expected an account with fewer rights|found the role admin; expected robot",
            ):
                secure.read()
    finally:
        secure.config.write_text(text)


def test_an_incomplete_migration_is_reported_and_waited_for(secure):
    """After an interrupted upgrade a service waits and starts when the tables are complete."""
    with secure.cursor() as cursor:
        cursor.execute("SELECT version_num FROM alembic_version")
        (head,) = cursor.fetchone()
        cursor.execute("UPDATE alembic_version SET version_num = '29ce7909c52b'")  # that of Airflow 3.0.0
        cursor.connection.commit()
    try:
        secure.restart(Service.DAG_PROCESSOR, ready=False)

        def says():
            return "the tables do not match Airflow" in secure.log(Service.DAG_PROCESSOR)

        wait_until(says, what="the line in the log", timeout=120, processes=secure.processes)
    finally:
        with secure.cursor() as cursor:
            cursor.execute("UPDATE alembic_version SET version_num = %s", (head,))
            cursor.connection.commit()
    secure.wait_for(Service.DAG_PROCESSOR)


# ------------------------------------------------------------------ all parts together


def test_an_alert_becomes_a_report_with_tls_between_all_parts(secure, tmp_path):
    """The tasks trust the API server by the authority; the listener starts the run as a robot.

    The services start in the wrong order, and there are two schedulers.
    """
    deployment = secure.deployment
    secure.start(Service.LISTEN, Service.WORKER, Service.SCHEDULER, ready=False)
    secure.processes.start("scheduler-2", entrypoint(Service.SCHEDULER, secure.config))
    secure.start(Service.NATS, Service.REDIS, Service.GP, Service.TRIGGERER)
    secure.wait_for(Service.LISTEN, Service.WORKER, Service.SCHEDULER)
    alert, _, packets, _ = write_scenario(scenario_of(BURST), tmp_path)

    async def publish():
        client = await connect(
            deployment.nats_url, deployment.nats_credentials, tls=deployment.nats_tls, name="test", timeout=60
        )
        for subject, path in (("alerts", alert), ("packets.test", packets)):
            await client.jetstream(timeout=60).publish(f"mxtvhf.in.{subject}", path.read_bytes())
        await client.close()

    asyncio.run(publish())
    run = Runner(secure, deployment)
    (first, *_) = planned(deployment, BURST, has_packets)
    run_id = first.run_id
    assert run.wait(run_id, timeout=600) == "success"
    assert secure.api.run(run_id)["triggering_user_name"] == deployment.intake_user
    tasks = secure.api.get(f"{run_path(run_id)}/taskInstances")["task_instances"]
    assert {task["try_number"] for task in tasks if task["state"] == "success"} == {1}
    assert json.loads((run.folder(run_id) / "report.json").read_text())["best_position"]
