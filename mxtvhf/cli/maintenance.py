"""The commands ``mxtvhf backup``, ``restore``, ``retention`` and ``health``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mxtvhf.cli.arguments import input_file, input_folder, output_file
from mxtvhf.cli.runs import REST_ROOT, airflow, read, show
from mxtvhf.errors import InvalidInput
from mxtvhf.models.times import utc_text
from mxtvhf.settings import LONGEST_DAYS, Settings, read_settings

if TYPE_CHECKING:
    from mxtvhf.operation.backup_file import Manifest
    from mxtvhf.operation.deployment.configuration import Deployment


def backup(
    context: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(parser=output_file, metavar="FILE", help="backup file, e.g. mxtvhf.tar.gz"),
    ],
    secrets: Annotated[bool, typer.Option("--secrets", help="include passwords and keys")] = False,
) -> None:
    """Save all state and Airflow's database into one file. The stack may be running."""
    from mxtvhf.operation.backup import write_backup
    from mxtvhf.operation.database import airflow_database

    settings = _existing_state()
    taken = _secrets(settings, context.obj) if secrets else None
    with airflow_database(settings) as uri:
        manifest = write_backup(settings, uri, file.absolute(), secrets=taken)
    print(f"{file}: {_content(manifest)}")


def restore(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(parser=input_file, metavar="FILE", help="file written by `mxtvhf backup`")
    ],
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="replace an existing database and add missing files"),
    ] = False,
    project: Annotated[
        Path, typer.Option(parser=input_folder, metavar="FOLDER", help="checkout with dags/ and plugins/")
    ] = Path(),
) -> None:
    """Restore a backup into the state folder and Airflow's database. The stack must be stopped."""
    from mxtvhf.operation.backup_file import read_manifest
    from mxtvhf.operation.database import airflow_database
    from mxtvhf.operation.restore import airflow_tables, restore_backup
    from mxtvhf.operation.stack.embedded import only_one

    settings = read_settings()
    manifest = read_manifest(file)
    settings.home.mkdir(parents=True, exist_ok=True)
    with only_one(settings.home), airflow_database(settings, create=True) as uri:
        restore_backup(
            settings,
            uri,
            file,
            manifest,
            make_tables=lambda: airflow_tables(settings, uri, project=project.resolve()),
            overwrite=overwrite,
        )
    print(f"{settings.home}: {_content(manifest)} of {utc_text(manifest.made)}")
    if context.obj is not None:
        print("secrets: unchanged; extract those of the backup with tar -xzf FILE secrets")
    elif not manifest.with_secrets:
        print("the backup has no secrets: copy the old files into secrets/ before the first start")
    if manifest.home != str(settings.home):
        print(f"archived inputs refer to {manifest.home}: make it a link to {settings.home}")


def retention(
    keep_days: Annotated[
        int | None, typer.Option(min=1, max=LONGEST_DAYS, help="days to keep; default: MXTVHF_KEEP_DAYS")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only show what would be removed")] = False,
    database: Annotated[bool, typer.Option(help="also clean Airflow's log tables")] = True,
    project: Annotated[
        Path, typer.Option(parser=input_folder, metavar="FOLDER", help="checkout with dags/ and plugins/")
    ] = Path(),
) -> None:
    """Remove old logs, products of replays and tests, and rows of Airflow's log tables.

    Data of real bursts are never removed.
    """
    from mxtvhf.operation.database import airflow_database
    from mxtvhf.operation.retention import clean_database
    from mxtvhf.operation.retention import retention as remove

    settings = _existing_state()
    before = datetime.now(UTC) - timedelta(days=keep_days or settings.keep_days)
    for removal in remove(settings, before, dry_run=dry_run):
        print(f"{removal.what}: {removal.items}, {removal.bytes / 1e6:.1f} MB")
    if database and not dry_run:
        with airflow_database(settings) as uri:
            clean_database(settings, uri, before, project=project.resolve())
        print("old rows of Airflow's log tables: removed")


def health(
    as_json: Annotated[bool, typer.Option("--json", help="print JSON for programs")] = False,
) -> None:
    """Show the health of every part. Exit status 1 if one is unhealthy or Airflow does not answer."""
    from mxtvhf.operation.health import Health

    found = read(Health, airflow().get(f"{REST_ROOT}/health"))
    width = max(len(check.name) for check in found.checks)
    lines = [f"{'ok ' if c.is_healthy else 'BAD'} {c.name:{width}}  {c.detail}" for c in found.checks]
    show(found, Health, lines, as_json)
    if not found.is_healthy:
        raise typer.Exit(1)


def _existing_state() -> Settings:
    settings = read_settings()
    if not settings.home.is_dir():
        raise InvalidInput(f"{settings.home}: no such state folder; name it with --config or MXTVHF_STATE")
    return settings


def _secrets(settings: Settings, deployment: Deployment | None) -> dict[str, Path]:
    from mxtvhf.operation.backup import secrets_of_state
    from mxtvhf.operation.deployment.secret_files import secret_parts

    return secrets_of_state(settings.home) if deployment is None else secret_parts(deployment)


def _content(manifest: Manifest) -> str:
    files = len(manifest.sha256) - len(manifest.database.tables)
    return f"{files} files, {len(manifest.database.tables)} tables"
