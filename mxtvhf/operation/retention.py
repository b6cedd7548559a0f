"""What grows and may go after a while: logs of tasks, products of replays and tests, notes about them.

The archive of what was received, products and reports of real bursts, decisions and announcements are never
touched, whatever their age.
"""

from __future__ import annotations

import logging
import shutil
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from mxtvhf.archive.products import report_summary
from mxtvhf.desk.states import kind_of
from mxtvhf.models.base import Model
from mxtvhf.models.ids import RunKind
from mxtvhf.operation.database import command_environment
from mxtvhf.operation.stack.processes import ProcessGroup
from mxtvhf.settings import Settings

log = logging.getLogger(__name__)

LOGS = ("log/tasks", "log/dag_processor")
NOTES = ("comparisons", "outbox/refused")
"""What the replays found, and messages that NATS will never take."""

TABLES = ("callback", "celery_taskmeta", "celery_tasksetmeta", "import_error", "job", "log", "revoked_token")
"""Of Airflow's: those that only log. Runs stay: by their ids an input never runs twice."""


class Removal(Model):
    """What was, or would be, removed of one sort."""

    what: str
    items: int
    bytes: int


def retention(settings: Settings, before: datetime, *, dry_run: bool = False) -> tuple[Removal, ...]:
    """Remove what is older than a moment and may go.

    Parameters
    ----------
    settings
        Names the state folder.
    before
        The moment; what was changed since then stays. UTC.
    dry_run
        Remove nothing, only tell.
    """
    age = before.timestamp()
    sorts = {
        "logs of tasks": list(_old_files(settings.home, LOGS, age)),
        "products of replays and tests": list(_old_products(settings, age)),
        "comparisons and refused messages": list(_old_files(settings.home, NOTES, age)),
    }
    return tuple(_remove(what, paths, dry_run=dry_run) for what, paths in sorts.items())


def clean_database(settings: Settings, uri: str, before: datetime, *, project: Path) -> None:
    """Have Airflow remove the rows of its log-like tables that are older than a moment.

    Raises
    ------
    Failure
        Airflow could not; the message holds the end of its log.
    """
    command = [sys.executable, "-m", "airflow", "db", "clean", "--yes", "--skip-archive"]
    command += ["--error-on-cleanup-failure", "--clean-before-timestamp", before.isoformat()]
    command += ["--tables", ",".join(TABLES)]
    environment = command_environment(settings, uri, project=project)
    with ProcessGroup(environment, settings.home / "log") as processes:
        processes.run("db-clean", command)


def _old_files(home: Path, folders: tuple[str, ...], age: float) -> Iterator[Path]:
    for folder in folders:
        for path in sorted((home / folder).rglob("*")):
            if path.is_file() and not path.is_symlink() and path.stat().st_mtime < age:
                yield path


def _old_products(settings: Settings, age: float) -> Iterator[Path]:
    """Yield the product folders of replays and tests in which nothing was written since then."""
    for folder in sorted(settings.products.glob("sb*/*/")):
        if folder.is_symlink() or (settings.releases / folder.parent.name / folder.name).exists():
            continue
        kind = kind_of(folder.name, report_summary(settings.products, folder.name))
        if kind in (RunKind.REPLAY, RunKind.TEST) and all(
            path.stat().st_mtime < age for path in _tree(folder)
        ):
            yield folder


def _tree(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _remove(what: str, paths: list[Path], *, dry_run: bool) -> Removal:
    size = sum(file.stat().st_size for path in paths for file in (_tree(path) if path.is_dir() else [path]))
    if not dry_run:
        for path in paths:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
            log.info("%s: removed", path)
    return Removal(what=what, items=len(paths), bytes=size)
