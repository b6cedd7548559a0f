"""The tables of a PostgreSQL database as text files, taken in one snapshot and put back in one transaction.

By ``COPY`` over an ordinary connection: it works while everything runs and between all versions of the
server, needs no programs of PostgreSQL's (``pg_dump`` must be as new as its server), and the tables
themselves are made by the Airflow that will use them.
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

# What a server computes by itself is neither taken nor put back.
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
    """Where a sequence stands."""

    last_value: int
    is_called: bool


class DatabaseDump(Model):
    """What was taken of a database."""

    tables: Mapping[str, tuple[str, ...]]
    """Columns of each table; its rows are in ``<table>.copy``, in PostgreSQL's text format, UTF-8."""
    sequences: Mapping[str, SequenceState]


@contextmanager
def _transaction(uri: str, *, readonly: bool) -> Iterator[Cursor]:
    """Yield the cursor of one transaction, which is undone when the context is left by an error."""
    # SQLAlchemy's name of the driver is no part of PostgreSQL's own URIs.
    connection = psycopg2.connect(uri.replace("postgresql+psycopg2:", "postgresql:", 1))
    try:
        connection.set_session(isolation_level=ISOLATION_LEVEL_REPEATABLE_READ, readonly=readonly)
        connection.set_client_encoding("UTF8")
        with connection, connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


def dump_tables(uri: str, folder: Path) -> DatabaseDump:
    """Write all tables as they stand at one moment, ``<table>.copy`` each.

    Parameters
    ----------
    uri
        Of the database, as libpq or SQLAlchemy write it; the tables of its default schema are taken.
    folder
        Where to write.

    Raises
    ------
    psycopg2.Error
        The database cannot be reached or read.
    """
    with _transaction(uri, readonly=True) as cursor:
        tables = _tables(cursor)
        for table, columns in tables.items():
            with (folder / f"{table}.copy").open("wb") as file:
                cursor.copy_expert(_copy(table, columns, "TO STDOUT"), file)
        return DatabaseDump(tables=tables, sequences=_sequences(cursor))


def load_tables(uri: str, folder: Path, dump: DatabaseDump) -> None:
    """Replace the content of all tables by what `dump_tables` took; all of it or, on an error, nothing.

    The tables must be there, empty or not, and nobody else must use them. Their foreign keys are taken away
    meanwhile and checked at the end, so that the order of the tables does not matter.

    Raises
    ------
    Failure
        The database has other tables or columns than the dump.
    psycopg2.Error
        The database cannot be reached, or refuses the rows.
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
    """Tell whether a table is there and has a row."""
    with _transaction(uri, readonly=True) as cursor:
        if table not in _tables(cursor):
            return False
        cursor.execute(_statement("SELECT 1 FROM {} LIMIT 1", table))
        return cursor.fetchone() is not None


def running_components(uri: str, sign_of_life: timedelta) -> tuple[str, ...]:
    """Name the components of Airflow, with their hosts, that had a heartbeat within a while."""
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
        raise Failure(f"the database has other tables than the backup: {', '.join(differing[:5])}")


def _copy(table: str, columns: tuple[str, ...], direction: str) -> sql.Composed:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    return sql.SQL("COPY {} ({}) ").format(sql.Identifier(table), names) + sql.SQL(direction)


def _statement(text: str, *names: str) -> sql.Composed:
    return sql.SQL(text).format(*map(sql.Identifier, names))
