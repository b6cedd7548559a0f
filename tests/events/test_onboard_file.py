import numpy as np
import pytest
from astropy.io import fits

from mxtvhf.errors import InvalidInput
from mxtvhf.events.onboard_file import (
    OnboardMessage,
    OnboardSource,
    read_onboard_file,
    write_onboard_file,
)

BURST = "sb26051102"
MET = 295268612.25


def source(ra, known=False):
    return OnboardSource(ra_deg=ra, dec_deg=-3.5, r90_arcsec=50.0, snr=8.5, known_source=known)


MESSAGES = (
    OnboardMessage(met=MET, sources=(source(10.0, known=True), source(10.2))),
    OnboardMessage(met=MET + 30.0, sources=(source(10.1),)),
    OnboardMessage(met=MET + 60.0, sources=(source(10.0), source(10.2), source(10.3))),
)


@pytest.fixture
def product(tmp_path):
    path = tmp_path / "qpo_mxt.fits"
    write_onboard_file(path, MESSAGES, BURST)
    return path


def changed(path, change):
    with fits.open(path) as parts:
        copies = fits.HDUList([part.copy() for part in parts])
    change(copies)
    copies.writeto(path, overwrite=True, checksum=True)
    return path


def test_a_written_file_is_read_back(product):
    assert read_onboard_file(product) == MESSAGES


def test_a_result_without_a_source_has_no_row(tmp_path):
    write_onboard_file(tmp_path / "q.fits", [*MESSAGES, OnboardMessage(met=MET + 90, sources=())], BURST)
    assert read_onboard_file(tmp_path / "q.fits") == MESSAGES


def test_the_same_input_gives_the_same_bytes(product, tmp_path):
    write_onboard_file(tmp_path / "again.fits", MESSAGES, BURST)
    assert (tmp_path / "again.fits").read_bytes() == product.read_bytes()


def test_names_and_units_are_those_of_svom(product):
    with fits.open(product, checksum=True) as parts:
        parts.verify("exception")
        assert [part.name for part in parts] == ["PRIMARY", "QPO_MXT_S1", "QPO_MXT_S2", "QPO_MXT_S3"]
        header = parts[0].header
        assert (header["CARD"], header["BURST_ID"], header["DSTREAM"]) == ("QPO_MXT", BURST, "VHF")
        assert [len(part.data) for part in parts[1:]] == [3, 2, 1]
        # Select like the only public reader: the smallest R90 of the first source that is not in the
        # catalogue.
        table = parts["QPO_MXT_S1"]
        assert table.columns["R90"].unit == "arcsec"
        unknown = table.data[table.data["KNOWN_SOURCE"] != 1]
        assert unknown["RA"][np.argmin(unknown["R90"])] == 10.1


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (lambda parts: parts[0].header.set("CARD", "QPO_VT"), "HDU PRIMARY: CARD is 'QPO_VT'"),
        (
            lambda parts: parts[0].header.remove("CARD"),
            "not a file of on-board results: keyword CARD missing",
        ),
        (lambda parts: parts.pop(2), "HDU QPO_MXT_S2"),
        (lambda parts: parts[1].data["RA"].fill(400.0), "HDU QPO_MXT_S1"),
        (lambda parts: parts[3].data["R90"].fill(np.nan), "HDU QPO_MXT_S3"),
        (
            lambda parts: setattr(parts[2].columns["RA"], "unit", "rad"),
            "column RA is in 'rad', expected 'deg'",
        ),
        (lambda parts: parts[3].data["TIME"].fill(MET + 30.0), "missing in the previous table"),
    ],
)
def test_an_invalid_product_is_refused(product, change, cause):
    with pytest.raises(InvalidInput, match=r"^qpo_mxt\.fits: ") as error:
        read_onboard_file(changed(product, change))
    assert cause in str(error.value)


@pytest.mark.parametrize("content", [b"", b"no FITS", b"SIMPLE  =  cut"])
def test_content_that_is_not_fits_is_refused(tmp_path, content):
    path = tmp_path / "q.fits"
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match=r"q\.fits"):
        read_onboard_file(path)


def test_a_missing_or_cut_file_is_refused(product, tmp_path):
    with pytest.raises(InvalidInput, match=r"none\.fits"):
        read_onboard_file(tmp_path / "none.fits")
    product.write_bytes(product.read_bytes()[:5000])
    with pytest.raises(InvalidInput, match=r"qpo_mxt\.fits"):
        read_onboard_file(product)
