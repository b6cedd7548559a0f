"""A backup of an installation while it runs: Airflow's database and the files of the state folder.

The database is taken first: everything that its snapshot names is then among the files, which only grow.
What was announced after it is in ``releases/``, and so is not announced again.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg2

from mxtvhf import __version__
from mxtvhf.errors import Failure
from mxtvhf.operation.backup_file import DATABASE, STATE, Manifest, PackageWriter
from mxtvhf.operation.database_dump import dump_tables
from mxtvhf.settings import Settings

# Waiting rooms before the rooms to which their content is moved: nothing is missed between the two.
FOLDERS = (
    "inbox", "archive/incoming", "archive/open", "outbox",
    "archive", "inputs", "releases", "products", "comparisons", "catalogues",
)  # fmt: skip
SECRETS = "secrets"


def write_backup(settings: Settings, uri: str, target: Path, *, with_secrets: bool = False) -> Manifest:
    """Write the backup of an installation, complete or not at all, readable by its owner only.

    Parameters
    ----------
    settings
        Names the state folder.
    uri
        Of Airflow's database.
    target
        The file to write.
    with_secrets
        Whether passwords and keys are taken, too. Without the key ``secrets/fernet`` nobody can read the
        Connections in the database.

    Raises
    ------
    Failure
        The database cannot be read.
    """
    temporary = target.with_name(f".{target.name}.part")
    try:
        temporary.touch(mode=0o600)
        with (
            tarfile.open(temporary, "w:gz", compresslevel=1) as tar,
            TemporaryDirectory(dir=target.parent) as work,
        ):
            writer, moment = PackageWriter(tar), datetime.now(UTC)
            try:
                dump = dump_tables(uri, Path(work))
            except psycopg2.Error as error:
                raise Failure(f"Airflow's database cannot be read: {first_line(error)}") from error
            for path in sorted(Path(work).iterdir()):
                writer.add(path, f"{DATABASE}/{path.name}")
            for path in _files(settings.home, with_secrets=with_secrets):
                writer.add(path, f"{STATE}/{path.relative_to(settings.home)}")
            manifest = Manifest(
                made=moment,
                version=__version__,
                airflow=version("apache-airflow"),
                home=str(settings.home),
                with_secrets=with_secrets,
                database=dump,
                sha256=writer.sha256,
            )
            writer.finish(manifest)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return manifest


def first_line(error: psycopg2.Error) -> str:
    """Return what PostgreSQL says in one line."""
    return str(error).strip().partition("\n")[0]


def _files(home: Path, *, with_secrets: bool) -> Iterator[Path]:
    """Yield the files to save; no links, and nothing hidden: these are locks and what is being written."""
    for folder in (*FOLDERS, *([SECRETS] if with_secrets else [])):
        for path in sorted((home / folder).rglob("*")):
            hidden = any(part.startswith(".") for part in path.relative_to(home).parts)
            if not hidden and path.is_file() and not path.is_symlink():
                yield path
