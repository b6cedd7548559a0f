import numpy as np
import pytest
from scipy.special import ndtr

from benchmarks.spectrum import Case, run
from mxtvhf.analysis.absorption import cross_section, transmission
from mxtvhf.analysis.cstat import SpectralData, expected_statistic
from mxtvhf.analysis.galactic_column import GalacticColumn
from mxtvhf.analysis.measure import measure_source
from mxtvhf.analysis.powerlaw import PowerLaw
from mxtvhf.analysis.regions import regions_at
from mxtvhf.analysis.spectrum import spectrum_counts
from mxtvhf.analysis.throughput import expected_counts
from mxtvhf.errors import InvalidInput
from mxtvhf.events.drift_corrected import DriftCorrectedPhotons
from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.calibration import FWHM_PER_SIGMA, default_calibration
from mxtvhf.instrument.psf import LobsterEyePsf
from mxtvhf.instrument.response import channel_edges, response_of
from mxtvhf.simulator.photons import simulate_photons

CALIBRATION = default_calibration()
PSF = LobsterEyePsf.of(CALIBRATION.psf)
RESPONSE = response_of(CALIBRATION.effective_area, CALIBRATION.redistribution)
REGIONS = regions_at(128.0, 128.0, 50.0, psf=PSF, exposure=np.ones((256, 256), bool))
START = 2.9e8


def photons(count, time=None, x=128, y=128, pha=400):
    time = START + np.linspace(0.0, 590.0, count) if time is None else np.full(count, time)
    return PhotonList(
        time, np.full(count, x, np.int16), np.full(count, y, np.int16), np.full(count, pha, np.int32)
    )


def measured(photon_list, gti=((START, START + 600.0),), n_source=100.0, hot=(), **more):
    options = {"t0": START - 100.0, "calibration": CALIBRATION, **more}
    usable = np.ones((256, 256), bool)
    usable[tuple(np.array(hot, int).reshape(-1, 2).T[::-1])] = False
    steady = DriftCorrectedPhotons.of_steady(photon_list, usable)
    return measure_source(steady, np.array(gti, float), 128.0, 128.0, n_source, 100.0, **options)


def test_cross_section_at_one_kev_and_across_the_oxygen_edge():
    assert cross_section(1.0) == pytest.approx(2.422e-22)
    below, above = cross_section([0.531, 0.533])
    assert 1.5 < above / below < 1.8
    assert transmission(1.0, 1e22) == pytest.approx(np.exp(-2.422))


def test_photons_of_a_line_go_to_its_channels():
    row = int(np.searchsorted(RESPONSE.energy_edges, 1.495))
    energy = RESPONSE.energies[row]
    sigma = CALIBRATION.redistribution.fwhm(energy) / FWHM_PER_SIGMA
    middle = 0.5 * (channel_edges()[1:] + channel_edges()[:-1])
    line = RESPONSE.matrix[row]
    assert line.sum() == pytest.approx(1.0, abs=1e-8)
    assert (line * middle).sum() == pytest.approx(energy, abs=1e-4)
    assert np.sqrt((line * (middle - energy) ** 2).sum()) == pytest.approx(sigma, rel=0.02)


def test_the_response_creates_no_photons():
    assert (RESPONSE.matrix.sum(axis=1) <= 1.0 + 1e-12).all()
    assert RESPONSE.matrix.sum(axis=1)[20:].min() > ndtr(0.0)


def test_photons_out_of_the_channels_are_left_out():
    assert spectrum_counts(np.array([-1, 0, 0, 1023, 1024], np.int32)).sum() == 3


FLAT = np.ones(30)


def test_amplitude_is_that_of_the_truth_and_the_statistic_as_expected():
    rng = np.random.default_rng(1)
    folded = np.linspace(0.02, 0.0, 400)
    pieces = np.array([0, 100, 250])
    shape = np.linspace(2.0, 0.5, 400)
    level = np.repeat([2e-6, 5e-7, 1e-6], [100, 150, 150]) * shape
    truth = np.outer([REGIONS.source_fraction, REGIONS.background_fraction], 600.0 * folded) + np.outer(
        REGIONS.areas, level
    )
    fits = [SpectralData(rng.poisson(truth), shape, pieces, REGIONS, 600.0).best(folded) for _ in range(200)]
    amplitude, statistic, information = (
        np.array([getattr(fit, name) for fit in fits]) for name in ("amplitude", "statistic", "information")
    )
    error = information.mean() ** -0.5
    assert amplitude.mean() == pytest.approx(1.0, abs=4.0 * error / np.sqrt(200))
    assert np.log(amplitude).std() == pytest.approx(error, rel=0.2)
    mean, sigma = expected_statistic(truth)
    # Amplitude and levels of the three pieces are a little nearer to the data than the true ones.
    assert abs(statistic.mean() + 4.0 - mean) < 4.0 * sigma / np.sqrt(200)
    assert statistic.std() == pytest.approx(sigma, rel=0.2)


def test_background_of_the_pieces_without_a_source_is_their_mean():
    counts = np.random.default_rng(2).poisson(3.0, (2, 30))
    data = SpectralData(counts, FLAT, np.array([0, 10]), REGIONS, 600.0)
    elsewhere = np.where(np.arange(30) < 10, 0.0, 1e-3)
    means = data.means(elsewhere, data.best(elsewhere))
    assert means.sum() == pytest.approx(counts.sum())
    assert means[:, :10].sum() == pytest.approx(counts[:, :10].sum())


def test_a_fit_without_background_photons_works():
    counts = np.zeros((2, 30), int)
    counts[:, 4] = 5
    data = SpectralData(counts, FLAT, np.array([0, 10]), REGIONS, 600.0)
    assert np.isfinite(data.best(np.full(30, 1e-4)).statistic)


def test_many_spectra_at_once_agree_with_each_alone():
    rng = np.random.default_rng(3)
    data = SpectralData(rng.poisson(2.0, (2, 30)), FLAT, np.array([0, 10]), REGIONS, 600.0)
    folded = rng.uniform(0.001, 0.01, (3, 2, 30))
    together = data.best(folded)
    alone = data.best(folded[1, 0])
    assert together.amplitude[1, 0] == pytest.approx(float(alone.amplitude))
    assert together.statistic[1, 0] == pytest.approx(float(alone.statistic))


@pytest.mark.slow
def test_photon_index_and_fluxes_have_the_nominal_coverage():
    pulls = run(Case("strong", 120, 200), trials=50, seed=5)
    for name in ("photon index", "flux", "unabsorbed", "mean rate"):
        values = np.array(pulls[name])
        assert len(values) >= 49, name
        # 68 % of 50 are 34 +- 3.3.
        assert 24 <= (np.abs(values) <= 1.0).sum() <= 46, name
        # Without absorption a flux has the column's prior in it, which is one-sided.
        assert abs(np.median(values)) < (0.9 if name == "unabsorbed" else 0.6), name


@pytest.mark.slow
def test_flux_and_index_of_many_photons_are_unbiased():
    pulls = run(Case("very bright", 20_000, 300), trials=6, seed=6)
    for name in ("photon index", "flux", "unabsorbed", "decay", "mean rate"):
        assert np.abs(pulls[name]).max() < 4.0, name
        assert abs(np.mean(pulls[name])) < 4.0 / np.sqrt(6), name


def test_a_column_that_the_photons_determine_is_found():
    rng = np.random.default_rng(3)
    few, many = (
        measured(
            simulate_photons(
                x=128.0, y=128.0, counts=counts, background=200.0, start=START, stop=START + 600.0, rng=rng,
                spectrum=PowerLaw(2.0, 8e21),
            ),
            n_source=counts,
            galactic=GalacticColumn(3e20, "a map"),
        ).spectrum
        for counts in (60.0, 3000.0)
    )  # fmt: skip
    assert (few.nh_determined, many.nh_determined) == (False, True)
    assert (many.nh_galactic_1e22_cm2, many.nh_galactic_source) == (0.03, "a map")
    for fit in (few, many):
        assert fit.nh_free
        away = 0.8 - fit.nh_1e22_cm2.value
        assert -4.0 * fit.nh_1e22_cm2.error_low < away < 4.0 * fit.nh_1e22_cm2.error_high


def test_counts_of_the_simulator_and_of_the_response_agree():
    found = measured(
        simulate_photons(
            x=128.0, y=128.0, counts=expected_counts(1e-9, 600.0, 128.0, 128.0), background=0.0,
            start=START, stop=START + 600.0, rng=np.random.default_rng(4),
        ),
        n_source=20_000.0,
    )  # fmt: skip
    assert abs(found.spectrum.flux.value - 1e-9) < 4.0 * found.spectrum.flux.error_high


def test_a_spectrum_that_is_not_a_power_law_is_marked_as_unreliable():
    rng = np.random.default_rng(5)
    line = photons(2000, pha=800)
    spread = rng.integers(60, 196, (2, 2000)).astype(np.int16)
    found = measured(PhotonList(line.time, spread[0], spread[1], line.pha), n_source=2000.0)
    assert found.spectrum is not None
    assert not found.spectrum.trusted
    assert any("does not describe the spectrum" in doubt for doubt in found.spectrum.doubts)


@pytest.mark.parametrize("count", [0, 1, 5])
def test_few_photons_are_not_fitted(count):
    found = measured(photons(count), n_source=max(count, 1))
    assert found.spectrum is None
    assert "fewer than the required 15" in found.spectrum_reason
    assert found.light_curve.decay is None
    assert sum(one.source_photons for one in found.light_curve.bins) == count


def test_all_photons_in_one_pixel_and_frame():
    found = measured(photons(500, time=START + 10.0), n_source=500.0)
    assert found.spectrum is None or not found.spectrum.trusted
    assert len(found.light_curve.blocks) >= 1


def test_a_hot_pixel_is_left_out():
    found = measured(photons(500), hot=[(128, 128)])
    assert found.photons.source_time.size == 0


def test_photons_out_of_good_time_are_left_out():
    found = measured(photons(600), gti=((START, START + 100.0), (START + 400.0, START + 500.0)))
    assert found.photons.exposure == 200.0
    assert 195 <= found.photons.source_time.size <= 206


def test_a_t0_after_the_start_leaves_out_the_decay():
    found = measured(photons(100), t0=START + 30.0)
    assert found.light_curve.decay is None
    assert "after the start" in found.light_curve.decay_reason
    assert found.light_curve.bins[0].start_s == pytest.approx(-30.0)


@pytest.mark.parametrize(
    ("gti", "message"),
    [
        (np.empty((0, 2)), "empty or not finite; expected"),
        ([[START, START]], "empty or not finite; expected"),
        ([[START, float("nan")]], "empty or not finite; expected"),
        ([[START + 50.0, START + 60.0], [START, START + 10.0]], "reversed or overlapping"),
    ],
)
def test_invalid_gtis_are_refused(gti, message):
    with pytest.raises(InvalidInput, match=message):
        measured(photons(10), gti=gti)
