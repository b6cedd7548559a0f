import bz2
import gzip
import lzma
import os
from contextlib import suppress

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from mxtvhf.catalogues import readers
from mxtvhf.catalogues.columns import scalars
from mxtvhf.catalogues.readers import read_parts
from mxtvhf.errors import InvalidInput

TEXT = "name,ra,dec\nA,10.5,-20.25\nB,200,5\n"


def read(tmp_path, content, name="file.csv", **options):
    (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return list(read_parts(tmp_path / name, **options))


def fits_bytes(tmp_path, *hdus):
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(tmp_path / "made.fits", overwrite=True)
    return (tmp_path / "made.fits").read_bytes()


class TestCsv:
    @pytest.mark.parametrize(
        "text",
        [
            TEXT, TEXT.replace(",", "\t"), TEXT.replace(",", ";"), TEXT.replace("\n", "\r\n"),
            TEXT.replace("\n", "\r"),
            "\ufeff" + TEXT, "\n# a comment\n#\n" + TEXT, TEXT + "\n\n",
            TEXT.replace("A", '"A"'), TEXT.rstrip(),
        ],
    )  # fmt: skip
    def test_spellings(self, tmp_path, text):
        (part,) = read(tmp_path, text)
        assert part.rows["name"].tolist() == ["A", "B"]
        assert part.rows["ra"].tolist() == ["10.5", "200"]

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            (TEXT + "C,1\n", "line 4 has 2 fields, the header 3"),
            (TEXT + "#C,1,2\n", "line 4 starts with '#'"),
            (TEXT + '"C,1,2\n', "invalid CSV"),
            ("A,1,2\nB,2,3\n", "expected column names"),
            ("name,ra,ra\n", "two columns have the name 'ra'"),
            ("# only a comment\n", "no line with column names"),
            ("", "no line with column names"),
            ("other.csv", "has no commas"),
            ("\0" * 1_000_001, "line 1 has no end"),
            (TEXT.encode("utf-16"), "UTF-16"),
            ("name,ra\nCygné,1\n".encode("latin1"), "byte 0xe9.*iconv"),
        ],
    )
    def test_refused(self, tmp_path, text, reason):
        with pytest.raises(InvalidInput, match=reason):
            read(tmp_path, text)

    def test_parts(self, tmp_path, monkeypatch):
        monkeypatch.setattr(readers, "ROWS", 2)
        parts = read(tmp_path, TEXT + "C,1,2\n")
        assert [len(part.rows) for part in parts] == [2, 1]


class TestPacked:
    @pytest.mark.parametrize("module", [gzip, bz2, lzma])
    def test_any_format(self, tmp_path, module):
        table = fits_bytes(tmp_path, fits.BinTableHDU(Table({"ra": [1.0]})))
        assert read(tmp_path, module.compress(TEXT.encode()))[0].rows["name"][0] == "A"
        assert read(tmp_path, module.compress(table))[0].rows["ra"][0] == 1.0

    @pytest.mark.parametrize("module", [gzip, bz2, lzma])
    def test_cut(self, tmp_path, module):
        with pytest.raises(InvalidInput, match="truncated or damaged"):
            read(tmp_path, module.compress(TEXT.encode())[:-9])

    def test_too_large_when_unpacked(self, tmp_path, monkeypatch):
        monkeypatch.setattr(readers, "MAX_UNPACKED_BYTES", 1000)
        with pytest.raises(InvalidInput, match="more than 1000 bytes"):
            read(tmp_path, gzip.compress(bytes(2000)))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"PK\x03\x04", "archive"),
        (b"PAR1", "convert"),
        (b"\x89HDF", "convert"),
        (b"<!DOCTYPE HTML>", "HTML page"),
    ],
)
def test_other_files(tmp_path, content, reason):
    with pytest.raises(InvalidInput, match=reason):
        read(tmp_path, content)


def test_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, reason in (
        (tmp_path, "folder"),
        (tmp_path / "no", "no such file"),
        (tmp_path / "pipe", "regular"),
    ):
        with pytest.raises(InvalidInput, match=reason):
            list(read_parts(path))


class TestFits:
    def test_tables_of_a_file(self, tmp_path):
        one, two = (
            fits.BinTableHDU(Table({"ra": [value]}), name=name)
            for value, name in ((1.0, "ONE"), (2.0, "TWO"))
        )
        content = fits_bytes(tmp_path, one, two)
        with pytest.raises(InvalidInput, match=r"2 tables \(1 ONE, 2 TWO\); use --table"):
            read(tmp_path, content)
        for wanted in ("TWO", "2"):
            assert read(tmp_path, content, table=wanted)[0].rows["ra"][0] == 2.0
        with pytest.raises(InvalidInput, match="expected one of 1 ONE, 2 TWO"):
            read(tmp_path, content, table="three")

    @pytest.mark.parametrize("form", ["'0D      '", "'Q(9)    '", "' '", "garbage", "\x01", "'1PE(9)  '"])
    def test_nothing_but_invalid_input_is_raised(self, tmp_path, form):
        raw = fits_bytes(tmp_path, fits.BinTableHDU(Table({"ra": [1.0], "dec": [2.0]})))
        raw = raw.replace(b"TFORM1  = 'D       '", b"TFORM1  = " + form.encode()[:10].ljust(10))
        with suppress(InvalidInput):
            read(tmp_path, raw)

    def test_blanks_of_ascii_tables_are_not_zero(self, tmp_path):
        column = fits.Column("r90", "F8.3", array=np.array([1.0, 7.0, 2.5]), ascii=True)
        raw = fits_bytes(tmp_path, fits.TableHDU.from_columns([column])).replace(b"   7.000", b"        ")
        assert read(tmp_path, raw)[0].rows["r90"].tolist() == ["1.000", "", "2.500"]

    def test_nulls_of_scaled_integers(self, tmp_path):
        column = fits.Column("r90", "J", array=np.array([10, -999]), null=-999)
        raw = fits_bytes(tmp_path, fits.BinTableHDU.from_columns([column]))
        (part,) = read(
            tmp_path, raw.replace(b"END".ljust(80) + b" " * 80, b"TSCAL1  = 0.1".ljust(80) + b"END".ljust(80))
        )
        assert scalars(part.rows["r90"]).tolist() == [1.0, None]


def test_no_objects_are_built_from_comments(tmp_path):
    hdu = fits.BinTableHDU(Table({"t.jd1": [1.0], "t.jd2": [2.0]}))
    for line in (
        "--BEGIN-ASTROPY-SERIALIZED-COLUMNS--",
        "datatype: []",
        "meta: {__serialized_columns__: {t: {__class__: "
        "astropy.time.core.Time}}}", "--END-ASTROPY-SERIALIZED-COLUMNS--",
    ):  # fmt: skip
        hdu.header.add_comment(line)
    (part,) = read(tmp_path, fits_bytes(tmp_path, hdu))
    assert part.rows.colnames == ["t.jd1", "t.jd2"]
