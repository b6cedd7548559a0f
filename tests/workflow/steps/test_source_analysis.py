import hashlib
import json
import logging
import subprocess
import warnings
from datetime import UTC, datetime, timedelta
from functools import cache

import fitsio
import numpy as np
import pytest
from astropy.io import fits
from typer.testing import CliRunner

from mxtvhf.analysis.light_curve import RegionPhotons
from mxtvhf.analysis.regions import regions_at
from mxtvhf.analysis.spectral_fit import Spectrum
from mxtvhf.analysis.throughput import expected_counts
from mxtvhf.cli.main import app
from mxtvhf.errors import InvalidInput
from mxtvhf.events.event_file import write_event_file
from mxtvhf.events.header import EventHeader
from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.calibration import default_calibration
from mxtvhf.instrument.pointing import Pointing
from mxtvhf.instrument.psf import LobsterEyePsf
from mxtvhf.instrument.response import response_of
from mxtvhf.instrument.time import met_from_utc
from mxtvhf.models.angles import separation_arcsec
from mxtvhf.simulator.photons import simulate_photons
from mxtvhf.simulator.pointing import moving_attitude, seen_with
from mxtvhf.workflow.steps.source_analysis import source_analysis
from mxtvhf.workflow.steps.vhf_localisation import vhf_localisation
from support.event_files import HEADER, attitude_history

OBSERVED = datetime(2026, 5, 11, 11, 3, 32, tzinfo=UTC)
START = met_from_utc(OBSERVED)
T0 = OBSERVED - timedelta(seconds=180)
FLUX = 1e-9
HOT = (118, 152)
PRODUCTS = {
    "source_light_curve": "lightcurve.fits",
    "spectrum": "spectrum.pha",
    "background_spectrum": "background.pha",
    "arf": "mxt.arf",
    "rmf": "mxt.rmf",
}


def event_file(path, photons):
    assert isinstance(HEADER, EventHeader)
    write_event_file(path, photons, attitude_history(), header=HEADER)
    return path


def burst(counts, background=150.0, seed=1):
    return simulate_photons(
        x=110.0, y=150.0, counts=counts, background=background, start=START, stop=START + 300.0,
        burst_time=met_from_utc(T0), decay_index=1.2, rng=np.random.default_rng(seed),
    )  # fmt: skip


@pytest.fixture(scope="module")
def analysed(tmp_path_factory):
    """A bright source: folder and result."""
    folder = tmp_path_factory.mktemp("bright")
    events = event_file(folder / "events.fits", burst(expected_counts(FLUX, 300.0, 110.0, 150.0)))
    out = folder / "products"
    return out, source_analysis(events, vhf_localisation(events), out, trigger_time=T0)


def test_every_product_is_there_with_its_hash(analysed):
    out, result = analysed
    assert {name: product.path for name, product in result.products.items()} == PRODUCTS
    assert not list(out.glob("*.png")), "no report waits for figures"
    for product in result.products.values():
        assert hashlib.sha256((out / product.path).read_bytes()).hexdigest() == product.sha256
    assert result.calibration["psf"] == default_calibration().psf.version


@pytest.mark.service
@pytest.mark.parametrize("name", PRODUCTS.values())
def test_fitsverify_finds_nothing(analysed, name):
    report = subprocess.run(["fitsverify", str(analysed[0] / name)], capture_output=True, text=True)
    assert "0 warning(s) and 0 error(s)" in report.stdout, report.stdout


def test_what_was_measured_is_true(analysed):
    result = analysed[1]
    fit, decay = result.spectrum, result.light_curve.decay
    assert fit.trusted, fit.doubts
    for found, truth in ((fit.photon_index, 2.0), (fit.flux, FLUX), (decay.index, 1.2)):
        assert abs(found.value - truth) < 4.0 * found.error_high
    assert result.light_curve.zero_is_trigger
    assert result.light_curve.zero == T0
    assert result.light_curve.bins[0].start_s == pytest.approx(180.0, abs=1e-5)
    assert len(result.light_curve.blocks) > 1


@pytest.mark.service
def test_sherpa_reads_the_spectrum_and_finds_the_same(analysed):
    """By the C statistic: the source in both files, our background spectrum with free levels."""
    out, result = analysed
    logging.getLogger("sherpa").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from sherpa.astro.io import read_pha
        from sherpa.data import DataSimulFit
        from sherpa.fit import Fit
        from sherpa.models import ArithmeticModel, Parameter, SimulFitModel
        from sherpa.stats import CStat

        data = read_pha(str(out / "spectrum.pha"))
    from sherpa.astro.instrument import RSPModelPHA

    from mxtvhf.analysis.absorption import transmission

    ours, regions, background = result.spectrum, result.regions, data.get_background()
    assert data.exposure == 300.0
    assert data.get_background_scale() == pytest.approx(regions.source_pixels / regions.background_pixels)
    header = fits.getheader(out / "spectrum.pha", "SPECTRUM")

    class Absorbed(ArithmeticModel):
        """The model of our fit, per bin, in sherpa's form."""

        def __init__(self):
            self.index = Parameter("absorbed", "index", 1.5)
            self.norm = Parameter("absorbed", "norm", 0.1, min=1e-9)
            super().__init__("absorbed", (self.index, self.norm))

        def calc(self, p, low, high, *args, **kwargs):
            middle = 0.5 * (low + high)
            nh = 1e22 * ours.nh_1e22_cm2.value
            return p[1] * middle ** -p[0] * transmission(middle, nh) * (high - low)

    class Levels(ArithmeticModel):
        """The background's smooth spectrum in all channels, with a free level in each piece."""

        def __init__(self, shape, pieces):
            self.shape, self.piece = shape, np.searchsorted(pieces[1:], np.arange(len(shape)), side="right")
            self.level = [Parameter("levels", f"level{k}", 1.0, min=1e-6) for k in range(len(pieces))]
            super().__init__("levels", self.level)

        def calc(self, p, *args, **kwargs):
            return np.asarray(p)[self.piece] * self.shape

    channels = len(data.channel)
    spectra = np.stack([data.counts, background.counts]).astype(int)
    regions_there = regions_at(
        regions.x, regions.y, regions.radius_pixel,
        psf=LobsterEyePsf.of(default_calibration().psf).scaled(regions.core_fwhm_arcmin / 10.0),
        exposure=np.ones((256, 256)),
    )  # fmt: skip
    response = response_of(default_calibration().effective_area, default_calibration().redistribution)
    nothing = np.empty(0)
    photons = RegionPhotons(regions_there, np.array([[0.0, 300.0]]), nothing, nothing, nothing, nothing)
    spectrum = Spectrum.of(photons, *spectra, response, default_calibration().background)
    shape = np.zeros(channels)
    first = np.rint(spectrum.edges / 0.01).astype(int)
    for low, high, value in zip(first, first[1:], spectrum.data.shape, strict=False):
        shape[low:high] = value / (high - low)
    levels = Levels(shape * spectra[1].sum(), first[spectrum.data.pieces])
    data.set_analysis("energy")
    source, arf, rmf = Absorbed(), data.get_arf(), data.get_rmf()
    models = []
    for each, fraction, area in (
        (data, header["PSFSRC"], data.get_background_scale()),
        (background, header["PSFBKG"], 1.0),
    ):
        each.units = "energy"
        each.notice(0.3, 10.0)
        folded = RSPModelPHA(arf, rmf, each, source * (300.0 * fraction / header["PSFEFF"]))
        models.append(folded + area * levels)
    fit = Fit(DataSimulFit("both", (data, background)), SimulFitModel("both", models), stat=CStat()).fit()
    assert fit.succeeded, fit.message
    # Our column has an error, which the fixed one here has not: a tenth of our errors all the same.
    assert abs(source.index.val - ours.photon_index.value) < 0.1 * ours.photon_index.error_high
    assert abs(source.norm.val - ours.norm.value) < 0.1 * ours.norm.error_high


def test_the_matrix_is_read_by_channel_subset_as_the_format_says(analysed):
    """CAL/GEN/92-002, 3.2.1: N_GRP subsets of a row, each from F_CHAN[k] on N_CHAN[k] channels long."""
    out, _ = analysed
    calibration = default_calibration()
    expected = response_of(calibration.effective_area, calibration.redistribution)
    rows, bounds = fits.getdata(out / "mxt.rmf", "MATRIX"), fits.getdata(out / "mxt.rmf", "EBOUNDS")
    header = fits.getheader(out / "mxt.rmf", "MATRIX")
    matrix = np.zeros((len(rows), len(bounds)))
    for number, row in enumerate(rows):
        start = 0
        for k in range(row["N_GRP"]):
            first, count = row["F_CHAN"][k] - header["TLMIN4"], row["N_CHAN"][k]
            matrix[number, first : first + count] = row["MATRIX"][start : start + count]
            start += count
    assert rows["N_GRP"].sum() == header["NUMGRP"]
    assert sum(row["N_CHAN"][: row["N_GRP"]].sum() for row in rows) == header["NUMELT"]
    np.testing.assert_allclose(matrix, expected.matrix, atol=1e-7)


def test_the_second_reader_reads_the_light_curve(analysed):
    out, result = analysed
    with fitsio.FITS(str(out / "lightcurve.fits")) as parts:
        assert [part.get_extname() for part in parts] == ["", "RATE", "BLOCKS", "GTI"]
        table = parts["RATE"].read()
    assert table["COUNTS"].sum() == result.regions.source_photons
    assert table["EXPOSURE"].sum() == pytest.approx(result.light_curve.exposure_s)
    np.testing.assert_allclose(table["RATE"], [one.rate.value for one in result.light_curve.bins], rtol=1e-6)


def test_the_light_curve_says_how_wide_its_bins_are(analysed):
    """OGIP/93-003: TIMEDEL is a keyword of equal bins, a column of others; TIME is where TIMEPIXR says."""
    out, _ = analysed
    with fits.open(out / "lightcurve.fits") as parts:
        bins, blocks, gti = parts["RATE"], parts["BLOCKS"], parts["GTI"].data
        for table in (bins, blocks):
            width = table.header.get("TIMEDEL", 0.0) or table.data["TIMEDEL"]
            start = table.data["TIME"] - table.header["TIMEPIXR"] * width + table.header["TIMEZERO"]
            assert start[0] == pytest.approx(gti["START"][0])
            np.testing.assert_allclose(start[1:], (start + width)[:-1], rtol=0.0, atol=1e-6)
            np.testing.assert_allclose(2.0 * table.data["XAX_E"], width)
        assert "TIMEDEL" not in bins.columns.names
        assert "TIMEDEL" not in blocks.header


def test_headers_say_how_the_area_is_to_be_read(analysed):
    out, result = analysed
    source, background = (
        fits.getheader(out / name, "SPECTRUM") for name in ("spectrum.pha", "background.pha")
    )
    assert source["BACKFILE"] == "background.pha"
    assert source["RESPFILE"] == "mxt.rmf"
    assert source["ANCRFILE"] == "mxt.arf"
    effective = source["PSFSRC"] - source["BACKSCAL"] / background["BACKSCAL"] * source["PSFBKG"]
    assert effective == pytest.approx(source["PSFEFF"]) == pytest.approx(result.regions.effective_fraction)
    assert fits.getheader(out / "mxt.arf", "SPECRESP")["PSFEFF"] == source["PSFEFF"]
    cards = fits.getheader(out / "mxt.arf")
    assert "effective_area 001" in [cards[key] for key in cards if key.startswith("CAL")]
    assert cards["BURST_ID"] == "sb26051102"


def test_the_same_input_gives_the_same_files(analysed, tmp_path):
    events = analysed[0].parent / "events.fits"
    again = source_analysis(events, vhf_localisation(events), tmp_path, trigger_time=T0)
    assert again == analysed[1]


def test_without_a_source_nothing_is_made(tmp_path):
    events = event_file(tmp_path / "events.fits", burst(0.0))
    found = source_analysis(events, vhf_localisation(events), tmp_path / "out", trigger_time=T0)
    assert (found.analysed, found.reason) == (False, "there is no localised source")
    assert not (tmp_path / "out").exists()
    assert not source_analysis(events, None, tmp_path / "out", trigger_time=T0).analysed


def test_faint_source_without_t0(tmp_path):
    events = event_file(tmp_path / "events.fits", burst(60.0, 50.0))
    found = source_analysis(events, vhf_localisation(events), tmp_path, trigger_time=None)
    assert found.light_curve.decay is None
    assert not found.light_curve.zero_is_trigger
    assert found.spectrum.photon_index.error_high > 0.2


def test_localisation_of_photons_that_are_not_in_the_file(tmp_path):
    located = vhf_localisation(event_file(tmp_path / "one.fits", burst(300.0)))
    none = np.empty(0)
    empty = PhotonList(none, none.astype(np.int16), none.astype(np.int16), none.astype(np.int32))
    found = source_analysis(event_file(tmp_path / "empty.fits", empty), located, tmp_path, trigger_time=T0)
    assert found.analysed
    assert found.regions.source_photons == 0
    assert "fewer than the required 15" in found.spectrum_reason


def drifting(path, drift, hot_counts, *, in_column=False):
    """A burst of 150 photons under a moving pointing, and a pixel or column near it that counts by itself."""
    rng = np.random.default_rng(3)
    pointing = Pointing(83.6, 22.0, 30.0)
    attitude = moving_attitude(pointing, START, START + 300.0, drift_arcsec=drift)
    sky = simulate_photons(
        x=110.0, y=150.0, counts=150.0, background=100.0, start=START, stop=START + 300.0, rng=rng
    )
    seen = seen_with(attitude, pointing, sky, rng)
    time = np.sort(rng.uniform(START, START + 299.0, hot_counts))
    address = np.ones(hot_counts, np.int16)
    rows = rng.integers(0, 256, hot_counts).astype(np.int16) if in_column else HOT[1] * address
    hot = PhotonList(time, HOT[0] * address, rows, np.full(hot_counts, 400, np.int32))
    write_event_file(path, seen.merged(hot), attitude, header=HEADER)
    return path


def placed_and_measured(events):
    place = vhf_localisation(events)
    return place, source_analysis(events, place, events.with_suffix(""), trigger_time=None)


@pytest.fixture(scope="module")
def clean_results(tmp_path_factory):
    """Return the results of a drifting burst without a detector fault, each of which several tests use."""
    folder = tmp_path_factory.mktemp("clean")

    @cache
    def results(drift):
        return placed_and_measured(drifting(folder / f"{drift:g}_arcsec.fits", drift, 0))

    return results


@pytest.mark.parametrize("drift", [0.0, 20.0])
def test_a_noisy_column_is_in_no_number_however_the_pointing_moved(tmp_path, clean_results, drift):
    clean, without = clean_results(drift)
    dirty, found = placed_and_measured(drifting(tmp_path / "noisy.fits", drift, 120, in_column=True))
    assert clean.noisy_lines == ()
    assert dirty.noisy_lines == (("column", HOT[0]),)
    rate, true = found.light_curve.mean, without.light_curve.mean
    assert rate.value == pytest.approx(true.value, rel=0.1)


@pytest.mark.parametrize("drift", [0.0, 4.0, 20.0, 120.0])
def test_a_hot_pixel_is_in_no_number_however_the_pointing_moved(tmp_path, clean_results, drift):
    clean, without = clean_results(drift)
    dirty, found = placed_and_measured(drifting(tmp_path / "hot.fits", drift, 400))
    assert clean.hot_pixels == ()
    assert dirty.hot_pixels == (HOT,)
    assert separation_arcsec(*(
        axis for place in (clean, dirty) for axis in (place.position.ra_deg, place.position.dec_deg)
    )) < 0.2 * clean.position.r90_stat_arcsec  # fmt: skip
    rate, true = found.light_curve.mean, without.light_curve.mean
    assert true.value == pytest.approx(0.5, abs=3.0 * true.error_high)
    # A pixel fewer among some thousand: a small part of the statistical error.
    assert rate.value == pytest.approx(true.value, abs=0.3 * true.error_high)
    index, plain = found.spectrum.photon_index, without.spectrum.photon_index
    assert index.value == pytest.approx(plain.value, abs=0.3 * plain.error_high)


def test_a_drifting_source_keeps_its_rate(clean_results):
    """The regions follow the source over the detector: 500 arcsec are twice the core of the PSF."""
    steady, moved = (clean_results(drift)[1].light_curve.mean for drift in (0.0, 500.0))
    assert moved.value == pytest.approx(steady.value, abs=0.5 * steady.error_high)


def test_unreadable_event_file_is_named(tmp_path):
    located = vhf_localisation(event_file(tmp_path / "one.fits", burst(300.0)))
    (tmp_path / "bad.fits").write_bytes(b"no")
    with pytest.raises(InvalidInput, match=r"bad.fits: not a FITS file"):
        source_analysis(tmp_path / "bad.fits", located, tmp_path, trigger_time=T0)


def test_command(analysed, tmp_path):
    events = str(analysed[0].parent / "events.fits")
    arguments = ["analyse", events, "--out", str(tmp_path), "--t0", T0.replace(tzinfo=None).isoformat()]
    said = CliRunner().invoke(app, [*arguments, "--json"])
    assert json.loads(said.stdout) == json.loads(analysed[1].model_dump_json())
    text = CliRunner().invoke(app, arguments).stdout
    for words in ("mean rate", "decay index 1.", "photon index", "erg/cm2/s"):
        assert words in text


def test_another_source_is_kept_out_of_the_background_and_its_rest_is_subtracted(tmp_path):
    rng = np.random.default_rng(8)
    other = simulate_photons(
        x=200.0, y=60.0, counts=500, background=0, start=START, stop=START + 300.0, rng=rng
    )
    events = event_file(tmp_path / "events.fits", burst(300.0).merged(other))
    found = vhf_localisation(events)
    assert len(found.sources) == 2
    # The fainter one is measured.
    faint = found.sources[1]
    chosen = found.model_copy(
        update={
            "chosen": faint.name,
            "detector_x": faint.detector_x,
            "detector_y": faint.detector_y,
            "n_source": faint.n_source,
        }
    )
    result = source_analysis(events, chosen, tmp_path / "with", trigger_time=T0)
    alone = source_analysis(
        events, chosen.model_copy(update={"sources": ()}), tmp_path / "alone", trigger_time=T0
    )
    assert alone.regions.others_fraction is None
    assert abs(result.regions.others_fraction) < 0.3
    regions, curve = result.regions, result.light_curve
    net = (
        regions.source_photons
        - regions.source_pixels / regions.background_pixels * regions.background_photons
    )
    counted = curve.mean.value * regions.effective_fraction * curve.exposure_s
    assert counted == pytest.approx((1.0 - regions.others_fraction) * net, rel=0.01)
    assert result.regions.background_pixels < alone.regions.background_pixels - 1000
    density = [one.regions.background_photons / one.regions.background_pixels for one in (result, alone)]
    assert density[0] < 0.8 * density[1]
