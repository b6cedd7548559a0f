import json
import sqlite3

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn, Table
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from mxtvhf.catalogues import rows, search
from mxtvhf.catalogues.bright import BRIGHT_XRAY, bright_sources, known_source, plain_name
from mxtvhf.catalogues.columns import Choice
from mxtvhf.catalogues.ingest import add_catalogue
from mxtvhf.catalogues.store import CatalogueStore
from mxtvhf.catalogues.version import data_file, version_file
from mxtvhf.cli.main import app
from mxtvhf.errors import InvalidInput

R90_PER_SIGMA = 2.145966
PLACES = st.tuples(st.floats(0.0, 359.999999), st.floats(-90.0, 90.0), st.floats(0.0, 40_000.0))


def write_csv(path, *lines):
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def small(tmp_path):
    """One source, and what is needed to break it."""
    file = write_csv(tmp_path / "small.csv", "name,ra,dec,r90", "A,10,20,5")
    add_catalogue(tmp_path / "store", file, "small")
    return CatalogueStore(tmp_path / "store")


def ask(store, *cone, catalogue, **options):
    (answer,) = store.cone(*cone, catalogue=catalogue, **options)
    return answer


def added(tmp_path, table, **choice):
    table.write(tmp_path / "table.fits", overwrite=True)
    version = add_catalogue(tmp_path / "store", tmp_path / "table.fits", "made", Choice(**choice))
    return version, CatalogueStore(tmp_path / "store")


@pytest.fixture(scope="module")
def everywhere(tmp_path_factory):
    """Sources all over the sky, at its poles and at RA 0, some with huge errors."""
    rng, folder = np.random.default_rng(3), tmp_path_factory.mktemp("sky")
    ra, dec = rng.uniform(0.0, 360.0, 3000), np.degrees(np.arcsin(rng.uniform(-1.0, 1.0, 3000)))
    dec[:200], dec[200:400] = 90.0 - rng.exponential(1.0, 200), -90.0 + rng.exponential(1.0, 200)
    ra[400:600] = rng.normal(0.0, 1.0, 200) % 360.0
    ra[0], dec[0], dec[200] = 0.0, 90.0, -90.0
    r90 = 10.0 ** rng.uniform(-1.0, 4.5, 3000)
    r90[:50] = 0.0
    table = Table({"name": [f"S{i}" for i in range(3000)], "ra": ra, "dec": dec, "r90": r90})
    table["r90"].unit = u.arcsec
    table.write(folder / "sky.fits")
    add_catalogue(folder / "store", folder / "sky.fits", "sky")
    return CatalogueStore(folder / "store"), table


class TestCone:
    @given(place=PLACES)
    def test_equals_the_comparison_of_every_row(self, everywhere, place):
        store, table = everywhere
        self.compare(store, table, *place)

    @pytest.mark.parametrize("ra", [0.0, 359.9999, 180.0])
    @pytest.mark.parametrize("dec", [90.0, -90.0, 89.99, 0.0])
    @pytest.mark.parametrize("radius", [0.0, 60.0, 7200.0, 330_000.0, 648_000.0])
    def test_at_the_poles_and_where_right_ascension_begins(self, everywhere, ra, dec, radius):
        self.compare(*everywhere, ra, dec, radius)

    @staticmethod
    def compare(store, table, ra, dec, radius):
        answer = ask(store, ra, dec, radius, catalogue="sky", limit=3000)
        places = SkyCoord(table["ra"], table["dec"], unit="deg")
        distance = SkyCoord(ra, dec, unit="deg").separation(places).arcsec
        margin = distance - np.asarray(table["r90"]) - radius
        found = {source.name for source in answer.sources}
        # At the very edge the last digit may decide.
        assert set(table["name"][margin < -1e-6].tolist()) <= found
        assert found <= set(table["name"][margin < 1e-6].tolist())
        order = [int(source.name[1:]) for source in answer.sources]
        assert (np.diff(distance[order]) > -1e-6).all()

    def test_the_nearest_are_kept_and_the_others_counted(self, everywhere):
        store, _ = everywhere
        whole = ask(store, 0.0, 90.0, 5000.0, catalogue="sky", limit=1000)
        part = ask(store, 0.0, 90.0, 5000.0, catalogue="sky", limit=3)
        assert part.sources == whole.sources[:3]
        assert part.omitted == len(whole.sources) - 3 > 0

    def test_density_is_local_but_never_below_the_mean(self, everywhere):
        store, _ = everywhere
        mean = 3000 / (4.0 * np.pi * np.degrees(1.0) ** 2)
        assert ask(store, 0.0, 90.0, 1.0, catalogue="sky").density_per_deg2 > 2.0 * mean
        assert ask(store, 90.0, 10.0, 1.0, catalogue="sky").density_per_deg2 >= mean

    @pytest.mark.parametrize(
        "cone", [(360.0, 0, 1), (-1.0, 0, 1), (0, 91.0, 1), (0, 0, -1.0), (0, 0, float("nan"))]
    )
    def test_no_cone(self, small, cone):
        with pytest.raises(InvalidInput, match="no cone"):
            small.cone(*cone)

    def test_unknown_catalogue_or_version(self, small):
        for wanted in ("other", "small@2", "small@x", "../small"):
            with pytest.raises(InvalidInput, match="catalogue"):
                small.cone(1.0, 2.0, 3.0, catalogue=wanted)


class TestIngest:
    def test_survey_extract_goes_in_as_it_is(self, tmp_path):
        """Single-precision coordinates, no units, names repeated, fluxes and classes missing."""
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
        version, store = added(tmp_path, table)
        assert (version.rows, version.sources, version.repeated_names) == (3, 3, 1)
        assert "left out" in version.mapping["flux"]
        assert "sigma" in version.mapping["error"]
        one, two = ask(store, 233.75266, 53.343395, 60.0, catalogue="made").sources
        assert (one.name, one.classification, one.identifiers) == ("XS J1", "BLLac", ("QSO B1533+535",))
        assert (one.flux, two.classification, two.identifiers) == (None, None, ())
        # One sigma per axis, and what single precision rounds away: 2^-16 degrees, half of it.
        assert one.r90_arcsec == pytest.approx(np.hypot(R90_PER_SIGMA, 1800.0 * 2.0**-16), rel=1e-3)
        version, store = added(tmp_path, table, units={"flux": "1e-12 erg / (s cm2)"})
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

    def test_rows_that_are_no_use_are_counted_by_reason(self, tmp_path):
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
        version = add_catalogue(tmp_path / "store", file, "bad")
        assert version.unusable == {
            "no position": 2,
            "position out of range": 2,
            "no position error": 1,
            "position error out of range": 1,
        }
        assert (version.rows, version.sources, version.repeated) == (8, 1, 1)

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
        version = add_catalogue(tmp_path / "store", tmp_path / "ucd.xml", "ucd")
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


class TestVersions:
    def test_the_newest_is_in_use_and_the_old_can_be_asked(self, tmp_path, small):
        file = write_csv(tmp_path / "new.csv", "name,ra,dec,r90", "B,10,20,5")
        add_catalogue(tmp_path / "store", file, "small", reference="The second edition")
        new, old = (
            ask(small, 10.0, 20.0, 1.0, catalogue="small"),
            ask(small, 10.0, 20.0, 1.0, catalogue="small@1"),
        )
        assert (new.version, new.sources[0].name, new.sources[0].reference) == (
            "2",
            "B",
            "The second edition",
        )
        assert (old.version, old.sources[0].name) == ("1", "A")
        assert [version.version for version in small.versions()] == [1, 2]

    def test_killed_in_the_middle(self, tmp_path, small):
        """A data file without its description is no version, and what else was left is swept away."""
        folder = small.folder / "small"
        (folder / "2.sqlite").write_bytes(b"half")
        (folder / ".adding-killed").mkdir()
        (folder / ".adding-killed" / "staging").write_bytes(b"half")
        assert ask(small, 10.0, 20.0, 1.0, catalogue="small").version == "1"
        add_catalogue(small.folder, write_csv(tmp_path / "b.csv", "ra,dec,r90", "10,20,5"), "small")
        assert sorted(path.name for path in folder.iterdir()) == [
            ".lock",
            "1.json",
            "1.sqlite",
            "2.json",
            "2.sqlite",
        ]
        assert ask(small, 10.0, 20.0, 1.0, catalogue="small").checked

    @pytest.mark.parametrize("damage", ["gone", "cut", "empty", "flipped", "zeroed", "about"])
    @pytest.mark.parametrize("small_enough_to_hash", [True, False])
    def test_damage_is_told_and_spoils_no_other(
        self, tmp_path, small, damage, small_enough_to_hash, monkeypatch
    ):
        if not small_enough_to_hash:
            monkeypatch.setattr(search, "HASHED_BYTES", 0)
        file = write_csv(tmp_path / "b.csv", "name,ra,dec,r90", *(f"N{i},10,{i % 90},5" for i in range(500)))
        add_catalogue(small.folder, file, "damaged")
        path = data_file(small.folder, "damaged", 1)
        path.chmod(0o644)
        content = bytearray(path.read_bytes())
        if damage == "gone":
            path.unlink()
        elif damage == "about":
            version_file(small.folder, "damaged", 1).write_text('{"catalogue": "damaged"')
        elif damage == "flipped":
            content[50] ^= 0xFF  # of the header: the schema's cookie and what stands beside it
            content[100] ^= 0xFF  # the kind of the first page
            path.write_bytes(content)
        else:
            path.write_bytes({"cut": content[:5000], "empty": b"", "zeroed": bytes(len(content))}[damage])
        bright, damaged, whole = small.cone(10.0, 20.0, 60.0)
        assert (bright.checked, damaged.checked, whole.checked) == (True, False, True)
        assert damaged.catalogue == "damaged"
        assert damaged.reason
        assert damaged.density_per_deg2 is None
        assert "\n" not in damaged.reason

    def test_check_of_all_bytes(self, small):
        (version,) = small.versions()
        assert small.fault(version) is None
        path = data_file(small.folder, "small", 1)
        path.chmod(0o644)
        content = bytearray(path.read_bytes())
        content[-10] ^= 0x01
        path.write_bytes(content)
        assert "damaged" in small.fault(version)

    def test_format_is_what_the_documentation_says(self, small):
        with sqlite3.connect(data_file(small.folder, "small", 1)) as database:
            assert database.execute("SELECT ra, dec, r90, name FROM source").fetchall() == [
                (10.0, 20.0, 5.0, "A")
            ]


class TestBrightSources:
    def test_the_catalogue_notices_are_named_and_their_label_contradicted(self):
        """Both real eclairs-catalog notices say GX 340-00 at the place of another source."""
        (answer,) = CatalogueStore("/nowhere").cone(256.5649, -43.0362, 300.0, catalogue=BRIGHT_XRAY)
        assert [source.name for source in answer.sources] == ["4U 1702-429"]
        label = known_source("GX 340-00")
        assert label.name == "GX 340+0"
        places = SkyCoord([label.ra_deg, 256.5649], [label.dec_deg, -43.0362], unit="deg")
        assert places[0].separation(places[1]).deg == pytest.approx(4.5, abs=0.05)

    @pytest.mark.parametrize(
        ("label", "name"),
        [("gx340+0", "GX 340+0"), ("GX 340\u221200", "GX 340+0"), ("GX_340+00", "GX 340+0"),
         ("GX 5-01", "GX 5-1"),
         ("4U 1702\u2013429", "4U 1702-429"), ("4u1702-43", "4U 1702-429"),
         ("CRAB", "Crab"), ("V* GP Vel", None)],
    )  # fmt: skip
    def test_spellings(self, label, name):
        found = known_source(label)
        assert (found and found.name) == name

    def test_no_two_sources_have_one_name(self):
        names = [
            plain_name(n) for source in bright_sources().sources for n in (source.name, *source.identifiers)
        ]
        assert len(names) == len(set(names))

    @pytest.mark.parametrize(
        ("name", "ra", "dec"),
        # Right ascensions and declinations as the literature writes them.
        [("Crab", "05 34 31.9", "+22 00 52"), ("Sco X-1", "16 19 55.07", "-15 38 25.0"),
         ("Cyg X-1", "19 58 21.68", "+35 12 05.8"), ("Vela X-1", "09 02 06.86", "-40 33 16.9"),
         ("GRS 1915+105", "19 15 11.55", "+10 56 44.9"), ("4U 1700-377", "17 03 56.77", "-37 50 38.9"),
         ("Her X-1", "16 57 49.81", "+35 20 32.5"), ("Cen X-3", "11 21 15.09", "-60 37 25.6"),
         ("GX 301-2", "12 26 37.56", "-62 46 13.3"), ("GX 340+0", "16 45 47.7", "-45 36 40")],
    )  # fmt: skip
    def test_places(self, name, ra, dec):
        source, place = known_source(name), SkyCoord(ra, dec, unit=(u.hourangle, u.deg))
        assert SkyCoord(source.ra_deg, source.dec_deg, unit="deg").separation(place).arcsec < 1.5

    def test_any_label_is_read(self):
        for label in ("", "+", "-0", "\u00fc", "0" * 1000):
            assert known_source(label) is None


class TestCommand:
    @pytest.fixture
    def run(self, tmp_path, monkeypatch):
        monkeypatch.setenv("MXTVHF_STATE", str(tmp_path / "state"))
        return lambda *arguments: CliRunner().invoke(app, ["catalogue", *map(str, arguments)])

    def test_add_list_search(self, tmp_path, run):
        file = write_csv(tmp_path / "a.csv", "who,ra,dec,r", "A,10,-20,5", "B,nan,1,1")
        options = [
            "--name",
            "mine",
            "--column",
            "name=who,error=r",
            "--error-is",
            "r90",
            "--unit",
            "error=arcmin",
        ]
        done = run("add", file, *options, "--reference", "Me 2026")
        assert "1 sources of 2 rows" in done.output
        assert "1 with no position" in done.output
        assert "mine 1: 1 sources, Me 2026" in run("list", "--check").output
        found = json.loads(run("search", 10, -20.05, 60, "--catalogue", "mine", "--json").output)
        assert found[0]["sources"][0]["name"] == "A"
        assert found[0]["sources"][0]["r90_arcsec"] == 300.0
        assert "A" in run("search", 10, -20, 60).output

    def test_wrong_options(self, tmp_path, run):
        file = write_csv(tmp_path / "a.csv", "ra,dec,r90", "10,-20,5")
        for option in (["--column", "colour=x"], ["--unit", "ra"], ["--error-is", "r50"]):
            assert isinstance(run("add", file, "--name", "a", *option).exception, InvalidInput)

    def test_damage_ends_with_status_1(self, tmp_path, run):
        run("add", write_csv(tmp_path / "a.csv", "ra,dec,r90", "10,-20,5"), "--name", "a")
        path = data_file(tmp_path / "state" / "catalogues", "a", 1)
        path.chmod(0o644)
        path.write_bytes(b"")
        assert run("list", "--check").exit_code == 1
        assert "DAMAGED" in run("list", "--check").output
        assert "NOT CHECKED" in run("search", 10, -20, 60).output


def test_error_classes_cover_all_errors(tmp_path):
    """A class's largest error is the largest there is, whatever rounding does at its edge."""
    table = Table({"ra": [10.0] * 4, "dec": [1.0, 2.0, 3.0, 4.0], "r90": [1.0, 4.0, 16.0, 16.0000001]})
    version, _ = added(tmp_path, table)
    assert [group.largest_r90_arcsec for group in version.error_classes] == pytest.approx(
        [1, 4, 16, 16.0000001]
    )
    assert rows.ERROR_CLASS_FACTOR == 4.0
