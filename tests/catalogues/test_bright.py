import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord

from mxtvhf.catalogues.bright import BRIGHT_XRAY, bright_sources, known_source, plain_name
from mxtvhf.catalogues.store import CatalogueStore


class TestBrightSources:
    def test_the_catalogue_notices_are_named_and_their_label_contradicted(self):
        """Both real eclairs-catalog notices give the name GX 340-00 at the position of another source."""
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
        # Right ascensions and declinations as given in the literature.
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
