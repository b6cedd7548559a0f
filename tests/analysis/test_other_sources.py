import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mxtvhf.analysis.constants import analysis_constants
from mxtvhf.analysis.galactic_column import GalacticColumn
from mxtvhf.analysis.measure import measure_source
from mxtvhf.analysis.other_sources import OtherSource, exposure_without, others_fraction, others_light
from mxtvhf.analysis.powerlaw import PowerLaw
from mxtvhf.analysis.regions import choose_regions, distances
from mxtvhf.analysis.throughput import expected_counts
from mxtvhf.events.drift_corrected import DriftCorrectedPhotons
from mxtvhf.instrument.calibration import default_calibration
from mxtvhf.instrument.constants import pixel_scale_arcsec
from mxtvhf.instrument.pixels import ExposureMap, RawMask
from mxtvhf.instrument.psf import LobsterEyePsf
from mxtvhf.instrument.response import response_of
from mxtvhf.simulator.photons import simulate_photons

PSF = LobsterEyePsf()
RESPONSE = response_of(default_calibration().effective_area, default_calibration().redistribution)
WHOLE = ExposureMap(np.ones((256, 256)))
RULES = analysis_constants().others


def without(*others, x=60.0, y=60.0, n_background=300.0):
    return exposure_without(WHOLE, x, y, others, n_background=n_background, psf=PSF)


def test_without_others_nothing_changes():
    assert np.array_equal(without(), WHOLE)


@pytest.mark.parametrize("counts", [50.0, 200.0, 1000.0])
def test_a_circle_around_the_other_source_is_left_out(counts):
    kept = without(OtherSource(180.0, 170.0, counts))
    distance = distances(180.0, 170.0)
    radius = distance[kept == 0.0].max()
    assert (kept[distance <= radius] == 0.0).all()
    assert 5.0 < radius <= RULES.largest_pixel


def test_a_brighter_source_has_a_larger_circle_and_more_background_a_smaller_one():
    def left_out(counts, n_background):
        return np.count_nonzero(without(OtherSource(180.0, 170.0, counts), n_background=n_background) == 0.0)

    assert left_out(50.0, 300.0) < left_out(300.0, 300.0)
    assert left_out(300.0, 300.0) > left_out(300.0, 1000.0)


def test_a_circle_reaches_half_the_way_to_the_source():
    kept = without(OtherSource(80.0, 60.0, 1e4))
    assert (kept[distances(60.0, 60.0) < 9.0] == 1.0).all()


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.builds(OtherSource, st.floats(0.0, 255.0), st.floats(0.0, 255.0), st.floats(0.0, 1e4)), max_size=20
    )
)
def test_the_detector_is_never_used_up(others):
    kept = without(*others)
    assert kept.sum() >= RULES.least_left * WHOLE.sum()
    assert set(np.unique(kept)) <= {0.0, 1.0}


def light(regions, *others, width_sigma=0.0):
    return others_light(regions, others, exposure=WHOLE, width_sigma=width_sigma, response=RESPONSE)


def test_the_estimated_fraction_of_others_agrees_with_simulated_photons():
    """Without the burst, the remaining net counts come from the other source."""
    other, place = OtherSource(150.0, 120.0, 4000.0), (90.0, 118.0)
    photons = simulate_photons(
        x=other.x, y=other.y, counts=other.counts, background=300, start=0.0, stop=300.0, exact=True,
        rng=np.random.default_rng(5),
    )  # fmt: skip
    exposure = without(other, x=place[0], y=place[1])
    regions = choose_regions(*place, n_source=300.0, n_background=300.0, psf=PSF, exposure=exposure)
    counted = [int(region[photons.y, photons.x].sum()) for region in (regions.source, regions.background)]
    burst = 300
    part = others_fraction(regions, light(regions, other), counted[0] + burst, counted[1])
    net = counted[0] - regions.area_ratio * counted[1]
    assert part == pytest.approx(net / (net + burst), abs=0.05)
    assert part > 0.1


def test_there_is_no_fraction_without_others_or_net_counts():
    regions = choose_regions(90.0, 118.0, n_source=300.0, n_background=300.0, psf=PSF, exposure=WHOLE)
    assert others_fraction(regions, light(regions), 100, 100) is None
    assert others_fraction(regions, light(regions, OtherSource(1.0, 1.0, 9.0)), 0, 500) is None


def test_the_error_is_that_of_the_numbers_and_of_the_width_of_the_core():
    regions = choose_regions(90.0, 118.0, n_source=300.0, n_background=300.0, psf=PSF, exposure=WHOLE)
    other = OtherSource(125.0, 118.0, 400.0, counts_sigma=40.0)
    found = light(regions, other)
    net = found.counts[0] - regions.area_ratio * found.counts[1]
    assert light(regions, OtherSource(125.0, 118.0, 400.0)).net_sigma == 0.0
    assert found.net_sigma == pytest.approx(0.1 * net, rel=0.02)
    assert light(regions, other, other).net_sigma == pytest.approx(np.sqrt(2.0) * found.net_sigma)
    assert light(regions, other, width_sigma=0.2).net_sigma > 1.3 * found.net_sigma


@pytest.mark.parametrize("apart_arcmin", [8.0, 12.0])
def test_rate_and_flux_of_a_burst_are_unbiased_by_another_source(apart_arcmin):
    calibration, x, y = default_calibration(), 110.0, 130.0
    other_x = x + apart_arcmin * 60.0 / pixel_scale_arcsec()
    law, exposure, counts, others = PowerLaw(2.0, 1e21), 600.0, 300.0, 900.0
    rates, fluxes = [], []
    for seed in range(6):
        rng = np.random.default_rng([21, seed])
        photons = simulate_photons(
            x=x,
            y=y,
            counts=counts,
            background=300.0,
            start=0.0,
            stop=exposure,
            rng=rng,
            spectrum=law,
            psf=PSF,
        ).merged(
            simulate_photons(
                x=other_x, y=y, counts=others, background=0.0, start=0.0, stop=exposure, rng=rng, psf=PSF
            )
        )
        steady = DriftCorrectedPhotons.of_steady(photons, RawMask(np.ones((256, 256), bool)))
        found = measure_source(
            steady, np.array([[0.0, exposure]]), x, y, counts, 300.0, t0=-100.0, calibration=calibration,
            galactic=GalacticColumn(1e21, "a map"),
            others=[OtherSource(other_x, y, others, counts_sigma=np.sqrt(others))],
        )  # fmt: skip
        assert found.others_fraction > 0.05
        rates.append(found.light_curve.mean.value)
        fluxes.append(found.spectrum.flux.value)
        error = found.light_curve.mean.error_high
    enclosed = PSF.enclosed(x, y) / PSF.enclosed(127.5, 127.5)
    in_band = RESPONSE.matrix[:, 30:].sum(axis=1)
    seen = law.density(RESPONSE.energies) * RESPONSE.area
    true = counts / enclosed / exposure * float(seen @ in_band / seen.sum())
    assert np.mean(rates) == pytest.approx(true, abs=3.0 * error / np.sqrt(6))
    assert np.median(fluxes) == pytest.approx(counts / expected_counts(1.0, exposure, x, y, law), rel=0.25)
