"""Files of the source list, each opened by an independent program."""

import subprocess
import warnings
from datetime import UTC, datetime
from hashlib import sha256
from math import isnan

import pytest
from astropy import units as u
from astropy.io import fits
from regions import CircleSkyRegion, Regions

from mxtvhf.localisation.sky_products import Observed
from mxtvhf.localisation.source_products import write_source_files
from support.sources import BURST, FIELD

OBSERVED = Observed(
    "sb26051102", datetime(2026, 5, 11, 3, 4, 5, tzinfo=UTC), "2026-05-11T03:10:00.000", {"psf": "7"}
)


@pytest.fixture
def written(tmp_path):
    return tmp_path, write_source_files(tmp_path, FIELD, BURST.name, OBSERVED)


def test_products_are_named_with_their_digests(written):
    out, products = written
    assert {name: product.path for name, product in products.items()} == {
        "sources": "sources.fits",
        "sources_ds9": "sources.reg",
    }
    for product in products.values():
        assert sha256((out / product.path).read_bytes()).hexdigest() == product.sha256


def test_astropy_reads_the_table(written):
    out, _ = written
    with warnings.catch_warnings(action="error"), fits.open(out / "sources.fits", checksum=True) as parts:
        parts.verify("exception")
        table, header = parts["SRCLIST"].data, parts["SRCLIST"].header
        assert list(table["NAME"]) == ["S1", "S2", "S3"]
        assert list(table["BURST"]) == [False, True, False]
        assert list(table["RA"]) == [212.75, 212.5, 212.72]
        assert list(table["R90"]) == [33.0, 48.0, 90.0]
        assert list(table["COUNTS"]) == [400.0, 120.0, 40.0]
        assert list(table["ECLAIRS"]) == [0, 1, -1]
        assert list(table["KNOWN_AS"]) == ["NGC 1", "", ""]
        assert list(table["CONFUSED"]) == ["S3", "", "S1"]
        units = {column.name: u.Unit(column.unit) for column in table.columns if column.unit}
        assert units["R90"] == u.arcsec
        assert units["NH"] == u.cm**-2
        assert units["RA"] == units["DEC"] == u.deg
        assert (header["RADESYS"], header["OBJECT"]) == ("ICRS", "sb26051102")


def test_unknown_values_are_nan(tmp_path):
    of_no_time = FIELD[1].model_copy(update={"fading": None, "decay_index": None})
    write_source_files(tmp_path, [of_no_time], "S2", OBSERVED)
    (row,) = fits.getdata(tmp_path / "sources.fits")
    assert isnan(row["P_FADING"])
    assert isnan(row["DECAY"])


@pytest.mark.service
def test_fitsverify_finds_nothing(written):
    out, _ = written
    report = subprocess.run(["fitsverify", str(out / "sources.fits")], capture_output=True, text=True)
    assert "0 warning(s) and 0 error(s)" in report.stdout, report.stdout


def test_regions_reads_all_circles(written):
    out, _ = written
    circles = Regions.read(out / "sources.reg", format="ds9")
    assert all(isinstance(circle, CircleSkyRegion) for circle in circles)
    assert [circle.meta["text"] for circle in circles] == ["S1 R90", "S2 sb26051102 R90", "S3 R90"]
    for circle, source in zip(circles, FIELD, strict=True):
        assert circle.center.icrs.ra.deg == pytest.approx(source.position.ra_deg)
        assert circle.center.icrs.dec.deg == pytest.approx(source.position.dec_deg)
        assert circle.radius.to_value(u.arcsec) == pytest.approx(source.position.r90_arcsec)
    assert [circle.visual["linewidth"] for circle in circles] == [1, 2, 1]
