import subprocess
import warnings
from io import BytesIO

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as numpy_st

from mxtvhf.events.fits import Column, card_images, primary_hdu, table_hdu

texts = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)
values = (
    texts | st.booleans() | st.integers(-(2**31), 2**31) | st.floats(allow_nan=False, allow_infinity=False)
)
TYPES = [np.float64, np.int16, np.int32, np.bool_]


@st.composite
def tables(draw):
    rows = draw(st.integers(0, 40))
    shapes, types = st.sampled_from([(rows,), (rows, 4)]), st.sampled_from(TYPES)
    columns = draw(st.lists(st.tuples(types, shapes), min_size=1, max_size=5))
    return [Column(f"C{index}", draw(numpy_st.arrays(*kind)), "s") for index, kind in enumerate(columns)]


@settings(max_examples=50)
@given(columns=tables(), cards=st.lists(values, max_size=50))
def test_astropy_reads_the_table_and_verifies_its_checksums(columns, cards):
    images = card_images([(f"K{index}", value, "of a test") for index, value in enumerate(cards)])
    content = b"".join(primary_hdu(images) + table_hdu("T", columns, images))
    with warnings.catch_warnings(action="error"), fits.open(BytesIO(content), checksum=True) as parts:
        parts.verify("exception")
        for column in columns:
            np.testing.assert_array_equal(parts["T"].data[column.name], column.values)
            assert parts["T"].columns[column.name].unit == "s"
        for index, value in enumerate(cards):
            expected = value.rstrip() if isinstance(value, str) else value
            assert parts[0].header[f"K{index}"] == parts["T"].header[f"K{index}"] == expected


@given(rows=st.lists(texts.map(str.rstrip), min_size=1, max_size=5))
def test_a_text_column_is_read_back(rows):
    values = np.array([row.encode() for row in rows], dtype=f"S{max(1, *map(len, rows))}")
    columns = [Column("NAME", values), Column("N", np.arange(len(rows), dtype=np.int16))]
    content = b"".join(primary_hdu(b"") + table_hdu("T", columns, b""))
    with warnings.catch_warnings(action="error"), fits.open(BytesIO(content), checksum=True) as parts:
        assert list(parts["T"].data["NAME"]) == rows
        assert list(parts["T"].data["N"]) == list(range(len(rows)))


@pytest.mark.service
def test_fitsverify_finds_nothing(tmp_path):
    path = tmp_path / "table.fits"
    cards = card_images(
        [("A", "it's", "quoted"), ("B", -1.2345678901234567e-300, ""), ("COMMENT", "a word", "")]
    )
    columns = [Column("X", np.arange(3.0), "s"), Column("F", np.array([True, False, True]))]
    path.write_bytes(b"".join(primary_hdu(cards) + table_hdu("T", columns, cards)))
    report = subprocess.run(["fitsverify", str(path)], capture_output=True, text=True)
    assert "0 warning(s) and 0 error(s)" in report.stdout, report.stdout


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "x" * 69, "'" * 35, "\u00e9"])
def test_a_value_that_fits_no_card_is_refused(value):
    with pytest.raises(ValueError, match=r"not a finite number|too long for a FITS card|ascii"):
        card_images([("KEY", value, "")])


def test_a_card_does_not_depend_on_an_equal_cached_value():
    """Cards are cached; values that are equal in Python but differ in FITS must not be confused."""
    cards = {b"T": True, b"1": 1, b"1.0": 1.0, b"F": False, b"0": 0, b"0.0": -0.0}
    for _ in range(2):
        for text, value in cards.items():
            assert card_images([("EQUAL", value, "")])[10:].strip() == text
