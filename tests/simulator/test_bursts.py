"""Shipped facts of real bursts."""

from datetime import UTC, datetime

import pytest

from mxtvhf.errors import InvalidInput
from mxtvhf.models.position import Origin
from mxtvhf.simulator.bursts import KnownBurst, known_burst, known_bursts


@pytest.mark.parametrize("burst_id", known_bursts())
def test_every_burst_has_times_and_a_reference(burst_id):
    burst = known_burst(burst_id)
    assert burst.references
    assert burst.trigger_time.strftime("sb%y%m%d") == burst.burst_id[:8]
    if burst.mxt_start is not None:
        assert 60 < (burst.mxt_start - burst.trigger_time).total_seconds() < 4000


def test_a_burst_without_a_public_position_asks_for_one():
    burst = known_burst("sb26051102")
    assert burst.trigger_time == datetime(2026, 5, 11, 11, 0, 32, tzinfo=UTC)
    assert burst.mxt_start == datetime(2026, 5, 11, 11, 3, 32, tzinfo=UTC)
    with pytest.raises(InvalidInput, match=r"sb26051102: its position is not public; give --ra"):
        _ = burst.best


def test_best_position_is_the_refined_one():
    assert known_burst("sb26050905").best.origin is Origin.VT
    assert known_burst("sb26030704").best.origin is Origin.MXT_ONBOARD
    assert known_burst("sb26040203").best.origin is Origin.ECLAIRS


def test_unknown_burst_is_named_with_the_known_ones():
    with pytest.raises(InvalidInput, match=r"'sb99999999' is unknown: .*--ra, --dec.* sb26051102, "):
        known_burst("sb99999999")


def test_burst_without_any_position():
    burst = KnownBurst(
        burst_id="sb26010101", trigger_time=datetime(2026, 1, 1, tzinfo=UTC), references=("x",)
    )
    with pytest.raises(InvalidInput, match="sb26010101"):
        _ = burst.best
