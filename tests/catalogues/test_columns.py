import re

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table

from mxtvhf.catalogues.columns import Choice, map_columns
from mxtvhf.catalogues.frames import Frame
from mxtvhf.catalogues.tables import CatalogueTable
from mxtvhf.errors import InvalidInput


def mapped(names, *, frame=None, ucds=(), units=(), **choice):
    """Return the mapping of a table with these columns, all of which are numeric."""
    table = Table({name: [1.0] for name in names.split()})
    for name, ucd in dict(ucds).items():
        table[name].info.meta = {"ucd": ucd}
    for name, unit in dict(units).items():
        table[name].unit = unit
    frames = {} if frame is None else dict.fromkeys(table.colnames, frame)
    return map_columns(CatalogueTable(table, frames), Choice(**choice))


class TestPositions:
    @pytest.mark.parametrize(
        ("names", "frame"),
        [
            ("RA Dec r90", "ICRS"), ("ra_deg dec_deg r90", "ICRS"), ("RAdeg DEdeg r90", "ICRS"),
            ("_RAJ2000 _DEJ2000 r90", "FK5 J2000"), ("RA_ICRS DE_ICRS r90", "ICRS"),
            ("RAB1950 DEB1950 r90", "FK4 B1950"),
            ("GLON GLAT r90", "galactic"), ("l b r90", "galactic"), ("elon elat r90", "ecliptic J2000"),
        ],
    )  # fmt: skip
    def test_by_names(self, names, frame):
        found = mapped(names)
        assert [found.columns["ra"], found.columns["dec"]] == names.split()[:2]
        assert (str(found.frame), found.doubts) == (frame, ())

    def test_columns_of_a_pair_stay_together(self):
        """Longitude and latitude are never from two systems."""
        found = mapped("ra GLON GLAT r90")
        assert (found.columns["ra"], found.columns["dec"]) == ("GLON", "GLAT")

    def test_equatorial_before_galactic(self):
        found = mapped("GLON GLAT RAJ2000 DEJ2000 r90")
        assert (found.columns["ra"], found.doubts) == ("RAJ2000", ())

    def test_two_pairs_are_doubtful(self):
        (doubt,) = mapped("ra dec RA_ICRS DE_ICRS r90").doubts
        assert "also RA_ICRS and DE_ICRS" in doubt
        assert "--column" in doubt
        assert mapped("ra dec RA_ICRS DE_ICRS r90", columns={"ra": "ra", "dec": "dec"}).doubts == ()

    def test_the_main_position_is_certain(self):
        main = {"RA_ICRS": "pos.eq.ra;meta.main", "DE_ICRS": "pos.eq.dec;meta.main"}
        found = mapped("ra dec RA_ICRS DE_ICRS r90", ucds=main)
        assert (found.columns["ra"], found.doubts) == ("RA_ICRS", ())

    def test_one_said_and_one_found(self):
        assert mapped("ra dec RA_ICRS DE_ICRS r90", columns={"ra": "RA_ICRS"}).columns["dec"] == "DE_ICRS"

    @pytest.mark.parametrize(
        ("names", "choice", "reason"),
        [
            ("x y r90", {}, "no column for ra among x, y, r90; use --column ra=NAME"),
            ("x y r90", {"columns": {"ra": "x"}}, "no column for dec"),
            ("ra dec r90", {"columns": {"ra": "z"}}, "no column z"),
            ("ra dec r90", {"columns": {"ra": "dec"}}, "dec is both ra and dec"),
            ("ra dec r90", {"columns": {"error": "ra"}}, "ra is both"),
            ("ra dec", {}, "no column for the position error.*--error"),
        ],
    )
    def test_refused(self, names, choice, reason):
        with pytest.raises(InvalidInput, match=reason):
            mapped(names, **choice)


class TestFrame:
    def test_the_files_frame(self):
        assert str(mapped("ra dec r90", frame=Frame("FK4")).frame) == "FK4 B1950"
        assert mapped("RAJ2000 DEJ2000 r90", frame=Frame("ICRS")).frame == Frame("ICRS")
        assert mapped("x y r90", frame=Frame("galactic"), columns={"ra": "x", "dec": "y"}).frame == Frame(
            "galactic"
        )

    def test_galactic_names_beside_an_equatorial_header(self):
        assert mapped("GLON GLAT r90", frame=Frame("ICRS")).frame == Frame("galactic")

    def test_the_users_word_counts(self):
        table = Table({name: [1.0] for name in ("ra", "dec", "r90")})
        not_clear = CatalogueTable(table, dict.fromkeys(table.colnames, "not clear"))
        assert str(map_columns(not_clear, Choice(frame="FK4")).frame) == "FK4 B1950"

    @pytest.mark.parametrize(
        ("names", "frame"),
        [
            ("ra dec r90", "one of two"),
            ("RAJ2000 DEJ2000 r90", Frame("FK4")),
            ("ra dec r90", Frame("galactic")),
        ],
    )
    def test_not_clear(self, names, frame):
        with pytest.raises(InvalidInput, match="use --frame"):
            mapped(names, frame=frame)


class TestErrors:
    @pytest.mark.parametrize(
        ("names", "doubt"),
        [
            ("ra dec r90", None),
            ("ra dec err90_arcsec", None),
            ("ra dec poserr", "poserr is assumed to be sigma"),
            ("ra dec r90 poserr", "also poserr"),
            ("ra dec error", "error is assumed to be the error in arcsec"),
        ],
    )
    def test_doubts(self, names, doubt):
        columns = {"error": "err90_arcsec"} if "err90_arcsec" in names else {}
        doubts = "; ".join(mapped(names, columns=columns).doubts)
        assert re.search(doubt, doubts) if doubt else doubts == ""

    def test_units_are_said_to_be_assumed(self):
        text = mapped("ra dec r90", units={"ra": u.deg}).described()
        assert (text["ra"], text["dec"]) == ("ra [deg]", "dec [deg, assumed]")


def test_columns_of_several_values():
    table = Table(
        {"ra": [1.0], "dec": [1.0], "r90": [[1.0]], "class": [[1, 2]], "flux": [np.array([1.0, 2.0])]}
    )
    found = map_columns(CatalogueTable(table), Choice())
    assert set(found.left_out) == {"class", "flux"}
    with pytest.raises(InvalidInput, match="class has several values"):
        map_columns(CatalogueTable(table), Choice(columns={"class": "class"}))
    table["ra"] = [[1.0, 2.0]]
    with pytest.raises(InvalidInput, match=r"ra has several values.*--column ra=NAME"):
        map_columns(CatalogueTable(table), Choice())
