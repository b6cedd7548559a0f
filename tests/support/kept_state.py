"""State folders of each version of this software, as its programs left them: ``tests/data/state-*.tar.xz``.

A new version adds its own with ``PYTHONPATH=tests python -m support.write_state``.
"""

import os
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

from mxtvhf.archive.archive import Archive
from mxtvhf.errors import InvalidInput
from mxtvhf.intake.intake import Intake
from mxtvhf.settings import IntakePolicy, Settings
from support.project import PROJECT

DATA = PROJECT / "tests" / "data"
VERSIONS = sorted(path.name.removeprefix("state-").split(".tar")[0] for path in DATA.glob("state-*.tar.xz"))
STAND_IN = b"/srv/mxtvhf/var"
"""Replaces the path of the state folder."""


def unpack(version, folder):
    """Unpack the state folder of a version with corrected paths."""
    with tarfile.open(DATA / f"state-{version}.tar.xz") as tar:
        # Python 3.11.2 of Debian 12 has no filters yet.
        tar.extraction_filter = getattr(tarfile, "data_filter", None)
        tar.extractall(folder)  # noqa: S202 (an archive of this project)
    for pattern in ("archive/sb*/*/*.json", "archive/quarantine/*.json", "outbox/*.json"):
        for path in folder.glob(pattern):
            before = path.stat()
            path.write_bytes(path.read_bytes().replace(STAND_IN, str(folder).encode()))
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    with closing(sqlite3.connect(folder / "gp" / "jobs.sqlite")) as jobs, jobs:
        jobs.execute("UPDATE jobs SET request = replace(request, ?, ?)", (STAND_IN.decode(), str(folder)))
    return Settings(state=folder)


class Airflow:
    """Replacement of Airflow for the intake: accepts every run and records its configuration."""

    def __init__(self):
        self.runs, self.states, self.asked = {}, {}, []

    def start_run(self, run_id, conf):
        is_new = run_id not in self.runs
        self.runs.setdefault(run_id, conf)
        return is_new

    def run(self, run_id):
        if run_id not in self.runs:
            raise InvalidInput(f"GET {run_id}: HTTP 404")
        self.asked.append(run_id)
        return {"state": self.states.get(run_id, "success"), "conf": self.runs[run_id]}

    def stop_run(self, run_id, note):
        pass


def intake_of(settings, airflow=None, **policy):
    """Return an intake that starts all runs at once, because the runs of this Airflow make no reports."""
    rules = IntakePolicy(analyses_at_once=1000, **policy)
    return Intake(Archive(settings.archive), airflow or Airflow(), rules, settings.products)


def files_of(folder, *patterns):
    return sorted(Path(path) for pattern in patterns for path in folder.glob(pattern) if path.is_file())
