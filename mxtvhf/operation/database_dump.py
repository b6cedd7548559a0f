"""Dump of the tables of a PostgreSQL database in one snapshot, and its restore in one transaction.

The dump uses ``COPY`` over an ordinary connection. This works while the stack runs and between all server
versions, and it needs no program of PostgreSQL (``pg_dump`` must be as new as its server). The Airflow that
will use the tables creates them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import ISOLATION_LEVEL_REPEATABLE_READ

from mxtvhf.errors import Failure
from mxtvhf.models.base import Model

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor  # noqa: N812

# Generated columns are neither dumped nor restored, because the server computes them.
COLUMNS = """
    SELECT c.relname, array_agg(a.attname::text ORDER BY a.attname)
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
      AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
    GROUP BY c.relname ORDER BY c.relname"""
SEQUENCES = """
    SELECT relname FROM pg_class
    WHERE relnamespace = current_schema()::regnamespace AND relkind = 'S' ORDER BY relname"""
FOREIGN_KEYS = """
    SELECT c.relname, k.conname, pg_get_constraintdef(k.oid)
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
    WHERE k.connamespace = current_schema()::regnamespace AND k.contype = 'f'"""


class SequenceState(Model):
    """The state of a sequence."""

    last_value: int
    is_called: bool


class DatabaseDump(Model):
    """The content of a database dump."""

    tables: Mapping[str, tuple[str, ...]]
    """Columns of each table; the rows are in ``<table>.copy``, in PostgreSQL's text format, UTF-8."""
    sequences: Mapping[str, SequenceState]


@contextmanager
def _transaction(uri: str, *, readonly: bool) -> Iterator[Cursor]:
    """Yield the cursor of one transaction, which is rolled back on an error."""
    # PostgreSQL's own URIs do not contain SQLAlchemy's name of the driver.
    connection = psycopg2.connect(uri.replace("postgresql+psycopg2:", "postgresql:", 1))
    try:
        connection.set_session(isolation_level=ISOLATION_LEVEL_REPEATABLE_READ, readonly=readonly)
        connection.set_client_encoding("UTF8")
        with connection, connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


def dump_tables(uri: str, folder: Path) -> DatabaseDump:
    """Write all tables of one snapshot, each as ``<table>.copy``.

    Parameters
    ----------
    uri
        URI of the database in the form of libpq or SQLAlchemy. The tables of its default schema are dumped.
    folder
        Output folder.

    Raises
    ------
    psycopg2.Error
        The database is unreachable or cannot be read.
    """
    with _transaction(uri, readonly=True) as cursor:
        tables = _tables(cursor)
        for table, columns in tables.items():
            with (folder / f"{table}.copy").open("wb") as file:
                cursor.copy_expert(_copy(table, columns, "TO STDOUT"), file)
        return DatabaseDump(tables=tables, sequences=_sequences(cursor))


def load_tables(uri: str, folder: Path, dump: DatabaseDump) -> None:
    """Replace the content of all tables by a dump of `dump_tables`. On an error nothing is changed.

    The tables must exist, and no other process may use them. Foreign keys are dropped and created again at
    the end, so that the order of the tables does not matter.

    Raises
    ------
    Failure
        The database has other tables or columns than the dump.
    psycopg2.Error
        The database is unreachable or rejects the rows.
    """
    with _transaction(uri, readonly=False) as cursor:
        _check_same(dump.tables, _tables(cursor))
        cursor.execute(FOREIGN_KEYS)
        keys = cursor.fetchall()
        for table, key, _ in keys:
            cursor.execute(_statement("ALTER TABLE {} DROP CONSTRAINT {}", table, key))
        for table, columns in dump.tables.items():
            cursor.execute(_statement("TRUNCATE {}", table))
            with (folder / f"{table}.copy").open("rb") as file:
                cursor.copy_expert(_copy(table, columns, "FROM STDIN"), file)
        for table, key, definition in keys:
            cursor.execute(_statement("ALTER TABLE {} ADD CONSTRAINT {} ", table, key) + sql.SQL(definition))
        for name, state in dump.sequences.items():
            values = (name, state.last_value, state.is_called)
            cursor.execute("SELECT setval(quote_ident(%s)::regclass, %s, %s)", values)


def has_rows(uri: str, table: str) -> bool:
    """Return True if a table exists and has rows."""
    with _transaction(uri, readonly=True) as cursor:
        if table not in _tables(cursor):
            return False
        cursor.execute(_statement("SELECT 1 FROM {} LIMIT 1", table))
        return cursor.fetchone() is not None


def running_components(uri: str, sign_of_life: timedelta) -> tuple[str, ...]:
    """Return the components of Airflow and their hosts with a heartbeat not older than ``sign_of_life``."""
    with _transaction(uri, readonly=True) as cursor:
        if "job" not in _tables(cursor):
            return ()
        cursor.execute(
            "SELECT DISTINCT job_type, hostname FROM job"
            " WHERE state = 'running' AND latest_heartbeat > now() - %s ORDER BY 1, 2",
            (sign_of_life,),
        )
        return tuple(f"{kind} on {host}" for kind, host in cursor.fetchall())


def _tables(cursor: Cursor) -> dict[str, tuple[str, ...]]:
    cursor.execute(COLUMNS)
    return {table: tuple(columns) for table, columns in cursor.fetchall()}


def _sequences(cursor: Cursor) -> dict[str, SequenceState]:
    found = {}
    cursor.execute(SEQUENCES)
    for (name,) in cursor.fetchall():
        cursor.execute(_statement("SELECT last_value, is_called FROM {}", name))
        last_value, is_called = cursor.fetchall()[0]
        found[name] = SequenceState(last_value=last_value, is_called=is_called)
    return found


def _check_same(taken: Mapping[str, tuple[str, ...]], present: Mapping[str, tuple[str, ...]]) -> None:
    differing = sorted(
        table for table in taken.keys() | present.keys() if taken.get(table) != present.get(table)
    )
    if differing:
        raise Failure(
            f"the tables of the database differ from those of the backup: {', '.join(differing[:5])}; "
            "restore with the version of Airflow that made the backup"
        )


def _copy(table: str, columns: tuple[str, ...], direction: str) -> sql.Composed:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    return sql.SQL("COPY {} ({}) ").format(sql.Identifier(table), names) + sql.SQL(direction)


def _statement(text: str, *names: str) -> sql.Composed:
    return sql.SQL(text).format(*map(sql.Identifier, names))
