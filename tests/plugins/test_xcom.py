"""The result of a step is restored from its XCom for any numbers."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxtvhf.models.base import Model
from mxtvhf_airflow.xcom import xcom_of


class Result(Model):
    number: float | None
    several: tuple[float, ...] = ()
    inner: dict[str, float] | None = None


def handed_on(result):
    """Return a result after JSON in PostgreSQL, where 1e22 becomes an integer, and MessagePack."""
    stored = json.loads(json.dumps(xcom_of(result)), parse_float=_as_postgresql)
    return Result.model_validate(msgspec.msgpack.decode(msgspec.msgpack.encode(stored)))


def _as_postgresql(text):
    number = float(text)
    return int(number) if "e" in text and number.is_integer() else number


@pytest.mark.parametrize("number", [2.6e21, -2.6e21, 2.0**63, 2.0**64, 1e300, 9.2e18, 1.0, 0.0, None])
def test_numbers_of_any_size_are_restored(number):
    result = Result(number=number, several=(1.5, 1e23), inner={"S1": 1e22})
    assert handed_on(result) == result


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_number_is_restored(number):
    assert handed_on(Result(number=number)) == Result(number=number)


def test_numbers_of_usual_size_stay_numbers():
    assert xcom_of(Result(number=83.5, several=(2.0,))) == {"number": 83.5, "several": [2.0], "inner": None}
