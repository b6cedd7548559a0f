"""The commands ``mxtvhf backup`` and ``mxtvhf restore``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mxtvhf.errors import InvalidInput
from mxtvhf.models import utc_text
from mxtvhf.settings import Settings

if TYPE_CHECKING:
    from mxtvhf.operation.package import Manifest


def backup(
    file: Annotated[Path, typer.Argument(help="the backup to write, e.g. mxtvhf.tar.gz")],
    secrets: Annotated[
        bool, typer.Option("--secrets", help="with passwords and keys, which else you keep apart")
    ] = False,
) -> None:
    """Save all state and Airflow's database into one file, while the stack runs."""
    from mxtvhf.operation.backup import write_backup
    from mxtvhf.operation.database import airflow_database

    settings = Settings()
    if not settings.home.is_dir():
        raise InvalidInput(f"{settings.home}: no such state folder")
    with airflow_database(settings) as uri:
        manifest = write_backup(settings, uri, file.absolute(), with_secrets=secrets)
    print(f"{file}: {_content(manifest)}")


def restore(
    file: Annotated[Path, typer.Argument(help="what `mxtvhf backup` wrote")],
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="over what is there: database replaced, files added"),
    ] = False,
    project: Annotated[Path, typer.Option(help="checkout with dags/ and plugins/")] = Path(),
) -> None:
    """Put a backup back into the state folder and Airflow's database; the stack must be down."""
    from mxtvhf.operation.database import airflow_database
    from mxtvhf.operation.package import read_manifest
    from mxtvhf.operation.restore import airflow_tables, restore_backup
    from mxtvhf.stack.embedded import only_one

    settings = Settings()
    manifest = read_manifest(file)
    settings.home.mkdir(parents=True, exist_ok=True)
    with only_one(settings.home), airflow_database(settings) as uri:
        restore_backup(
            settings,
            uri,
            file,
            manifest,
            make_tables=lambda: airflow_tables(settings, uri, project=project.resolve()),
            overwrite=overwrite,
        )
    print(f"{settings.home}: {_content(manifest)} of {utc_text(manifest.made)}")
    if not manifest.with_secrets:
        print("the backup has no secrets: lay the old secrets/ there before the first start")
    if manifest.home != str(settings.home):
        print(f"kept inputs are named as below {manifest.home}: make it a link to {settings.home}")


def _content(manifest: Manifest) -> str:
    files = len(manifest.sha256) - len(manifest.database.tables)
    return f"{files} files, {len(manifest.database.tables)} tables"
