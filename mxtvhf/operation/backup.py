"""Backup of a running installation: Airflow's database and the files of the state folder.

The database is saved first. Files are only added, so every file that the database snapshot refers to is in
the backup. Announcements made after the snapshot are in ``releases/``, so they are not sent again.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg2

from mxtvhf import __version__
from mxtvhf.errors import Failure, InvalidInput
from mxtvhf.operation.backup_file import DATABASE, STATE, Manifest, PackageWriter
from mxtvhf.operation.database_dump import dump_tables
from mxtvhf.settings import Settings

# Queues come before the folders to which their files move, so that no file is missed between the two.
FOLDERS = (
    "inbox", "archive/incoming", "archive/open", "outbox",
    "archive", "inputs", "releases", "notifications", "products", "comparisons", "catalogues", "desk",
)  # fmt: skip
SECRETS = "secrets"


def write_backup(
    settings: Settings, uri: str, target: Path, *, secrets: Mapping[str, Path] | None = None
) -> Manifest:
    """Write the backup of an installation, readable by its owner only. An incomplete file never remains.

    Parameters
    ----------
    settings
        Settings with the path of the state folder.
    uri
        SQLAlchemy URI of Airflow's database.
    target
        Path of the backup file.
    secrets
        Files with passwords and keys to include, by the names of their parts in the backup; None if they
        are kept elsewhere. Without the key ``fernet`` the Connections in the database cannot be decrypted.

    Raises
    ------
    InvalidInput
        The state folder is empty.
    Failure
        The database cannot be read or has no tables.
    """
    if not any((settings.home / name).is_dir() for name in FOLDERS):
        raise InvalidInput(
            f"{settings.home}: not a state folder of MXT-VHF; name it with --config or MXTVHF_STATE"
        )
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
            if not dump.tables:
                raise Failure("Airflow's database has no tables; nothing was saved")
            for path in sorted(Path(work).iterdir()):
                writer.add(path, f"{DATABASE}/{path.name}")
            for path in _files(settings.home, FOLDERS):
                writer.add(path, f"{STATE}/{path.relative_to(settings.home)}")
            for name, path in (secrets or {}).items():
                writer.add(path, name)
            manifest = Manifest(
                made=moment,
                version=__version__,
                airflow=version("apache-airflow"),
                home=str(settings.home),
                with_secrets=secrets is not None,
                database=dump,
                sha256=writer.sha256,
            )
            writer.finish(manifest)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return manifest


def first_line(error: psycopg2.Error) -> str:
    """Return the first line of an error message of PostgreSQL."""
    return str(error).strip().partition("\n")[0]


def secrets_of_state(home: Path) -> dict[str, Path]:
    """Return the secrets in the state folder of an embedded stack, by the names of their parts in a backup.

    Raises
    ------
    InvalidInput
        The state folder contains no secrets.
    """
    found = {f"{STATE}/{path.relative_to(home)}": path for path in _files(home, (SECRETS,))}
    if not found:
        raise InvalidInput(f"{home / SECRETS}: no secrets found; repeat the command without --secrets")
    return found


def _files(home: Path, folders: tuple[str, ...]) -> Iterator[Path]:
    """Yield the files to save. Links are skipped, and so are hidden files (locks and unfinished files)."""
    for folder in folders:
        for path in sorted((home / folder).rglob("*")):
            hidden = any(part.startswith(".") for part in path.relative_to(home).parts)
            if not hidden and path.is_file() and not path.is_symlink():
                yield path
