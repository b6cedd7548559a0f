import numpy as np
import pytest
from astropy import units as u
from astropy.table import MaskedColumn, Table

from mxtvhf.catalogues import rows
from mxtvhf.catalogues.bright import BRIGHT_XRAY
from mxtvhf.catalogues.columns import Choice
from mxtvhf.catalogues.ingest import add_catalogue
from mxtvhf.catalogues.store import CatalogueStore
from mxtvhf.errors import InvalidInput
from support.catalogues import added, ask, write_csv

R90_PER_SIGMA = 2.145966


class TestIngest:
    def test_a_survey_extract_is_ingested_unchanged(self, tmp_path):
        """The extract has single-precision coordinates, no units, repeated names, and missing fluxes and
        classes."""
        flux = MaskedColumn(np.float32([1.0, 2.0, 3.0]), mask=[False, True, False])
        table = Table(
            {
                "XMM_NAME": ["XS J1", "XS J1", "XS J2"],
                "RA": np.float32([233.75266, 233.753, 10.0]),
                "DEC": np.float32([53.343395, 53.343395, -80.0]),
                "ERROR": np.float32([1.0, 2.0, 3.0]),
                "L": np.float32([1.0, 1.0, 1.0]),
                "TOTALFLUX": flux,
                "ID": MaskedColumn(["QSO B1533+535", "", "x"], mask=[False, True, True]),
                "CAT": ["BLLac", "", "SNR"],
            }
        )
        with pytest.raises(InvalidInput, match=r"ERROR is assumed to be.*be sigma.*--yes"):
            added(tmp_path, table)
        version, store = added(tmp_path, table, confirmed=True)
        assert (version.rows, version.sources, version.repeated_names) == (3, 3, 1)
        assert "ignored" in version.mapping["flux"]
        assert "sigma" in version.mapping["error"]
        one, two = ask(store, 233.75266, 53.343395, 60.0, catalogue="made").sources
        assert (one.name, one.classification, one.identifiers) == ("XS J1", "BLLac", ("QSO B1533+535",))
        assert (one.flux, two.classification, two.identifiers) == (None, None, ())
        # One sigma per axis, plus the rounding error of single precision: half of 2^-16 degrees.
        assert one.r90_arcsec == pytest.approx(np.hypot(R90_PER_SIGMA, 1800.0 * 2.0**-16), rel=1e-3)
        version, store = added(tmp_path, table, units={"flux": "1e-12 erg / (s cm2)"}, confirmed=True)
        (third,) = ask(store, 10.0, -80.0, 60.0, catalogue="made").sources
        assert third.flux == pytest.approx(3e-12)
        assert version.version == 2

    @pytest.mark.parametrize(("unit", "r90"), [("arcsec", 3.0), ("arcmin", 180.0), ("deg", 10_800.0)])
    def test_units_are_honoured(self, tmp_path, unit, r90):
        table = Table(
            {"name": ["A"], "ra": [6.0] * u.hourangle, "dec": [0.5] * u.rad, "err90": [3.0] * u.Unit(unit)}
        )
        table["flux"] = [1.0] * u.mW / u.m**2
        table.write(tmp_path / "units.ecsv")
        add_catalogue(tmp_path / "store", tmp_path / "units.ecsv", "made")
        store = CatalogueStore(tmp_path / "store")
        (source,) = ask(store, 90.0, np.degrees(0.5), 1.0, catalogue="made").sources
        assert source.r90_arcsec == pytest.approx(r90)
        assert source.flux == pytest.approx(1.0)

    @pytest.mark.parametrize(
        ("kind", "factor"),
        [("sigma", 2.1460), ("r68", 1.4215), ("r90", 1.0), ("r95", 0.8767), ("r99", 0.7071)],
    )
    def test_errors_become_90_percent_radii(self, tmp_path, kind, factor):
        table = Table({"name": ["A"], "ra": [10.0], "dec": [20.0], "radius": [10.0] * u.arcsec})
        _, store = added(tmp_path, table, columns={"error": "radius"}, error_kind=kind)
        (source,) = ask(store, 10.0, 20.0, 1.0, catalogue="made").sources
        assert source.r90_arcsec == pytest.approx(10.0 * factor, rel=1e-4)

    def test_unusable_rows_are_counted_by_reason(self, tmp_path):
        lines = [
            "A,10,20,1",
            ",nan,20,1",
            "C,,20,1",
            "D,400,20,1",
            "E,10,-91,1",
            "F,10,20,",
            "G,10,20,-1",
            "A,10,20,1",
        ]
        file = write_csv(tmp_path / "bad.csv", "name,ra,dec,r90", *lines)
        with pytest.raises(InvalidInput, match=r"2 of 8 positions are out of range.*--yes"):
            add_catalogue(tmp_path / "store", file, "bad")
        version = add_catalogue(tmp_path / "store", file, "bad", confirmed=True)
        assert version.unusable == {
            "no position": 2,
            "position out of range": 2,
            "no position error": 1,
            "position error out of range": 1,
        }
        assert (version.rows, version.sources, version.repeated) == (8, 1, 1)

    def test_positions_of_unusable_rows_are_stored(self, tmp_path):
        """A row without an error is not checked at its position; one without a position is counted."""
        file = write_csv(
            tmp_path / "gaps.csv", "name,ra,dec,r90", "A,10,20,1", "B,50,20,", "C,50,20.001,-1", "D,,,1"
        )
        add_catalogue(tmp_path / "store", file, "gaps", Choice(frame="ICRS"))
        store = CatalogueStore(tmp_path / "store")
        near, far = (ask(store, ra, 20.0, 60.0, catalogue="gaps") for ra in (50.0, 10.0))
        assert (near.unusable_here, near.unusable_anywhere, near.is_complete) == (2, 1, False)
        assert (far.unusable_here, far.is_complete, far.gap) == (0, True, "1 row of unknown position")

    def test_places_of_unusable_rows_are_converted(self, tmp_path):
        file = write_csv(tmp_path / "b.csv", "rab1950,deb1950,r90", "10.5,-20.25,", "200,5,1")
        add_catalogue(tmp_path / "store", file, "b")
        answer = ask(CatalogueStore(tmp_path / "store"), 11.12154, -19.97650, 5.0, catalogue="b")
        assert answer.unusable_here == 1

    def test_right_ascensions_from_minus_180(self, tmp_path):
        file = write_csv(tmp_path / "a.csv", "ra,dec,r90", "-180,0,1", "-0.25,0,1", "179.5,0,1")
        version = add_catalogue(tmp_path / "store", file, "a")
        found = ask(CatalogueStore(tmp_path / "store"), 0.0, 0.0, 648_000.0, catalogue="a").sources
        assert sorted(source.ra_deg for source in found) == [179.5, 180.0, 359.75]
        assert version.mapping["RA below 0"] == "360 deg added to 2"

    @pytest.mark.parametrize(
        ("rows", "doubt"),
        [
            (["0.5,1,1", "23.5,2,1"], "from 0 to 24"),
            (["0.5,1,1", "6.2,-1.5,1"], "may be in radians"),
            (["100,1,0.001", "200,2,0.002"], "below 0.1"),
            (["-100,1,1", "200,2,1"], "below 0 and above 180"),
            (["100,1,1", "200,99,1"], "1 of 2 positions are out of range"),
            (["100,1,99.99", "200,2,1"], r"r90 is 99.99 in 1 rows.*--missing 99.99"),
            (["-99,1,1", "100,2,1"], "ra is -99 in 1 rows"),
            (["100,1,0", "200,2,1"], "r90 is 0 in 1 rows.*--missing 0"),
            (["0,0,1", "0,0,2", "200,2,1"], "2 positions are exactly 0, 0"),
        ],
    )
    def test_doubtful_values_are_confirmed(self, tmp_path, rows, doubt):
        file = write_csv(tmp_path / "a.csv", "ra,dec,r90", *rows)
        with pytest.raises(InvalidInput, match=f"uncertain: .*{doubt}.*--yes"):
            add_catalogue(tmp_path / "store", file, "a")
        assert CatalogueStore(tmp_path / "store").versions() == ()
        version = add_catalogue(tmp_path / "store", file, "a", confirmed=True)
        assert len(version.doubts) == 1

    @pytest.mark.parametrize(
        ("rows", "options", "doubts"),
        [
            (["0.5,1,1", "23.5,2,1"], {"units": {"ra": "deg"}}, 0),
            (["100,1,99.99", "200,2,1"], {"missing": ("99.99",)}, 0),
            (["10,1,1", "11,2,1"], {}, 0),
        ],
    )
    def test_options_given_by_the_user_raise_no_doubt(self, tmp_path, rows, options, doubts):
        file = write_csv(tmp_path / "a.csv", "ra,dec,r90", *rows)
        assert len(add_catalogue(tmp_path / "store", file, "a", Choice(**options)).doubts) == doubts

    @pytest.mark.parametrize("value", ["-999", "-99.99", "-9999.0", "nan", "", "n/a"])
    def test_errors_that_are_not_given(self, tmp_path, value):
        file = write_csv(tmp_path / "a.csv", "ra,dec,r90", f"100,1,{value}")
        add_catalogue(tmp_path / "store", file, "a", Choice(default_r90_arcsec=7.0))
        (source,) = ask(CatalogueStore(tmp_path / "store"), 100.0, 1.0, 1.0, catalogue="a").sources
        assert source.r90_arcsec == 7.0

    @pytest.mark.parametrize("value", ["-999", "0", "", "--", "NaN", "null", "x"])
    def test_optional_values_that_are_not_given(self, tmp_path, value):
        header = "name,ra,dec,r90,flux,class"
        file = write_csv(tmp_path / "a.csv", header, f"{value},100,1,1,{value},{value}")
        add_catalogue(tmp_path / "store", file, "a", Choice(units={"flux": "erg/(s cm2)"}))
        (source,) = ask(CatalogueStore(tmp_path / "store"), 100.0, 1.0, 1.0, catalogue="a").sources
        assert source.flux is None
        assert source.classification == (value if value in "0x" and value else None)

    @pytest.mark.parametrize(
        "rows",
        [
            ["10.5,1,1", "12:00:00,2,1"], ["12:00:00,2,1", "10.5,1,1"], ["12h00m,2,1", "10.5,1,1"],
            ["12 00 00,2,1", "256 33 54,2,1"],
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("rows_of_a_part", [1, 100])
    def test_degrees_among_hours_are_refused(self, tmp_path, monkeypatch, rows, rows_of_a_part):
        monkeypatch.setattr("mxtvhf.catalogues.readers.ROWS", rows_of_a_part)
        file = write_csv(tmp_path / "a.csv", "ra,dec,r90", *rows)
        with pytest.raises(InvalidInput, match=r"--unit ra=deg"):
            add_catalogue(tmp_path / "store", file, "a")

    def test_hours_beyond_24_are_refused(self, tmp_path):
        file = write_csv(tmp_path / "a.csv", "ra,dec,r90", "12,1,1", "256,1,1")
        with pytest.raises(InvalidInput, match="hours beyond 24"):
            add_catalogue(tmp_path / "store", file, "a", Choice(units={"ra": "hour"}))

    def test_names_are_one_line(self, tmp_path):
        file = write_csv(tmp_path / "a.csv", "name,ra,dec,r90", '"A\nb\x1b[2J",100,1,1')
        add_catalogue(tmp_path / "store", file, "a")
        (source,) = ask(CatalogueStore(tmp_path / "store"), 100.0, 1.0, 1.0, catalogue="a").sources
        assert source.name == "A b?[2J"

    def test_name_of_a_file_that_is_not_utf8(self, tmp_path):
        file = write_csv(tmp_path / "caf\udce9\n.csv", "ra,dec,r90", "100,1,1")
        version = add_catalogue(tmp_path / "store", file, "a")
        assert (version.file, version.reference) == (r"caf\xe9\n.csv", r"caf\xe9\n.csv")
        assert CatalogueStore(tmp_path / "store").versions() == (version,)

    def test_a_default_error_where_there_is_none(self, tmp_path):
        file = write_csv(tmp_path / "plain.csv", "ra,dec", "360.0,20", "11,20")
        with pytest.raises(InvalidInput, match="position error"):
            add_catalogue(tmp_path / "store", file, "plain")
        add_catalogue(tmp_path / "store", file, "plain", Choice(default_r90_arcsec=7.0))
        (source,) = ask(CatalogueStore(tmp_path / "store"), 0.0, 20.0, 1.0, catalogue="plain").sources
        assert (source.r90_arcsec, source.name) == (7.0, "unnamed at 0.00000 +20.00000")

    def test_sexagesimal_text(self, tmp_path):
        file = write_csv(
            tmp_path / "hms.csv", "name,ra,dec,r90", "4U 1702-429,17:06:15.31,-43:02:08.5,2", "X,a,b,2"
        )
        version = add_catalogue(tmp_path / "store", file, "hms")
        (source,) = ask(CatalogueStore(tmp_path / "store"), 256.5638, -43.0357, 1.0, catalogue="hms").sources
        assert source.ra_deg == pytest.approx(256.563792, abs=1e-5)
        assert version.unusable == {"no position": 1}

    @pytest.mark.parametrize("kind", ["fits", "votable", "csv", "ecsv"])
    def test_formats_say_the_same(self, tmp_path, kind):
        table = Table({"name": ["A", "B"], "ra": [10.0, 20.0], "dec": [1.0, 2.0], "r90": [3.0, 4.0]})
        formats = {"ecsv": "ascii.ecsv", "csv": "ascii.csv"}
        table.write(tmp_path / "file.dat", format=formats.get(kind, kind))
        add_catalogue(tmp_path / "store", tmp_path / "file.dat", kind)
        (source,) = ask(CatalogueStore(tmp_path / "store"), 20.0, 2.0, 1.0, catalogue=kind).sources
        assert (source.name, source.r90_arcsec) == ("B", 4.0)

    def test_columns_by_their_ucd(self, tmp_path):
        table = Table({"one": [10.0], "two": [20.0], "three": [1.0] * u.arcsec, "ra": [99.0]})
        for name, ucd in (
            ("one", "pos.eq.ra;meta.main"),
            ("two", "pos.eq.dec;meta.main"),
            ("three", "stat.error;pos.eq"),
        ):
            table[name].info.meta = {"ucd": ucd}
        table.write(tmp_path / "ucd.xml", format="votable")
        version = add_catalogue(tmp_path / "store", tmp_path / "ucd.xml", "ucd", Choice(error_kind="sigma"))
        assert version.mapping["ra"].startswith("one")

    def test_parts_of_a_file_make_one_catalogue(self, tmp_path, monkeypatch):
        monkeypatch.setattr("mxtvhf.catalogues.readers.ROWS", 10)
        count = 35
        table = Table({"ra": np.arange(count, dtype=float), "dec": np.zeros(count), "r90": np.ones(count)})
        version, store = added(tmp_path, table)
        assert (version.rows, version.sources) == (count, count)
        assert len(ask(store, 17.0, 0.0, 648_000.0, catalogue="made").sources) == count

    @pytest.mark.parametrize(
        "content",
        [b"", b"nothing", b"<html><body>404</body></html>", b"SIMPLE  =                    T",
         b"\x1f\x8b\x08junk",
         b"<?xml version='1.0'?><VOTABLE version='1.3'></VOTABLE>", b"name,ra,dec,r90\n",
         b"ra,dec,r90\nx,y,z\n",
         bytes(range(256)) * 20, b"name,ra,dec,r90\nA,10,20,5,6,7\n"],
    )  # fmt: skip
    def test_bad_files_leave_nothing(self, tmp_path, content):
        (tmp_path / "bad.dat").write_bytes(content)
        with pytest.raises(InvalidInput, match=r"bad\.dat: "):
            add_catalogue(tmp_path / "store", tmp_path / "bad.dat", "bad")
        assert [path.name for path in (tmp_path / "store" / "bad").iterdir()] == [".lock"]
        assert len(CatalogueStore(tmp_path / "store").cone(1.0, 2.0, 3.0)) == 1

    @pytest.mark.parametrize("cut", [500, 2880, 6000])
    def test_cut_fits_file(self, tmp_path, cut):
        Table({"ra": np.zeros(1000), "dec": np.zeros(1000), "r90": np.ones(1000)}).write(
            tmp_path / "whole.fits"
        )
        (tmp_path / "cut.fits").write_bytes((tmp_path / "whole.fits").read_bytes()[:cut])
        with pytest.raises(InvalidInput, match=r"cut\.fits: "):
            add_catalogue(tmp_path / "store", tmp_path / "cut.fits", "cut")

    @pytest.mark.parametrize(
        "choice", [{"columns": {"ra": "nope"}}, {"units": {"error": "kg"}}, {"units": {"flux": "parsnip"}}]
    )
    def test_wrong_column_or_unit(self, tmp_path, choice):
        file = write_csv(tmp_path / "a.csv", "name,ra,dec,r90,flux", "A,10,20,5,1")
        with pytest.raises(InvalidInput, match=r"a\.csv: .*(no column|unit)"):
            add_catalogue(tmp_path / "store", file, "a", Choice(**choice))

    @pytest.mark.parametrize("name", ["", "..", ".hidden", "a/b", "x" * 65, "a b", BRIGHT_XRAY])
    def test_bad_names(self, tmp_path, name):
        file = write_csv(tmp_path / "a.csv", "name,ra,dec,r90", "A,10,20,5")
        with pytest.raises(InvalidInput, match="catalogue"):
            add_catalogue(tmp_path / "store", file, name)


def test_error_classes_cover_all_errors(tmp_path):
    """The largest error of a class is exact despite rounding at the class limit."""
    table = Table({"ra": [10.0] * 4, "dec": [1.0, 2.0, 3.0, 4.0], "r90": [1.0, 4.0, 16.0, 16.0000001]})
    version, _ = added(tmp_path, table)
    assert [group.largest_r90_arcsec for group in version.error_classes] == pytest.approx(
        [1, 4, 16, 16.0000001]
    )
    assert rows.ERROR_CLASS_FACTOR == 4.0
