"""Parsers of arguments: angles, times and files."""

import math
import os
from datetime import UTC, date, datetime

import pytest

from mxtvhf.cli.arguments import (
    check_order,
    checkout,
    day,
    declination,
    field_source,
    input_file,
    input_folder,
    output_file,
    output_folder,
    radius_arcsec,
    right_ascension,
    seconds,
    utc_moment,
    utf8_text,
)
from mxtvhf.errors import InvalidInput
from support.project import PROJECT


@pytest.mark.parametrize(
    ("read", "text", "expected"),
    [
        (right_ascension, "256.5649", 256.5649),
        (right_ascension, "14:00:25.2", 210.105),
        (right_ascension, "14 00 25.2", 210.105),
        (right_ascension, "14h00m25.2s", 210.105),
        (right_ascension, "14h", 210.0),
        (right_ascension, "210.105deg", 210.105),
        (right_ascension, "210d06m18s", 210.105),
        (right_ascension, "360", 0.0),
        (declination, "-43.0362", -43.0362),
        (declination, "+54:35:47", 54 + 35 / 60 + 47 / 3600),
        (declination, "-0:30:00", -0.5),
        (declination, "-00 30 00", -0.5),
        (declination, "+54d15m", 54.25),
        (declination, "90", 90.0),
        (radius_arcsec, "300", 300.0),
        (radius_arcsec, "5arcmin", 300.0),
        (radius_arcsec, "5'", 300.0),
        (radius_arcsec, "0.1deg", 360.0),
    ],
)
def test_an_angle_is_read(read, text, expected):
    assert math.isclose(read(text), expected, rel_tol=1e-12, abs_tol=1e-12)


WRONG = {
    right_ascension: ["-1", "361", "nan", "inf", "14:60:00", "25h", "x", "", "14:00:25:1"],
    declination: ["91", "-90:00:01", "nan", "1h", "+54:60", "x", ""],
    radius_arcsec: ["0", "-5", "inf", "nan", "5:00", "1h", "200deg", "5 parsec", ""],
}


@pytest.mark.parametrize(("read", "text"), [(read, text) for read, texts in WRONG.items() for text in texts])
def test_an_invalid_angle_is_rejected(read, text):
    with pytest.raises(ValueError, match="expected"):
        read(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-07", datetime(2026, 3, 7, tzinfo=UTC)),
        ("2026-03-07T13:37:12.5", datetime(2026, 3, 7, 13, 37, 12, 500_000, UTC)),
        ("2026-03-07T13:37:12Z", datetime(2026, 3, 7, 13, 37, 12, tzinfo=UTC)),
        ("2026-03-07T13:37:12+02:00", datetime(2026, 3, 7, 11, 37, 12, tzinfo=UTC)),
    ],
)
def test_a_moment_is_in_utc(text, expected):
    assert utc_moment(text) == expected
    assert utc_moment(text).tzinfo is UTC


@pytest.mark.parametrize("text", ["2026", "now", "0001-01-01", "9999-12-31", "2026-02-30", ""])
def test_an_invalid_time_is_rejected(text):
    with pytest.raises(ValueError, match="expected"):
        utc_moment(text)


def test_a_day_has_no_time():
    assert day("2026-03-07") == date(2026, 3, 7)
    with pytest.raises(ValueError, match="expected a day"):
        day("2026-03-07T12:00")


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "x", "1e300"])
def test_seconds_are_finite(text):
    with pytest.raises(ValueError, match="expected 0 to"):
        seconds(text)


@pytest.mark.parametrize("text", ["", " ", "\udce9", "a\nb", "\x1b[2J"])
def test_a_text_is_utf8_without_control_characters(text):
    with pytest.raises(ValueError, match="UTF-8"):
        utf8_text(text)
    assert utf8_text(" été ") == "été"


def test_a_file_that_cannot_be_read_is_named_with_its_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidInput, match=f"^{tmp_path}/none.fits: no such file$"):
        input_file("none.fits")
    with pytest.raises(InvalidInput, match=f"^{tmp_path}: is a folder; expected a file$"):
        input_file(".")
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInput, match="Not a directory"):
        input_file("file/below")
    assert input_file("file") == tmp_path / "file"
    with pytest.raises(InvalidInput, match="no such folder"):
        input_folder("file")


def test_an_output_is_never_a_device_nor_below_a_file(tmp_path):
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    assert output_file(tmp_path / "file") == tmp_path / "file"
    assert output_folder(tmp_path / "new" / "folder") == tmp_path / "new" / "folder"
    for name, cause in (("pipe", "not a regular file"), (".", "is a folder"), ("file/below", "is a file")):
        with pytest.raises(InvalidInput, match=cause):
            output_file(tmp_path / name)
    for name in ("file", "file/below"):
        with pytest.raises(InvalidInput, match="is a file; expected a folder"):
            output_folder(tmp_path / name)


def test_swapped_files_of_a_burst_are_recognised(tmp_path):
    notice, packets = tmp_path / "alert.xml", tmp_path / "packets.bin"
    notice.write_bytes(b'\xef\xbb\xbf\n<?xml version="1.0"?><a/>')
    packets.write_bytes(b"\x0c\x01")
    check_order(notice, packets)
    with pytest.raises(InvalidInput, match=r"/alert\.xml: is a notice, but packets\.bin is not; .* first"):
        check_order(packets, notice)
    with pytest.raises(InvalidInput, match="expected VHF packets"):
        check_order(notice, notice)


def test_a_checkout_has_dags_and_plugins(tmp_path):
    assert checkout(PROJECT) == PROJECT
    with pytest.raises(InvalidInput, match="the folder dags is missing; expected a checkout"):
        checkout(tmp_path)


def test_a_simulated_source_is_read():
    found = field_source("10:00:00,-0:30:00,150")
    assert found == pytest.approx({"ra_deg": 150.0, "dec_deg": -0.5, "counts": 150.0})


@pytest.mark.parametrize("text", ["155.6,-21.1", "155.6 -21.1 150", "155.6,-98,150", "x,1,2", "1,2,many"])
def test_an_invalid_simulated_source_is_named(text):
    with pytest.raises(InvalidInput, match=f"--source '{text}': "):
        field_source(text)
