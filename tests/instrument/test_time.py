import socket
from datetime import UTC, datetime, timedelta

import pytest
from astropy.time import Time, update_leap_seconds
from astropy.utils.iers import LeapSeconds
from hypothesis import given
from hypothesis import strategies as st

from mxtvhf.instrument.time import met_from_utc, utc_from_met


def test_mission_time_begins_with_2017():
    assert met_from_utc(datetime(2017, 1, 1, tzinfo=UTC)) == 0.0
    assert met_from_utc(datetime(2017, 1, 2, 1, tzinfo=UTC)) == pytest.approx(90_000.0, abs=1e-6)


def test_the_leap_second_before_the_epoch_is_counted():
    assert met_from_utc(datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)) == pytest.approx(-2.0, abs=1e-6)


@given(moment=st.datetimes(datetime(2017, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC)))
def test_utc_to_met_and_back(moment):
    assert abs(utc_from_met(met_from_utc(moment)) - moment) <= timedelta(microseconds=1)


def test_an_expired_leap_second_table_is_neither_renewed_nor_refused(monkeypatch):
    met_from_utc(datetime(2026, 2, 28, tzinfo=UTC))  # the first conversion makes the setting
    asked = []

    def refuse(*address, **_):
        asked.append(address)
        raise OSError("no network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(LeapSeconds, "_today", staticmethod(lambda: Time("2100-01-01", scale="tai")))
    # Astropy does this before the first conversion; its warnings are errors here.
    update_leap_seconds()
    assert asked == []
