import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.realsky import spectra
from benchmarks.realsky.facts import ENERGY
from mxtvhf.analysis.background_spectrum import background_pieces, background_shape, component_spectra
from mxtvhf.analysis.constants import analysis_constants
from mxtvhf.analysis.galactic_column import GalacticColumn
from mxtvhf.analysis.light_curve import RegionPhotons
from mxtvhf.analysis.powerlaw import PowerLaw
from mxtvhf.analysis.regions import regions_at
from mxtvhf.analysis.spectral_fit import Spectrum, fit_spectrum
from mxtvhf.instrument.calibration import default_calibration
from mxtvhf.instrument.psf import LobsterEyePsf
from mxtvhf.instrument.response import channel_edges, response_of

CALIBRATION = default_calibration()
RESPONSE = response_of(CALIBRATION.effective_area, CALIBRATION.redistribution)
PSF = LobsterEyePsf.of(CALIBRATION.psf)
REGIONS = regions_at(128.0, 128.0, 40.0, psf=PSF, exposure=np.ones((256, 256)))
RULES = analysis_constants().spectrum
NOTHING = np.zeros(len(channel_edges()) - 1, int)
NO_TIMES = np.empty(0)
PHOTONS = RegionPhotons(REGIONS, np.array([[0.0, 600.0]]), NO_TIMES, NO_TIMES, NO_TIMES, NO_TIMES)
EMPTY = Spectrum.of(PHOTONS, NOTHING, NOTHING, RESPONSE, CALIBRATION.background)
COMPONENTS = component_spectra(CALIBRATION.background, EMPTY.response, EMPTY.edges)
SOURCES = EMPTY.folded(np.array([1.0, 2.0, 3.0]), np.array([1e21, 1e22])).reshape(6, -1)


def counts(rng, shape, background, source):
    """Return the photons of both regions; the source has the second spectrum of SOURCES."""
    areas = np.array(REGIONS.areas) / sum(REGIONS.areas)
    fractions = np.array([REGIONS.source_fraction, REGIONS.background_fraction])
    return rng.poisson(
        background * np.outer(areas, shape) + source * np.outer(fractions, SOURCES[1] / SOURCES[1].sum())
    )


def component(name):
    names = [each.name for each in (*CALIBRATION.background.continua, *CALIBRATION.background.lines)]
    return COMPONENTS[names.index(name)]


def test_components_are_shapes_in_the_order_of_the_file():
    assert COMPONENTS.sum(axis=1) == pytest.approx(1.0)
    middle = 0.5 * (EMPTY.edges[1:] + EMPTY.edges[:-1])
    assert component("Al K") @ middle == pytest.approx(1.487, abs=0.02)
    assert component("Cu K") @ middle == pytest.approx(8.04, abs=0.05)
    flat, cosmic, warm = (
        component(name) @ middle
        for name in ("particles, flat", "cosmic background", "Galactic foreground, warm")
    )
    assert warm < cosmic < flat
    assert component("particles, flat") == pytest.approx(np.diff(EMPTY.edges) / 9.7)


def test_a_calibration_without_components_is_flat():
    bare = CALIBRATION.background.model_copy(update={"continua": (), "lines": ()})
    found = component_spectra(bare, EMPTY.response, EMPTY.edges)
    assert found == pytest.approx(np.diff(EMPTY.edges)[np.newaxis] / 9.7)


def test_without_photons_the_mixture_is_even():
    shape = background_shape(np.zeros_like(EMPTY.data.counts), REGIONS, SOURCES, COMPONENTS)
    assert shape == pytest.approx(COMPONENTS.mean(axis=0), rel=1e-6)


@pytest.mark.parametrize("sky", [0.0, 0.25, 0.5, 0.8])
def test_the_sky_fraction_is_found_in_the_presence_of_a_source(sky):
    rng = np.random.default_rng(1)
    seen = 0.6 * component("cosmic background") + 0.4 * component("Galactic foreground, warm")
    truth = (1.0 - sky) * component("particles, flat") + sky * seen
    shape = background_shape(counts(rng, truth, 2000.0, 1000.0), REGIONS, SOURCES, COMPONENTS)
    soft = EMPTY.edges[:-1] < 1.0
    # The source contributes 300 soft photons to the background region.
    assert shape[soft].sum() == pytest.approx(truth[soft].sum(), abs=0.05)
    assert (shape > 0.0).all()


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**5), st.integers(0, 2**32))
def test_pieces_have_equal_parts_of_the_spectrum(photons, seed):
    shape = np.random.default_rng(seed).dirichlet(np.ones(140))
    pieces = background_pieces(shape, photons)
    assert pieces[0] == 0
    assert (np.diff(pieces) > 0).all()
    wanted = min(max(photons // RULES.background_photons_per_piece, 1), RULES.most_background_pieces)
    assert pieces.size <= wanted
    # The fractions agree to within a bin.
    assert np.add.reduceat(shape, pieces).max() <= 1.0 / wanted + 2.0 * shape.max()


@pytest.mark.parametrize(("sky", "background"), [(0.0, 300.0), (0.5, 300.0), (0.8, 1000.0)])
def test_a_background_that_no_mixture_describes_does_not_bias_the_source_spectrum(sky, background):
    """Uses expected instead of random counts, so that the deviation is the bias."""
    seen = spectra.seen_through_optics(spectra.sky(1.0))
    into = np.histogram(ENERGY, bins=RESPONSE.energy_edges, weights=seen)[0] @ RESPONSE.matrix
    flat = np.diff(channel_edges()) / 9.8
    areas = np.array(REGIONS.areas) / sum(REGIONS.areas)
    fractions = np.array([REGIONS.source_fraction, REGIONS.background_fraction])
    law = PowerLaw(2.0, 1e21).density(RESPONSE.energies) * RESPONSE.area
    source = (law / law.sum()) @ RESPONSE.matrix
    diffuse = sky * into / into.sum() + (1.0 - sky) * flat
    expected = np.outer(fractions, 300.0 * source) + np.outer(areas, background * diffuse)
    fit, _ = fit_spectrum(
        PHOTONS, *expected, RESPONSE, CALIBRATION.background, galactic=GalacticColumn(1e21, "-")
    )
    assert fit.photon_index.value == pytest.approx(2.0, abs=0.12)
