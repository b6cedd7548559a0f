"""Check that Airflow's tables match the installed Airflow, because an upgrade may be incomplete.

The check gives the result of ``airflow db check-migrations``, which compares the same revisions but imports
Airflow and all its providers first: 6 s of CPU for each attempt of each waiting service.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import TYPE_CHECKING

from mxtvhf.operation.deployment.configuration import DatabasePart
from mxtvhf.operation.deployment.database import LONGEST_WAIT_S, lack_in, place_of, wait_while

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor  # noqa: N812

VERSION_TABLES = {
    "alembic_version": ("apache-airflow-core", "airflow/migrations/versions"),
    "alembic_version_fab": ("apache-airflow-providers-fab", "airflow/providers/fab/migrations/versions"),
}
"""Tables in which Airflow and the Flask AppBuilder provider record their migrations; package and folder of
the migrations. Airflow makes the provider's tables whenever the provider is installed."""
REVISION = re.compile(r'^revision\b[^=]*= *"(\w+)"', re.MULTILINE)
DOWN_REVISION = re.compile(r"^down_revision\b[^=]*=(.*)", re.MULTILINE)
"""Variables of Alembic's migration files: a migration, and those that it follows (none, one or several)."""


def wait_for_migrations(database: DatabasePart, timeout: float = LONGEST_WAIT_S) -> None:
    """Wait until the service ``migrate`` has upgraded the tables to the installed version.

    Parameters
    ----------
    database
        Airflow's database, which must be reachable.
    timeout
        Time limit, seconds.

    Raises
    ------
    Failure
        The time is over.
    """
    expected = installed_revisions()

    def lack(cursor: Cursor) -> str:
        if all(_recorded(cursor, table) == heads for table, heads in expected.items()):
            return ""
        installed = version("apache-airflow")
        return f"the tables do not match Airflow {installed}; the service migrate has not run or not finished"

    wait_while(lambda: lack_in(database, lack), place_of(database), timeout)


def installed_revisions() -> Mapping[str, frozenset[str]]:
    """Return the newest revisions of the installed packages, by version table."""
    found = {}
    for table, (package, folder) in VERSION_TABLES.items():
        try:
            found[table] = newest_revisions(Path(str(distribution(package).locate_file(folder))))
        except PackageNotFoundError:
            continue
    return found


def newest_revisions(folder: Path) -> frozenset[str]:
    """Return the revisions of a folder of Alembic's migration files that no other one follows.

    The files are not imported, as Alembic does it, because each imports Airflow.
    """
    texts = [path.read_text() for path in folder.glob("*.py")]
    revisions = {revision for text in texts for revision in REVISION.findall(text)}
    followed = {
        word
        for text in texts
        for line in DOWN_REVISION.findall(text)
        for word in re.findall(r'"(\w+)"', line)
    }
    return frozenset(revisions - followed)


def _recorded(cursor: Cursor, table: str) -> frozenset[str]:
    """Return the revisions that the database has; none if the version table is missing."""
    cursor.execute("SELECT to_regclass(%s) IS NOT NULL", (table,))
    (is_there,) = cursor.fetchone() or (False,)
    if not is_there:
        return frozenset()
    cursor.execute(f"SELECT version_num FROM {table}")  # noqa: S608
    return frozenset(revision for (revision,) in cursor.fetchall())
