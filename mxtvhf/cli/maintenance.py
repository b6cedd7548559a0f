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
        typer.Argument(parser=output_file, metavar="FILE", help="the backup to write, e.g. mxtvhf.tar.gz"),
    ],
    secrets: Annotated[
        bool, typer.Option("--secrets", help="with passwords and keys, which else you keep apart")
    ] = False,
) -> None:
    """Save all state and Airflow's database into one file, while the stack runs."""
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
        Path, typer.Argument(parser=input_file, metavar="FILE", help="what `mxtvhf backup` wrote")
    ],
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="over what is there: database replaced, files added"),
    ] = False,
    project: Annotated[
        Path, typer.Option(parser=input_folder, metavar="FOLDER", help="checkout with dags/ and plugins/")
    ] = Path(),
) -> None:
    """Put a backup back into the state folder and Airflow's database; the stack must be down."""
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
        print("secrets: left as they are; those of the backup: tar -xzf FILE secrets")
    elif not manifest.with_secrets:
        print("the backup has no secrets: put the old ones over secrets/ before the first start")
    if manifest.home != str(settings.home):
        print(f"kept inputs are named as below {manifest.home}: make it a link to {settings.home}")


def retention(
    keep_days: Annotated[
        int | None, typer.Option(min=1, max=LONGEST_DAYS, help="instead of MXTVHF_KEEP_DAYS")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="remove nothing, only tell")] = False,
    database: Annotated[bool, typer.Option(help="also rows of Airflow's log-like tables")] = True,
    project: Annotated[
        Path, typer.Option(parser=input_folder, metavar="FOLDER", help="checkout with dags/ and plugins/")
    ] = Path(),
) -> None:
    """Remove old logs, products of replays and tests, and rows of Airflow; never what is of a real burst."""
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
        print("rows of Airflow: removed")


def health(
    as_json: Annotated[bool, typer.Option("--json", help="print JSON for programs")] = False,
) -> None:
    """Tell how every part is; exit status 1 when one is not healthy or Airflow does not answer."""
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
        raise InvalidInput(f"{settings.home}: no such state folder; --config or MXTVHF_STATE names it")
    return settings


def _secrets(settings: Settings, deployment: Deployment | None) -> dict[str, Path]:
    from mxtvhf.operation.backup import secrets_of_state
    from mxtvhf.operation.deployment.secret_files import secret_parts

    return secrets_of_state(settings.home) if deployment is None else secret_parts(deployment)


def _content(manifest: Manifest) -> str:
    files = len(manifest.sha256) - len(manifest.database.tables)
    return f"{files} files, {len(manifest.database.tables)} tables"
