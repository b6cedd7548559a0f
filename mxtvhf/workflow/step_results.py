"""Results of the steps of a run as files, ``<product folder>/steps/<step>.json``.

Later steps, the report and the Burst Advocate's desk read them. A result is bound to the attempt that wrote
it: an attempt removes the result of the previous one when it starts, and never replaces that of a later one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import AwareDatetime, ValidationError
from pydantic_core import to_json

from mxtvhf.errors import Failure, InvalidInput
from mxtvhf.models.base import Model
from mxtvhf.models.files import sha256_of, write_atomically
from mxtvhf.models.kept import ADVICE, KeptModel, first_error, parse_kept

STEPS_FOLDER = "steps"
"""Folder of the results below the product folder of a run."""

M = TypeVar("M", bound=Model)


class MissingResult(Failure):
    """The file of a result does not exist."""


class StepResult(KeptModel):
    """The result of one attempt of a step."""

    dag_id: str
    run_id: str
    task_id: str
    attempt: str
    """Airflow's id of the attempt, a UUID of version 7. The id of a later attempt is greater."""
    started: AwareDatetime
    ended: AwareDatetime
    sha256: str
    """SHA-256 of ``result`` as compact JSON."""
    result: dict[str, Any]


@dataclass(frozen=True)
class StepResults:
    """The results of the steps of one run."""

    out: Path
    """Product folder of the run."""
    dag_id: str
    run_id: str
    _read: dict[str, StepResult] = field(default_factory=dict, repr=False, compare=False)
    """Cache, so that each file is read once."""

    def path(self, task_id: str) -> Path:
        """Return the path of the result of a step.

        Parameters
        ----------
        task_id
            The step.
        """
        return self.out / STEPS_FOLDER / f"{task_id}.json"

    def begin(self, task_id: str, attempt: str) -> None:
        """Remove the result of an earlier attempt of a step.

        Parameters
        ----------
        task_id
            The step.
        attempt
            Id of the attempt that starts now.
        """
        if not self._is_of_later_attempt(task_id, attempt):
            self._read.pop(task_id, None)
            self.path(task_id).unlink(missing_ok=True)

    def write(self, task_id: str, attempt: str, result: Model, *, started: datetime) -> None:
        """Write the result of a step.

        Parameters
        ----------
        task_id
            The step.
        attempt
            Id of the attempt.
        result
            The result.
        started
            Start of the attempt, UTC.

        Raises
        ------
        Failure
            A later attempt has already written its result.
        """
        if self._is_of_later_attempt(task_id, attempt):
            raise Failure(
                f"{self.path(task_id)}: written by a later attempt; the result of this one is dropped"
            )
        fields = result.model_dump(mode="json")
        record = StepResult(
            dag_id=self.dag_id,
            run_id=self.run_id,
            task_id=task_id,
            attempt=attempt,
            started=started,
            ended=datetime.now(UTC),
            sha256=sha256_of(to_json(fields)),
            result=fields,
        )
        write_atomically(self.path(task_id), record.model_dump_json().encode())

    def read(self, task_id: str, model: type[M]) -> M:
        """Return the result of a step.

        Parameters
        ----------
        task_id
            The step.
        model
            Type of the result.

        Raises
        ------
        MissingResult
            The file does not exist.
        Failure
            The file is damaged, or it belongs to another run or step. The message names the file.
        """
        record = self.record(task_id)
        try:
            return model.model_validate(record.result, extra="ignore")
        except ValidationError as error:
            raise self._unusable(task_id, f"invalid {model.__name__}: {first_error(error)}") from None

    def read_if_written(self, task_id: str, model: type[M]) -> M | None:
        """Return the result of a step; None if there is none yet.

        Parameters
        ----------
        task_id
            The step.
        model
            Type of the result.

        Raises
        ------
        Failure
            As for `read`.
        """
        try:
            return self.read(task_id, model)
        except MissingResult:
            return None

    def record(self, task_id: str) -> StepResult:
        """Return the result of a step with its times; see `read`.

        Parameters
        ----------
        task_id
            The step.

        Raises
        ------
        MissingResult, Failure
            As for `read`.
        """
        if task_id not in self._read:
            self._read[task_id] = self._checked(task_id)
        return self._read[task_id]

    def _checked(self, task_id: str) -> StepResult:
        path = self.path(task_id)
        try:
            record = parse_kept(path.read_bytes(), StepResult, name=str(path))
        except FileNotFoundError:
            raise MissingResult(
                f"{path}: the result of the step {task_id} is missing; clear this step to run it again"
            ) from None
        except OSError as error:
            raise self._unusable(task_id, str(error.strerror)) from error
        except InvalidInput as error:
            reason = str(error).removeprefix(f"{path}: ").removesuffix(f"; {ADVICE}")
            raise self._unusable(task_id, reason) from None
        found, wanted = (record.dag_id, record.run_id, record.task_id), (self.dag_id, self.run_id, task_id)
        if found != wanted:
            raise self._unusable(task_id, f"it belongs to {'/'.join(found)}, expected {'/'.join(wanted)}")
        if sha256_of(to_json(record.result)) != record.sha256:
            raise self._unusable(task_id, "its SHA-256 is wrong")
        return record

    def _unusable(self, task_id: str, reason: str) -> Failure:
        return Failure(f"{self.path(task_id)}: {reason}; clear the step {task_id} to run it again")

    def _is_of_later_attempt(self, task_id: str, attempt: str) -> bool:
        """Return True if a later attempt wrote the file. A damaged or foreign file does not count."""
        try:
            record = self._checked(task_id)
        except Failure:
            return False
        return record.attempt > attempt
