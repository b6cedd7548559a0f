"""A real PostgreSQL that requires TLS and certificates, reached through a configuration file."""

import asyncio
import tempfile
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from mxtvhf.errors import Failure
from mxtvhf.operation.deployment.configuration import DatabasePart
from mxtvhf.operation.deployment.database import wait_for_database
from mxtvhf.operation.deployment.environment import (
    async_database_uri,
    asyncpg_environment,
    database_uri,
)
from support.certificates import HOUR, Authority
from support.postgres_server import PostgresServer

pytestmark = pytest.mark.service
PASSWORD = "canary of: postgres@/"
QUESTION = "SELECT ssl, client_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


@pytest.fixture(scope="module")
def place():
    """Return a folder that PostgreSQL can read as any user."""
    with tempfile.TemporaryDirectory(prefix="mxtvhf-tests-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def authority(place):
    return Authority(place / "authority")


@pytest.fixture(scope="module")
def server(place, authority):
    certificate, key = authority.issue("server")
    with PostgresServer(place / "postgres", certificate, key, authority.ca, PASSWORD) as running:
        yield running


@pytest.fixture
def part(server, place, authority):
    """Return the table of a configuration file for this server with changes."""
    secret = place / "password"
    secret.touch(0o600)
    secret.write_text(PASSWORD)
    certificate, key = authority.issue("airflow")
    values = {
        "host": "localhost",
        "port": server.port,
        "password": secret,
        "sslmode": "verify-full",
        "ca": authority.ca,
        "certificate": certificate,
        "key": key,
    }
    return lambda **changes: DatabasePart(**(values | changes))


def connected(part):
    return psycopg2.connect(database_uri(part).replace("+psycopg2", ""))


def test_both_drivers_use_tls_and_present_their_certificate(part, monkeypatch):
    with closing(connected(part())) as connection, connection.cursor() as cursor:
        cursor.execute(QUESTION)
        assert cursor.fetchone() == (True, "/CN=airflow")
    for name, value in asyncpg_environment(part()).items():
        monkeypatch.setenv(name, value)

    async def ask():
        engine = create_async_engine(async_database_uri(part()))
        async with engine.connect() as connection:
            found = (await connection.execute(text(QUESTION))).one()
        await engine.dispose()
        return tuple(found)

    assert asyncio.run(ask()) == (True, "/CN=airflow")


def test_invalid_tls_connections_are_rejected(part, place, authority):
    expired = authority.issue("expired", begins=-2 * HOUR, ends=-HOUR)
    other = authority.issue("somebody")
    for changes, cause in (
        ({"sslmode": "disable"}, "no pg_hba.conf entry"),
        ({"certificate": None, "key": None}, "certificate"),
        ({"certificate": other[0], "key": other[1]}, "authentication failed"),  # of another user
        ({"certificate": expired[0], "key": expired[1]}, "expired"),
        ({"ca": Authority(place / "elsewhere").ca}, "certificate verify failed"),
        ({"host": "127.0.0.2"}, "refused|certificate"),
    ):
        with pytest.raises(psycopg2.OperationalError, match=cause):
            connected(part(**changes))


def test_a_waiting_service_reports_an_invalid_certificate(part, place):
    """All TLS errors used to be reported as "no connection"."""
    elsewhere = Authority(place / "another").ca
    with pytest.raises(Failure, match=r"no connection \(.*certificate verify failed.*\) after 0 s") as caught:
        wait_for_database(part(ca=elsewhere), timeout=0.0)
    assert PASSWORD not in str(caught.value)


def test_a_key_that_libpq_rejects_is_named(part, authority):
    _, key = authority.issue("airflow")
    key.chmod(0o644)
    with pytest.raises(ValueError, match="readable by everybody"):
        part(key=key)
