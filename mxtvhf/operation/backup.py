"""A backup of an installation while it runs: Airflow's database and the files of the state folder.

The database is taken first: everything that its snapshot names is then among the files, which only grow.
What was announced after it is in ``releases/``, and so is not announced again.
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

# Waiting rooms before the rooms to which their content is moved: nothing is missed between the two.
FOLDERS = (
    "inbox", "archive/incoming", "archive/open", "outbox",
    "archive", "inputs", "releases", "notifications", "products", "comparisons", "catalogues", "desk",
)  # fmt: skip
SECRETS = "secrets"


def write_backup(
    settings: Settings, uri: str, target: Path, *, secrets: Mapping[str, Path] | None = None
) -> Manifest:
    """Write the backup of an installation, complete or not at all, readable by its owner only.

    Parameters
    ----------
    settings
        Names the state folder.
    uri
        Of Airflow's database.
    target
        The file to write.
    secrets
        The files with passwords and keys to save, too, by the names of their parts in the backup; None: they
        are kept elsewhere. Without the key ``fernet`` the Connections in the database cannot be read.

    Raises
    ------
    InvalidInput
        The folder holds no state.
    Failure
        The database cannot be read, or has no tables.
    """
    if not any((settings.home / name).is_dir() for name in FOLDERS):
        raise InvalidInput(f"{settings.home}: no state of MXT-VHF; --config or MXTVHF_STATE names it")
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
    """Return what PostgreSQL says in one line."""
    return str(error).strip().partition("\n")[0]


def secrets_of_state(home: Path) -> dict[str, Path]:
    """Return the secrets that the embedded stack keeps in its state folder, by the names of their parts.

    Raises
    ------
    InvalidInput
        There are none.
    """
    found = {f"{STATE}/{path.relative_to(home)}": path for path in _files(home, (SECRETS,))}
    if not found:
        raise InvalidInput(f"{home / SECRETS}: no secrets to save; leave out --secrets")
    return found


def _files(home: Path, folders: tuple[str, ...]) -> Iterator[Path]:
    """Yield the files to save; no links, and nothing hidden: these are locks and what is being written."""
    for folder in folders:
        for path in sorted((home / folder).rglob("*")):
            hidden = any(part.startswith(".") for part in path.relative_to(home).parts)
            if not hidden and path.is_file() and not path.is_symlink():
                yield path
