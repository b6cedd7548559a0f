from datetime import UTC, datetime

import numpy as np
import pytest
from astropy.io import fits
from astropy.time import Time
from hypothesis import given
from hypothesis import strategies as st

from mxtvhf.errors import InvalidInput
from mxtvhf.events.attitude_file import attitude_product_bytes, read_attitude_product
from mxtvhf.instrument.attitude import AttitudeHistory
from mxtvhf.instrument.pointing import quaternion_of
from mxtvhf.instrument.time import met_from_utc

BURST = "sb26051102"
START = 295268612.25
DATE = datetime(2026, 5, 11, 11, 3, tzinfo=UTC)
HISTORY = AttitudeHistory(
    START + 10.0 * np.arange(4),
    np.stack([quaternion_of(150.0 + k, -30.0, 40.0) for k in range(4)]),
    np.array([False, True, True, True]),
)


def product(tmp_path, change=lambda parts: None):
    path = tmp_path / "attitude.fits"
    path.write_bytes(attitude_product_bytes(HISTORY, BURST, DATE))
    with fits.open(path) as parts:
        copies = fits.HDUList([part.copy() for part in parts])
    change(copies)
    copies.writeto(path, overwrite=True, checksum=True)
    return path.read_bytes()


def assert_same(found, expected=HISTORY):
    for column in ("time", "quaternion", "stable"):
        np.testing.assert_array_equal(getattr(found, column), getattr(expected, column))


def test_a_written_file_is_read_back():
    found = read_attitude_product(attitude_product_bytes(HISTORY, BURST, DATE), name="attitude.fits")
    assert_same(found.attitude)
    assert found.burst_id == BURST


def with_zero(**keywords):
    def change(parts):
        for part in parts:
            for key in ("MJDREFI", "MJDREFF"):
                part.header.remove(key, ignore_missing=True)
        for key, value in keywords.items():
            parts["ATTITUDE"].header[key] = value

    return change


@pytest.mark.parametrize(
    ("zero", "seconds"),
    [
        ({"MJDREFI": 57754, "MJDREFF": 69.184 / 86400.0}, 0.0),
        ({"MJDREFI": 57754, "MJDREFF": 0.00080074}, 0.0),
        ({"MJDREF": 57754.00080074074}, 0.0),
        # Time zero at 0 h TT, not UTC, is 69.184 s earlier.
        ({"MJDREFI": 57754, "MJDREFF": 0.0}, -69.184),
        ({"MJDREFI": 57754}, -69.184),
        ({"MJDREFI": 57755, "MJDREFF": 69.184 / 86400.0}, 86400.0),
        ({"MJDREFI": 57754, "MJDREFF": 69.184 / 86400.0, "TIMEZERO": 12.5}, 12.5),
    ],
)
def test_times_are_met_whatever_zero_the_file_counts_from(tmp_path, zero, seconds):
    found = read_attitude_product(product(tmp_path, with_zero(**zero)), name="attitude.fits")
    np.testing.assert_array_equal(found.attitude.time, HISTORY.time + seconds)


@given(day=st.integers(57754, 62000), second=st.integers(0, 86_399_999).map(lambda ms: ms / 1000.0))
def test_the_zero_agrees_with_astropy(tmp_path_factory, day, second):
    """Compare with astropy's conversion of TT to UTC, an independent way from the keywords to MET."""
    zero = Time(day, second / 86400.0, format="mjd", scale="tt")
    moment = zero.utc.to_datetime(timezone=UTC)
    change = with_zero(MJDREFI=day, MJDREFF=second / 86400.0)
    found = read_attitude_product(product(tmp_path_factory.mktemp("att"), change), name="attitude.fits")
    assert found.attitude.time[0] - START == pytest.approx(met_from_utc(moment), abs=2e-6)


def test_unordered_and_repeated_samples_are_sorted(tmp_path):
    def shuffled(parts):
        table = parts["ATTITUDE"]
        parts["ATTITUDE"] = fits.BinTableHDU(table.data[[2, 0, 3, 1, 2, 2]], header=table.header)

    assert_same(read_attitude_product(product(tmp_path, shuffled), name="attitude.fits").attitude)


def test_a_product_without_a_burst_id_is_assigned_to_no_burst(tmp_path):
    raw = product(tmp_path, lambda parts: parts[0].header.remove("BURST_ID"))
    assert read_attitude_product(raw, name="attitude.fits").burst_id is None


def empty(parts):
    table = parts["ATTITUDE"]
    parts["ATTITUDE"] = fits.BinTableHDU(table.data[:0], header=table.header)


def column(name, row, value):
    def change(parts):
        parts["ATTITUDE"].data[name][row] = value

    return change


def keyword(part, key, value):
    return lambda parts: parts[part].header.set(key, value)


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (keyword(0, "CARD", "SVO-ORB-VHF"), "HDU PRIMARY: CARD is 'SVO-ORB-VHF', expected 'SVO-ATT-VHF'"),
        (lambda parts: parts[0].header.remove("CARD"), "not an attitude product: keyword CARD missing"),
        (keyword(0, "BURST_ID", "../../etc"), "HDU PRIMARY: BURST_ID is '../../etc'"),
        (keyword(1, "TIMESYS", "UTC"), "HDU ATTITUDE: TIMESYS is 'UTC', expected 'TT'"),
        (keyword(1, "TIMEUNIT", "d"), "TIMEUNIT is 'd', expected 's'"),
        (keyword(1, "RADESYS", "FK4"), "RADESYS is 'FK4', expected 'ICRS'"),
        (keyword(0, "TELESCOP", "SWIFT"), "TELESCOP is 'SWIFT', expected 'SVOM'"),
        (with_zero(), "MJDREFI is missing"),
        (with_zero(MJDREFI=57754, MJDREFF="x"), "HDU ATTITUDE"),
        (with_zero(MJDREF="NaN"), "HDU ATTITUDE"),
        (lambda parts: parts.pop(1), "HDU ATTITUDE"),
        (empty, "the table has no attitude sample"),
        (column("TIME", 1, np.nan), "time is nan; expected a finite number"),
        (column("TIME", 1, START), "two attitudes at MET 295268612.25"),
        (column("QUATERNION", 2, [0.0, 0.0, 0.0, 0.9]), "quaternion is not of unit length"),
        (column("QUATERNION", 2, [np.nan, 0.0, 0.0, 1.0]), "quaternion is not of unit length"),
        (lambda parts: setattr(parts[1].columns["TIME"], "unit", "d"), "column TIME is in 'd', expected 's'"),
    ],
)
def test_an_invalid_product_is_refused(tmp_path, change, cause):
    raw = product(tmp_path, change)
    with pytest.raises(InvalidInput, match=r"^attitude\.fits: HDU ") as error:
        read_attitude_product(raw, name="attitude.fits")
    assert cause in str(error.value)


@pytest.mark.parametrize("damage", [lambda raw: raw[:-2880], lambda raw: b"", lambda raw: raw[::-1]])
def test_a_damaged_file_is_refused(damage):
    raw = damage(attitude_product_bytes(HISTORY, BURST, DATE))
    with pytest.raises(InvalidInput, match=r"attitude\.fits"):
        read_attitude_product(raw, name="attitude.fits")


def test_a_flipped_byte_is_noticed():
    raw = bytearray(attitude_product_bytes(HISTORY, BURST, DATE))
    raw[-2870] ^= 0xFF
    with pytest.raises(InvalidInput, match=r"attitude\.fits: HDU ATTITUDE"):
        read_attitude_product(bytes(raw), name="attitude.fits")
