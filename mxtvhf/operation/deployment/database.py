"""Airflow's database at the start of the services: none of Airflow's may start before its tables exist."""

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
"""How often the log says what is waited for."""
ENCODING = "UTF8"
PASSING = ("starting up", "shutting down", "recovery", "not yet accepting", "too many", "connection slots")
"""In the refusals of PostgreSQL that pass by themselves (SQLSTATE 57P03, 53300)."""


def wait_for_tables(database: DatabasePart, timeout: float = LONGEST_WAIT_S) -> None:
    """Wait until the service ``migrate`` has made the tables; it writes their version at its end.

    Raises
    ------
    Failure
        The database refuses the connection, or the time is over; the message says what was missing.
    """
    wait_while(lambda: _lack(database, _lack_of_tables), place_of(database), timeout)


def wait_for_database(database: DatabasePart, timeout: float = LONGEST_WAIT_S) -> None:
    """Wait until the database accepts connections, and check that it can hold any text.

    Raises
    ------
    Failure
        As for `wait_for_tables`; or its encoding is not UTF-8, with which each run would fail in its middle.
    """
    wait_while(lambda: _lack(database, _check_encoding), place_of(database), timeout)


def place_of(database: DatabasePart) -> str:
    """Name a database in messages."""
    return f"database {database.name} at {database.host}"


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


def wait_while(lack_of: Callable[[], str], place: str, timeout: float) -> None:
    """Wait until nothing is missing, and say now and then what is waited for.

    Parameters
    ----------
    lack_of
        Returns what is missing in a few words, an empty text when nothing is.
    place
        Where it is missing, for messages.
    timeout
        For how long, seconds.

    Raises
    ------
    Failure
        The time is over; the message says what was missing.
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


def _lack(database: DatabasePart, lack_of: Callable[[Cursor], str]) -> str:
    """Return what is missing in a few words; empty when nothing is."""
    import psycopg2

    try:
        with database_cursor(database) as cursor:
            return lack_of(cursor)
    except psycopg2.OperationalError as error:
        # libpq gives no SQLSTATE for a refused connection. The server's words hold no password.
        _, was_refused, cause = str(error).partition("FATAL:")
        cause = cause.strip().partition("\n")[0]
        if was_refused and not any(words in cause for words in PASSING):
            raise Failure(f"{place_of(database)}: {cause}") from None
        # Without an answer of the server, libpq says why: nobody listens, a certificate is not accepted, ...
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
