"""The result of a step is restored from its file and never taken for that of another attempt or run."""

import json
import shutil
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mxtvhf.errors import Failure
from mxtvhf.models.base import Model
from mxtvhf.workflow.step_results import MissingResult, StepResults

RUN, DAG, STEP = "sb26030704__1", "mxt_vhf", "fits_feed"
FIRST, SECOND = "019b0000-0000-7000-8000-000000000001", "019b0000-0001-7000-8000-000000000000"
"""Ids of two attempts as Airflow makes them, UUIDs of version 7."""
NOW = datetime(2026, 11, 30, 20, 0, 0, 125_000, tzinfo=UTC)


class Result(Model):
    number: float | None
    several: tuple[float, ...] = ()
    inner: dict[str, float] | None = None
    name: str = "R90"


def results_of(folder, run_id=RUN, dag_id=DAG):
    """Return the results as another process reads them."""
    return StepResults(folder / run_id, dag_id, run_id)


@pytest.fixture
def written(tmp_path):
    results_of(tmp_path).write(STEP, FIRST, Result(number=1.0), started=NOW)
    return tmp_path


def test_a_result_and_its_times_are_read_again(written):
    assert results_of(written).read(STEP, Result) == Result(number=1.0)
    record = results_of(written).record(STEP)
    assert (record.started, record.attempt, record.schema_version) == (NOW, FIRST, 1)
    assert record.ended > NOW


@settings(max_examples=25, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False), st.text())
def test_every_finite_number_and_text_is_restored(tmp_path_factory, number, name):
    folder, result = tmp_path_factory.mktemp("run"), Result(number=number, inner={"S1": number}, name=name)
    results_of(folder).write(STEP, FIRST, result, started=NOW)
    assert results_of(folder).read(STEP, Result) == result


def test_a_new_attempt_removes_the_result_of_the_one_before(written):
    results_of(written).begin(STEP, SECOND)
    with pytest.raises(MissingResult, match=rf"{STEP}.json: the result of the step {STEP} is missing; clear"):
        results_of(written).read(STEP, Result)
    assert results_of(written).read_if_written(STEP, Result) is None
    results_of(written).write(STEP, SECOND, Result(number=2.0), started=NOW)
    assert results_of(written).read(STEP, Result).number == 2.0


def test_an_attempt_that_airflow_gave_up_never_replaces_the_result_of_a_later_one(written):
    results_of(written).write(STEP, SECOND, Result(number=2.0), started=NOW)
    with pytest.raises(Failure, match=r"fits_feed\.json: written by a later attempt; the result of this one"):
        results_of(written).write(STEP, FIRST, Result(number=1.0), started=NOW)
    results_of(written).begin(STEP, FIRST)
    assert results_of(written).read(STEP, Result).number == 2.0


def test_a_retry_reads_what_it_wrote_and_not_what_it_read_before(written):
    results = results_of(written)
    assert results.read(STEP, Result).number == 1.0
    results.begin(STEP, SECOND)
    results.write(STEP, SECOND, Result(number=2.0), started=NOW)
    assert results.read(STEP, Result).number == 2.0


def torn(raw):
    return raw[: len(raw) // 2]


def changed(raw):
    return raw.replace(b'"number":1.0', b'"number":7.0')


def later(raw):
    return raw.replace(b'"schema_version":1', b'"schema_version":99')


def of_another_type(raw):
    return json.dumps(["a list"]).encode()


@pytest.mark.parametrize(
    ("damage", "cause"),
    [
        (torn, "damaged JSON"),
        (changed, "its SHA-256 is wrong"),
        (later, "schema version 99; mxtvhf .* upgrade mxtvhf"),
        (of_another_type, "expected a JSON object"),
        (lambda raw: b"", "damaged JSON"),
    ],
)
def test_a_damaged_file_is_one_error_that_names_it(written, damage, cause):
    path = results_of(written).path(STEP)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(
        Failure, match=rf"^{path}: {cause}.*; clear the step {STEP} to run it again$"
    ) as error:
        results_of(written).read(STEP, Result)
    assert "\n" not in str(error.value)
    results_of(written).begin(STEP, SECOND)
    results_of(written).write(STEP, SECOND, Result(number=2.0), started=NOW)
    assert results_of(written).read(STEP, Result).number == 2.0


@pytest.mark.parametrize(
    ("run_id", "dag_id", "step", "found"),
    [
        ("sb26030704__2", DAG, STEP, f"{DAG}/{RUN}/{STEP}"),
        (RUN, "mxt_vhf_test", STEP, f"{DAG}/{RUN}/{STEP}"),
        (RUN, DAG, "update_BA", f"{DAG}/{RUN}/{STEP}"),
    ],
)
def test_the_file_of_another_run_or_step_is_refused(written, run_id, dag_id, step, found):
    other = results_of(written, run_id, dag_id)
    other.path(step).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(results_of(written).path(STEP), other.path("copy"))
    other.path("copy").replace(other.path(step))
    expected = f"{dag_id}/{run_id}/{step}"
    with pytest.raises(Failure, match=f"it belongs to {found}, expected {expected}; clear the step {step}"):
        other.read(step, Result)


def test_a_result_of_another_type_is_refused(written):
    class Other(Model):
        elevation_deg: float

    with pytest.raises(
        Failure, match=r"fits_feed\.json: invalid Other: elevation_deg: Field required; clear"
    ):
        results_of(written).read(STEP, Other)


def test_a_field_that_a_later_version_added_is_ignored(written):
    class Longer(Result):
        added: int = 3

    results_of(written).write(STEP, SECOND, Longer(number=4.0), started=NOW)
    assert results_of(written).read(STEP, Result) == Result(number=4.0)


def test_deleting_the_folder_of_a_run_loses_only_this_run(written):
    other = "sb26030704__2"
    results_of(written, other).write(STEP, FIRST, Result(number=5.0), started=NOW)
    shutil.rmtree(written / RUN)
    with pytest.raises(Failure, match=f"{RUN}/steps/{STEP}.json: the result of the step {STEP} is missing"):
        results_of(written).read(STEP, Result)
    assert results_of(written, other).read(STEP, Result).number == 5.0


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_result_without_a_finite_number_fails_where_it_is_made(number):
    """It became null in the file, and the next step called the file damaged."""
    with pytest.raises(ValidationError, match="number\n  Input should be a finite number"):
        Result(number=number, name="x")
