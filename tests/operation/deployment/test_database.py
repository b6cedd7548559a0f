import json

import psycopg2
import pytest

from mxtvhf.errors import Failure
from mxtvhf.operation.deployment import database
from mxtvhf.operation.deployment.configuration import DatabasePart
from mxtvhf.operation.deployment.database import wait_for_database, wait_for_tables
from mxtvhf.operation.deployment.migrations import (
    VERSION_TABLES,
    installed_revisions,
    newest_revisions,
    wait_for_migrations,
)
from mxtvhf.operation.stack.postgresql import embedded_postgresql
from support.airflow_runs import state_folder

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def server():
    with state_folder() as state, embedded_postgresql(state / "postgres") as running:
        yield psycopg2.extensions.parse_dsn(running.uri.replace("+psycopg2", ""))


@pytest.fixture
def part(server, tmp_path):
    """Return the table of a configuration file for a database of this server."""

    def make(name):
        (tmp_path / "password").touch(0o600)
        (tmp_path / "password").write_text("word")
        return DatabasePart(host=server["host"], user="postgres", name=name, password=tmp_path / "password")

    return make


def execute(server, name, text):
    connection = psycopg2.connect(**{**server, "dbname": name})
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(text)
    connection.close()


def test_a_rejected_login_ends_the_wait_with_the_message_of_the_server(part, monkeypatch):
    monkeypatch.setattr(database.time, "sleep", lambda seconds: pytest.fail("waited"))
    with pytest.raises(Failure, match=r'database nowhere at .*: database "nowhere" does not exist') as caught:
        wait_for_tables(part("nowhere"))
    assert "\n" not in str(caught.value)


def test_the_wait_for_missing_tables_is_logged_regularly(server, part, monkeypatch, capsys):
    execute(server, "airflow", "DROP TABLE IF EXISTS alembic_version")
    clock = [0.0]
    steps = {
        10: "CREATE TABLE alembic_version (version_num text)",
        90: "INSERT INTO alembic_version VALUES ('1')",
    }

    def sleep(seconds):
        clock[0] += seconds
        if text := steps.get(round(clock[0])):
            execute(server, "airflow", text)

    monkeypatch.setattr(database.time, "sleep", sleep)
    monkeypatch.setattr(database.time, "monotonic", lambda: clock[0])
    wait_for_tables(part("airflow"))
    assert clock == [90.0]
    told = capsys.readouterr().err.splitlines()
    assert [line.rpartition(": ")[2] for line in told] == ["no tables", *["tables not ready"] * 2]


def test_tables_missing_after_the_time_limit_are_a_failure(server, part):
    execute(server, "airflow", "DROP TABLE IF EXISTS alembic_version")
    with pytest.raises(Failure, match="no tables after 0 s"):
        wait_for_tables(part("airflow"), timeout=0.0)


def test_a_database_that_does_not_answer_is_a_failure(part, tmp_path):
    away = part("airflow").model_copy(update={"host": tmp_path})
    with pytest.raises(Failure, match=r"no connection \(.*\) after 0 s"):
        wait_for_database(away, timeout=0.0)


def test_a_database_without_utf8_is_rejected(server, part):
    execute(server, "airflow", "DROP DATABASE IF EXISTS ascii")
    execute(
        server,
        "airflow",
        "CREATE DATABASE ascii ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0",
    )
    with pytest.raises(Failure, match="encoding SQL_ASCII; create one with ENCODING 'UTF8'"):
        wait_for_database(part("ascii"))
    wait_for_database(part("airflow"))


@pytest.mark.parametrize("word", ["the database system is starting up", "sorry, too many clients already"])
def test_temporary_refusals_are_waited_for(part, monkeypatch, word):
    def refuse(*_, **__):
        raise psycopg2.OperationalError(f'connection to server at "postgres" failed: FATAL:  {word}\n')

    monkeypatch.setattr(psycopg2, "connect", refuse)
    with pytest.raises(Failure, match=f"{word} after 0 s"):
        wait_for_tables(part("airflow"), timeout=0.0)


@pytest.fixture
def migrated(server):
    """Record the installed revisions in the database; return the table names and their revisions."""
    newest = installed_revisions()
    for table, revisions in newest.items():
        rows = ", ".join(f"('{revision}')" for revision in revisions)
        execute(server, "airflow", f"DROP TABLE IF EXISTS {table}")
        execute(server, "airflow", f"CREATE TABLE {table} (version_num text)")
        execute(server, "airflow", f"INSERT INTO {table} VALUES {rows}")  # noqa: S608
    return newest


def test_tables_of_the_installed_version_are_complete(part, migrated):
    assert migrated.keys() == VERSION_TABLES.keys()
    wait_for_migrations(part("airflow"), timeout=0.0)


@pytest.mark.parametrize("table", VERSION_TABLES)
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE {table} SET version_num = '29ce7909c52b'",
        "INSERT INTO {table} VALUES ('29ce7909c52b')",
        "DELETE FROM {table}",
        "DROP TABLE {table}",
    ],
)
def test_an_incomplete_migration_of_any_package_is_waited_for(
    server, part, migrated, monkeypatch, capsys, table, change
):
    execute(server, "airflow", change.format(table=table))
    with pytest.raises(Failure, match=r"do not match Airflow 3[0-9.]+; the service migrate has not run or"):
        wait_for_migrations(part("airflow"), timeout=0.0)

    def complete(_seconds):
        (revision,) = migrated[table]
        execute(server, "airflow", f"CREATE TABLE IF NOT EXISTS {table} (version_num text)")
        text = f"DELETE FROM {table}; INSERT INTO {table} VALUES ('{revision}')"  # noqa: S608
        execute(server, "airflow", text)

    monkeypatch.setattr(database.time, "sleep", complete)
    wait_for_migrations(part("airflow"))
    assert "do not match Airflow" in capsys.readouterr().err.splitlines()[-1]


def test_a_database_without_an_answer_is_waited_for(part, tmp_path):
    away = part("airflow").model_copy(update={"host": tmp_path})
    with pytest.raises(Failure, match=r"no connection \(.*\) after 0 s"):
        wait_for_migrations(away, timeout=0.0)


def test_a_revision_is_newest_if_no_other_follows_it(tmp_path):
    for revision, followed in (("a", None), ("b", "a"), ("c", "a"), ("d", ("b", "c")), ("e", "a")):
        told = json.dumps(followed).replace("null", "None").replace("[", "(").replace("]", ")")
        (tmp_path / f"{revision}.py").write_text(f'revision = "{revision}"\ndown_revision = {told}\n')
    (tmp_path / "f.py").write_text('revision: str = "f"\ndown_revision: str | None = "e"\n')
    assert newest_revisions(tmp_path) == {"d", "f"}
