"""The planned runs of a burst as kept on disk: plans and the outcomes of their submissions.

::

    archive/<burst>/planned/<sequence>.json           the plan, written once
    archive/<burst>/planned/<sequence>.posted.json    what became of it
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Literal

from pydantic import AwareDatetime

from mxtvhf.archive.archive import Archive
from mxtvhf.models.kept import KeptModel, read_or_set_aside
from mxtvhf.models.run_conf import RunConf

SEQUENCE = "[0-9]" * 4
"""Pattern of the sequence number that begins the file names of a planned run."""


class PlannedRun(KeptModel):
    """A run planned by the intake, as written once to ``planned/<sequence>.json``."""

    run_id: str
    conf: RunConf
    cause: Literal["notice", "photons"]
    """What caused the run: a new notice, or enough new photons."""
    reason: str
    """The cause as text."""
    is_test: bool
    is_retraction: bool = False
    photons: int = 0
    """Number of photons in its packets; 0 for a run without packets."""
    packets: int = 0
    """Number of distinct valid packets."""
    planned: AwareDatetime

    @property
    def notice_file(self) -> str:
        """Return the file name of the notice, a digest of its bytes as received."""
        return PurePosixPath(self.conf.alert).name


class Submission(KeptModel):
    """The outcome of submitting a planned run, as written to ``planned/<sequence>.posted.json``."""

    outcome: Literal["accepted", "taken", "refused", "withdrawn"]
    """Airflow has the run; another input uses its run id; Airflow rejected it; the burst was retracted."""
    reason: str | None = None
    posted: AwareDatetime


def planned_runs(archive: Archive, burst_id: str) -> list[tuple[PlannedRun, Submission | None]]:
    """Return the planned runs of a burst and their submissions, in the order of their sequence numbers.

    An unreadable record is set aside, see `read_or_set_aside`. A run without a record of its submission is
    submitted again; Airflow then answers that it already has the run.
    """
    found = []
    for path in sorted(planned_folder(archive, burst_id).glob(f"{SEQUENCE}.json")):
        run = read_or_set_aside(path, PlannedRun)
        if run is not None:
            found.append((run, _submission(path.with_suffix(".posted.json"), run)))
    return found


def planned_folder(archive: Archive, burst_id: str) -> Path:
    """Return the folder of the planned runs of a burst."""
    return archive.root / burst_id / "planned"


def submission_path(archive: Archive, run: PlannedRun) -> Path:
    """Return the path of the submission record of a planned run."""
    return planned_folder(archive, run.conf.burst_id) / f"{run.conf.sequence:04d}.posted.json"


def _submission(path: Path, run: PlannedRun) -> Submission | None:
    submission = read_or_set_aside(path, Submission)
    if submission is None and path.exists():
        # A later version wrote the file, or it is damaged. It is only written after Airflow was asked.
        return Submission(outcome="accepted", posted=run.planned)
    return submission
