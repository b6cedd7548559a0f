"""Airflow's tables: nothing of Airflow may start before they are there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from mxtvhf.errors import Failure
from mxtvhf.operation.deployment.configuration import DatabasePart
from mxtvhf.operation.deployment.environment import database_uri

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor  # noqa: N812

CONNECT_S = 5
LONGEST_WAIT_S = 300.0
PAUSE_S = 2.0


def wait_for_tables(database: DatabasePart, timeout: float = LONGEST_WAIT_S) -> None:
    """Wait until the service ``migrate`` has made the tables; its last deed is to write down their version.

    Raises
    ------
    Failure
        The time is over; the message says what was missing.
    """
    deadline = time.monotonic() + timeout
    while lack := _lack(database):
        if time.monotonic() > deadline:
            raise Failure(f"database {database.name} at {database.host}: {lack} after {timeout:.0f} s")
        time.sleep(PAUSE_S)


@contextmanager
def database_cursor(database: DatabasePart) -> Iterator[Cursor]:
    """Connect to Airflow's database for a question; errors are psycopg2's."""
    import psycopg2

    uri = database_uri(database).replace("+psycopg2", "")
    with (
        closing(psycopg2.connect(uri, connect_timeout=CONNECT_S)) as connection,
        connection.cursor() as cursor,
    ):
        yield cursor


def _lack(database: DatabasePart) -> str:
    """Return what is missing, in a few words; none of them comes from the database, where passwords are."""
    import psycopg2
    from psycopg2.errors import UndefinedTable

    try:
        with database_cursor(database) as cursor:
            cursor.execute("SELECT count(*) FROM alembic_version")
            found = cursor.fetchone()
    except UndefinedTable:
        return "no tables"
    except psycopg2.OperationalError:
        return "no connection"
    return "" if found and found[0] else "tables not ready"
