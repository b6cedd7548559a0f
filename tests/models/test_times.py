from datetime import UTC, datetime

import pytest

from mxtvhf.models.times import duration_text, second_text


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(2026, 5, 11, 11, 0, 31, 800_000, tzinfo=UTC), "2026-05-11 11:00:32"),
        (datetime(2026, 5, 11, 11, 0, 31, 499_999, tzinfo=UTC), "2026-05-11 11:00:31"),
        (datetime(2026, 12, 31, 23, 59, 59, 500_000, tzinfo=UTC), "2027-01-01 00:00:00"),
    ],
)
def test_a_moment_is_rounded_to_the_second(moment, text):
    assert second_text(moment) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(35.44, "35.4 s"), (7_200.0, "2.0 h"), (23_025_925.06, "266.5 d"), (-172_800.0, "-2.0 d")],
)
def test_a_duration_is_in_the_unit_that_fits(seconds, text):
    assert duration_text(seconds) == text
