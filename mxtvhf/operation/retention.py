"""Removal of old task logs, products of replays and tests, and records about them.

Archived inputs and the products, reports, decisions and announcements of real bursts are never removed.
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
"""Folders of replay results and of messages that NATS rejected."""

TABLES = ("callback", "celery_taskmeta", "celery_tasksetmeta", "import_error", "job", "log", "revoked_token")
"""Airflow's tables that only contain logs. Runs are kept, because a run id prevents a second run."""


class Removal(Model):
    """The files of one kind that were or would be removed."""

    what: str
    items: int
    bytes: int


def retention(settings: Settings, before: datetime, *, dry_run: bool = False) -> tuple[Removal, ...]:
    """Remove old logs, products and records that may be removed.

    Parameters
    ----------
    settings
        Settings with the path of the state folder.
    before
        Files changed after this time are kept, UTC.
    dry_run
        Remove nothing and only return what would be removed.
    """
    age = before.timestamp()
    sorts = {
        "task logs": list(_old_files(settings.home, LOGS, age)),
        "products of replays and tests": list(_old_products(settings, age)),
        "comparisons and refused messages": list(_old_files(settings.home, NOTES, age)),
    }
    return tuple(_remove(what, paths, dry_run=dry_run) for what, paths in sorts.items())


def clean_database(settings: Settings, uri: str, before: datetime, *, project: Path) -> None:
    """Let Airflow remove the rows of its log tables that are older than ``before``.

    Raises
    ------
    Failure
        Airflow's command failed; the message contains the end of its log.
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
    """Yield the product folders of replays and tests in which every file is older than ``age``."""
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
