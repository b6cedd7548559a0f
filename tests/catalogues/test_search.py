import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table
from hypothesis import given
from hypothesis import strategies as st

from mxtvhf.catalogues.ingest import add_catalogue
from mxtvhf.catalogues.store import CatalogueStore
from mxtvhf.errors import InvalidInput
from support.catalogues import ask

PLACES = st.tuples(st.floats(0.0, 359.999999), st.floats(-90.0, 90.0), st.floats(0.0, 40_000.0))


@pytest.fixture(scope="module")
def everywhere(tmp_path_factory):
    """Return sources all over the sky, at the poles and at RA 0, some with huge errors."""
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
    add_catalogue(folder / "store", folder / "sky.fits", "sky", confirmed=True)
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
        # At the edge of the cone the result may depend on the last digit.
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
        with pytest.raises(InvalidInput, match="invalid cone"):
            small.cone(*cone)

    def test_unknown_catalogue_or_version(self, small):
        for wanted in ("other", "small@2", "small@x", "../small"):
            with pytest.raises(InvalidInput, match="catalogue"):
                small.cone(1.0, 2.0, 3.0, catalogue=wanted)
