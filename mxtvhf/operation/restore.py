"""A backup put back: into an empty state folder and database, or over what is there when that is wanted."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import psycopg2

from mxtvhf.archive.archive import Archive
from mxtvhf.errors import Failure, InvalidInput
from mxtvhf.intake.burst_state import planned_runs, submission_path
from mxtvhf.intake.intake import alive_file
from mxtvhf.intake.open_bursts import OpenBursts
from mxtvhf.models.files import changed_at
from mxtvhf.operation.backup import FOLDERS, SECRETS, first_line
from mxtvhf.operation.backup_file import STATE, Manifest, extract
from mxtvhf.operation.database import command_environment, names_a_database
from mxtvhf.operation.database_dump import has_rows, load_tables, running_components
from mxtvhf.operation.stack.embedded import migrate
from mxtvhf.operation.stack.processes import ProcessGroup
from mxtvhf.settings import Settings

MARGIN = timedelta(seconds=60)
"""How long Airflow may take, at most, between its answer to the intake and the run in its database."""


SIGN_OF_LIFE = timedelta(seconds=30)
"""A component of Airflow, or a listener, whose heartbeat is younger is at work."""


def restore_backup(
    settings: Settings,
    uri: str,
    source: Path,
    manifest: Manifest,
    *,
    make_tables: Callable[[], None],
    overwrite: bool = False,
) -> None:
    """Put a backup back; the stack must be down.

    The database is replaced in one transaction. Files that are there stay as they are, those that are
    missing are added: what came since the backup is not lost, and the intake asks Airflow again for the
    runs that it started since then.

    Parameters
    ----------
    settings
        Names the state folder.
    uri
        Of Airflow's database.
    source, manifest
        The backup, and what `read_manifest` returned of it.
    make_tables
        Makes Airflow's tables where they are missing.
    overwrite
        Whether a state folder or database with something in it may be written over.

    Raises
    ------
    InvalidInput
        The backup is of another version of Airflow; the stack is not down; something is there already.
    Failure
        The database refused it; it is unchanged then, while the files are there.
    """
    if manifest.airflow != (installed := version("apache-airflow")):
        raise InvalidInput(
            f"{source}: made with Airflow {manifest.airflow}, here is {installed}: restore it with the former"
        )
    _check_down(settings, uri)
    if not overwrite:
        _check_empty(settings, uri)
    settings.home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=settings.home, prefix=".restore-") as work:
        extract(source, Path(work))
        # First the secrets: whoever finds none, as Airflow's commands do, makes new ones.
        _add_files(Path(work) / STATE, settings.home)
        make_tables()
        try:
            load_tables(uri, Path(work) / "database", manifest.database)
        except psycopg2.Error as error:
            raise Failure(f"the database refused the backup: {first_line(error)}") from error
    _start_missing_runs(Archive(settings.archive), since=manifest.made)


def airflow_tables(settings: Settings, uri: str, *, project: Path) -> None:
    """Make or upgrade Airflow's tables.

    Raises
    ------
    Failure
        Airflow cannot make them.
    """
    environment = command_environment(settings, uri, project=project)
    with ProcessGroup(environment, settings.home / "log") as processes:
        if names_a_database():
            processes.run("migrate", [sys.executable, "-m", "airflow", "db", "migrate"])
        else:
            migrate(processes, settings.home)


def _check_down(settings: Settings, uri: str) -> None:
    running = list(running_components(uri, SIGN_OF_LIFE))
    last_round = changed_at(alive_file(settings.archive))
    if last_round is not None and datetime.now(UTC) - datetime.fromtimestamp(last_round, UTC) < SIGN_OF_LIFE:
        running.append("the listener")
    if what := ", ".join(running):
        raise InvalidInput(f"{settings.home}: at work: {what}; stop everything except the database")


def _check_empty(settings: Settings, uri: str) -> None:
    used = [name for name in (*FOLDERS, SECRETS) if any((settings.home / name).rglob("*"))]
    if used:
        raise InvalidInput(f"{settings.home}: not empty ({', '.join(used)}); --overwrite writes over it")
    if has_rows(uri, "dag_run"):
        raise InvalidInput("Airflow's database: it has runs already; --overwrite replaces it")


def _add_files(source: Path, home: Path) -> None:
    """Move files to their places; folders get the time of their newest file, by which lists are ordered."""
    folders = set()
    for path in sorted(path for path in source.rglob("*") if path.is_file()):
        target = home / path.relative_to(source)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
            folders.add(target.parent)
    for folder in folders:
        newest = max(path.stat().st_mtime for path in folder.iterdir())
        os.utime(folder, (newest, newest))
    os.sync()


def _start_missing_runs(archive: Archive, *, since: datetime) -> None:
    """Have the intake ask for the runs that Airflow may have got after its database was saved.

    A run that it has is not started a second time.
    """
    bursts = OpenBursts(archive.root)
    for burst_id in archive.bursts():
        for run, posting in planned_runs(archive, burst_id):
            if posting is not None and posting.posted >= since - MARGIN:
                submission_path(archive, run).unlink()
                bursts.open(burst_id)
            elif posting is None:
                bursts.open(burst_id)
