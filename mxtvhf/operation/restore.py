"""Restore of a backup into an empty state folder and database, or over existing ones on request."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import psycopg2

from mxtvhf.archive.archive import Archive
from mxtvhf.errors import Failure, InvalidInput
from mxtvhf.intake.alive import alive_file
from mxtvhf.intake.open_bursts import OpenBursts
from mxtvhf.intake.planned import planned_runs, submission_path
from mxtvhf.models.files import changed_at
from mxtvhf.operation.backup import FOLDERS, SECRETS, first_line
from mxtvhf.operation.backup_file import STATE, Manifest, extract
from mxtvhf.operation.database import command_environment, names_a_database
from mxtvhf.operation.database_dump import has_rows, load_tables, running_components
from mxtvhf.operation.stack.airflow_config import AIRFLOW
from mxtvhf.operation.stack.embedded import migrate
from mxtvhf.operation.stack.processes import ProcessGroup
from mxtvhf.settings import Settings

MARGIN = timedelta(seconds=60)
"""Longest time between Airflow's answer to the intake and the run in its database."""


SIGN_OF_LIFE = timedelta(seconds=30)
"""Age of the heartbeat up to which a component of Airflow or a listener counts as running."""


def restore_backup(
    settings: Settings,
    uri: str,
    source: Path,
    manifest: Manifest,
    *,
    make_tables: Callable[[], None],
    overwrite: bool = False,
) -> None:
    """Restore a backup. The stack must be stopped.

    The database is replaced in one transaction. Existing files stay unchanged and missing files are added, so
    inputs received after the backup are kept. The intake then submits again the runs that it started after
    the backup.

    Parameters
    ----------
    settings
        Settings with the path of the state folder.
    uri
        SQLAlchemy URI of Airflow's database.
    source
        Path of the backup file.
    manifest
        Manifest of the backup as returned by `read_manifest`.
    make_tables
        Function that creates Airflow's tables if they are missing.
    overwrite
        Restore into a state folder or database that is not empty.

    Raises
    ------
    InvalidInput
        Another version of Airflow made the backup, the stack is running, or the target is not empty.
    Failure
        The database rejected the backup. It is then unchanged, but the files are restored.
    """
    if manifest.airflow != (installed := version("apache-airflow")):
        raise InvalidInput(
            f"{source}: made with Airflow {manifest.airflow}, but Airflow {installed} is installed; "
            f"restore it with Airflow {manifest.airflow}"
        )
    _check_down(settings, uri)
    if not overwrite:
        _check_empty(settings, uri)
    settings.home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=settings.home, prefix=".restore-") as work:
        extract(source, Path(work))
        # Secrets come first, because Airflow's commands create new ones if they are missing.
        _add_files(Path(work) / STATE, settings.home)
        make_tables()
        try:
            load_tables(uri, Path(work) / "database", manifest.database)
        except psycopg2.Error as error:
            raise Failure(
                f"the database rejected the backup: {first_line(error)}; it is unchanged"
            ) from error
    _start_missing_runs(Archive(settings.archive), since=manifest.made)


def airflow_tables(settings: Settings, uri: str, *, project: Path) -> None:
    """Create or upgrade Airflow's tables.

    Raises
    ------
    Failure
        Airflow's migration failed.
    """
    environment = command_environment(settings, uri, project=project)
    with ProcessGroup(environment, settings.home / "log") as processes:
        if names_a_database():
            processes.run("migrate", [*AIRFLOW, "db", "migrate"])
        else:
            migrate(processes, settings.home)


def _check_down(settings: Settings, uri: str) -> None:
    running = list(running_components(uri, SIGN_OF_LIFE))
    last_round = changed_at(alive_file(settings.archive))
    if last_round is not None and datetime.now(UTC) - datetime.fromtimestamp(last_round, UTC) < SIGN_OF_LIFE:
        running.append("the listener")
    if what := ", ".join(running):
        raise InvalidInput(f"{settings.home}: still running: {what}; stop everything except the database")


def _check_empty(settings: Settings, uri: str) -> None:
    used = [name for name in (*FOLDERS, SECRETS) if any((settings.home / name).rglob("*"))]
    if used:
        raise InvalidInput(
            f"{settings.home}: not empty ({', '.join(used)}); use --overwrite to restore into it"
        )
    if has_rows(uri, "dag_run"):
        raise InvalidInput("Airflow's database already contains runs; use --overwrite to replace it")


def _add_files(source: Path, home: Path) -> None:
    """Move missing files into the state folder.

    Each changed folder gets the time of its newest file, because lists are ordered by folder times.
    """
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
    """Make the intake submit again the runs that may be missing in the restored database of Airflow.

    Airflow does not start a run again if it already has the run.
    """
    bursts = OpenBursts(archive.root)
    for burst_id in archive.bursts():
        for run, posting in planned_runs(archive, burst_id):
            if posting is not None and posting.posted >= since - MARGIN:
                submission_path(archive, run).unlink()
                bursts.open(burst_id)
            elif posting is None:
                bursts.open(burst_id)
