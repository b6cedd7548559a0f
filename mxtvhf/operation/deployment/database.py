"""Checks of Airflow's database before a service starts. Airflow's services need existing tables."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
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
REMINDER_S = 30.0
"""Seconds between two log messages of a waiting service."""
ENCODING = "UTF8"
PASSING = ("starting up", "shutting down", "recovery", "not yet accepting", "too many", "connection slots")
"""Words in PostgreSQL's messages about temporary refusals (SQLSTATE 57P03, 53300)."""


def wait_for_tables(database: DatabasePart, timeout: float = LONGEST_WAIT_S) -> None:
    """Wait until the service ``migrate`` has created the tables. It writes their version last.

    Raises
    ------
    Failure
        The database rejects the connection, or the time is over. The message says what is missing.
    """
    wait_while(lambda: lack_in(database, _lack_of_tables), place_of(database), timeout)


def wait_for_database(database: DatabasePart, timeout: float = LONGEST_WAIT_S) -> None:
    """Wait until the database accepts connections, and check that its encoding is UTF-8.

    Raises
    ------
    Failure
        As for `wait_for_tables`, or the encoding is not UTF-8, which would make every run fail.
    """
    wait_while(lambda: lack_in(database, _check_encoding), place_of(database), timeout)


def place_of(database: DatabasePart) -> str:
    """Return the name of a database for messages."""
    return f"database {database.name} at {database.host}"


@contextmanager
def database_cursor(database: DatabasePart) -> Iterator[Cursor]:
    """Yield a cursor on Airflow's database. Errors are those of psycopg2."""
    import psycopg2

    uri = database_uri(database).replace("+psycopg2", "")
    with (
        closing(psycopg2.connect(uri, connect_timeout=CONNECT_S)) as connection,
        connection.cursor() as cursor,
    ):
        yield cursor


def wait_while(lack_of: Callable[[], str], place: str, timeout: float) -> None:
    """Wait until nothing is missing, and log every `REMINDER_S` what is missing.

    Parameters
    ----------
    lack_of
        Function that returns what is missing in a few words; an empty text if nothing is missing.
    place
        Name of the dependency in messages.
    timeout
        Time limit, seconds.

    Raises
    ------
    Failure
        The time is over. The message says what is missing.
    """
    began, reminder = time.monotonic(), 0.0
    while lack := lack_of():
        waited = time.monotonic() - began
        if waited > timeout:
            raise Failure(f"{place}: {lack} after {timeout:.0f} s")
        if waited >= reminder:
            print(f"mxtvhf: waiting for {place}: {lack}", file=sys.stderr, flush=True)
            reminder += REMINDER_S
        time.sleep(PAUSE_S)


def lack_in(database: DatabasePart, lack_of: Callable[[Cursor], str]) -> str:
    """Return what a query finds missing in a database, or why the database does not answer.

    Parameters
    ----------
    database
        Airflow's database.
    lack_of
        Function that returns what is missing in a few words; an empty text if nothing is missing.

    Raises
    ------
    Failure
        The database rejects the connection.
    """
    import psycopg2

    try:
        with database_cursor(database) as cursor:
            return lack_of(cursor)
    except psycopg2.OperationalError as error:
        # libpq gives no SQLSTATE for a refused connection. The server's message contains no password.
        _, was_refused, cause = str(error).partition("FATAL:")
        cause = cause.strip().partition("\n")[0]
        if was_refused and not any(words in cause for words in PASSING):
            raise Failure(f"{place_of(database)}: {cause}") from None
        # Without an answer of the server, libpq gives the reason: no listener, invalid certificate, ...
        reason = str(error).rpartition("failed: ")[2].strip().partition("\n")[0]
        return cause or f"no connection ({reason})"


def _lack_of_tables(cursor: Cursor) -> str:
    cursor.execute("SELECT to_regclass('alembic_version')")  # no error in the server's log
    (table,) = cursor.fetchone() or (None,)
    if table is None:
        return "no tables"
    cursor.execute("SELECT count(*) FROM alembic_version")
    (versions,) = cursor.fetchone() or (0,)
    return "" if versions else "tables not ready"


def _check_encoding(cursor: Cursor) -> str:
    cursor.execute("SHOW server_encoding")
    (encoding,) = cursor.fetchone() or ("unknown",)
    if encoding != ENCODING:
        raise Failure(f"the database has the encoding {encoding}; create one with ENCODING '{ENCODING}'")
    return ""
