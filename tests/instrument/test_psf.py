import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.integrate import dblquad, quad

from mxtvhf.errors import InvalidInput
from mxtvhf.instrument.constants import pixel_scale_arcsec
from mxtvhf.instrument.psf import CoreShape, ExtendedPsf, LobsterEyePsf, detector_pixels

PSF = LobsterEyePsf()
SHAPES = st.builds(
    LobsterEyePsf,
    core_fwhm_arcmin=st.floats(2.0, 30.0),
    arm_half_length_pixel=st.floats(60.0, 2000.0),
    eta=st.floats(0.0, 2.0),
)
PLACES = st.floats(-0.5, 255.5)


def formula(u, psf):
    core, half = psf.core_fwhm_pixel, psf.arm_half_length_pixel
    if abs(u) >= half:
        return 0.0
    return 1 / (1 + (2 * u / core) ** 2) + psf.eta * core / half * (1 - (u / half) ** 2)


def test_the_core_is_as_wide_as_asked():
    psf = LobsterEyePsf(core_fwhm_arcmin=10.0, eta=0.0)
    half = 0.5 * 600.0 / pixel_scale_arcsec()
    assert psf.profile(half) == pytest.approx(0.5 * psf.profile(0.0), rel=1e-12)


def test_the_default_shares_are_those_of_the_instrument_file():
    """Spot, arms and patch hold 50, 41 and 9 % of the photons."""
    core = PSF.core_fwhm_pixel * np.arctan(2 * PSF.arm_half_length_pixel / PSF.core_fwhm_pixel)
    part = core / (core + 4 / 3 * PSF.eta * PSF.core_fwhm_pixel)
    assert part**2 == pytest.approx(0.50, abs=0.005)
    assert 2 * part * (1 - part) == pytest.approx(0.41, abs=0.005)
    assert (1 - part) ** 2 == pytest.approx(0.09, abs=0.005)


@given(psf=SHAPES)
def test_profile_is_the_formula_normalised_over_its_support(psf):
    half = psf.arm_half_length_pixel
    total = 2 * quad(formula, 0, half, args=(psf,), epsabs=0, epsrel=1e-10)[0]
    for u in (0.0, 0.3 * half, -0.9 * half, half, 3 * half):
        assert psf.profile(u) == pytest.approx(formula(u, psf) / total, rel=1e-8)
    assert psf.cumulative(2 * half) - psf.cumulative(-2 * half) == pytest.approx(1.0, rel=1e-12)


@given(psf=SHAPES, centre=PLACES, pixel=st.integers(0, 255))
def test_a_pixel_holds_the_integral_of_the_profile(psf, centre, pixel):
    low, high = pixel - 0.5 - centre, pixel + 0.5 - centre
    kinks = [u for u in (-psf.arm_half_length_pixel, psf.arm_half_length_pixel) if low < u < high]
    expected = quad(psf.profile, low, high, points=kinks or None, epsabs=1e-15)[0]
    assert psf.fractions(centre, 256)[pixel] == pytest.approx(expected, rel=1e-9, abs=1e-14)


def test_the_density_integrates_to_the_image():
    image = PSF.image(100.3, 60.2)
    for column, row in ((100, 60), (101, 55), (240, 3)):
        expected, _ = dblquad(
            lambda y, x: PSF.profile(x - 100.3) * PSF.profile(y - 60.2),
            column - 0.5,
            column + 0.5,
            row - 0.5,
            row + 0.5,
        )
        assert image[row, column] == pytest.approx(expected, rel=1e-9)


@given(centre=PLACES)
def test_response_holds_the_derivatives_by_the_centre(centre):
    step = 1e-3
    value, slope, bend = PSF.response(centre, 256)
    after, before = PSF.response(centre + step, 256), PSF.response(centre - step, 256)
    np.testing.assert_allclose(value, PSF.fractions(centre, 256), rtol=1e-12)
    np.testing.assert_allclose(slope, (after[0] - before[0]) / (2 * step), atol=1e-10)
    np.testing.assert_allclose(bend, (after[1] - before[1]) / (2 * step), atol=1e-10)


@given(x=PLACES, y=PLACES)
def test_image_and_gradient_are_row_by_column(x, y):
    image = PSF.image(x, y)
    assert image.shape == (detector_pixels(), detector_pixels())
    row, column = np.unravel_index(image.argmax(), image.shape)
    assert abs(column - x) <= 0.5 + 1e-9
    assert abs(row - y) <= 0.5 + 1e-9
    step = 1e-3
    along_x, along_y = PSF.gradient(x, y)
    np.testing.assert_allclose(
        along_x, (PSF.image(x + step, y) - PSF.image(x - step, y)) / (2 * step), atol=1e-12
    )
    np.testing.assert_allclose(
        along_y, (PSF.image(x, y + step) - PSF.image(x, y - step)) / (2 * step), atol=1e-12
    )


def test_enclosed_fraction_falls_towards_the_edge_and_with_bad_pixels():
    good = np.ones((256, 256), dtype=bool)
    good[:, 100:140] = False
    middle = PSF.enclosed(127.5, 127.5)
    assert middle == pytest.approx(0.571, abs=0.001)
    assert PSF.enclosed(0.0, 127.5) < 0.6 * middle
    assert PSF.enclosed(127.5, 127.5, good) < 0.6 * middle
    assert PSF.enclosed(127.5, 127.5) == pytest.approx(PSF.image(127.5, 127.5).sum())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("core_fwhm_arcmin", 0.0),
        ("core_fwhm_arcmin", float("nan")),
        ("arm_half_length_pixel", -1.0),
        ("arm_half_length_pixel", float("inf")),
        ("eta", -0.1),
        ("eta", float("nan")),
    ],
)
def test_an_impossible_shape_is_refused(name, value):
    with pytest.raises(InvalidInput, match=name):
        LobsterEyePsf(**{name: value})


# --- density with a shape

OFFSETS = st.floats(-300.0, 300.0)
ROLLS = st.floats(-3.2, 3.2)


def density(dx, dy, shape, psf=PSF):
    return psf.density_with_slopes(dx, dy, shape)[0]


@given(x=PLACES, y=PLACES)
def test_a_density_of_no_special_shape_is_the_image(x, y):
    pixel = np.arange(detector_pixels())
    shown = density(pixel - x, (pixel - y)[:, np.newaxis], CoreShape())
    np.testing.assert_allclose(shown, PSF.image(x, y), rtol=1e-3)


@given(dx=OFFSETS, dy=OFFSETS, roll=ROLLS, turns=st.integers(1, 3))
def test_a_quarter_turn_is_the_same_cross(dx, dy, roll, turns):
    turned = density(dx, dy, CoreShape(roll=roll + turns * np.pi / 2))
    assert turned == pytest.approx(density(dx, dy, CoreShape(roll=roll)), rel=1e-9)


@given(dx=OFFSETS, dy=OFFSETS, elongation=st.floats(-0.3, 0.3))
def test_a_quarter_turn_exchanges_the_axes_of_an_elongated_core(dx, dy, elongation):
    turned = density(dx, dy, CoreShape(roll=np.pi / 2, elongation=elongation))
    assert turned == pytest.approx(density(dx, dy, CoreShape(elongation=-elongation)), rel=1e-9)


@given(dx=OFFSETS, dy=OFFSETS, roll=ROLLS)
def test_a_roll_turns_the_core_from_the_columns_to_the_rows(dx, dy, roll):
    cos, sin = np.cos(roll), np.sin(roll)
    turned = density(cos * dx - sin * dy, sin * dx + cos * dy, CoreShape(roll=roll))
    assert turned == pytest.approx(density(dx, dy, CoreShape()), rel=1e-9)


@given(dx=OFFSETS, dy=OFFSETS, skew=st.floats(-0.3, 0.3))
def test_a_skewed_core_is_wider_on_one_side(dx, dy, skew):
    one, other = (density(sign * abs(dx), dy, CoreShape(skew_x=skew)) for sign in (1.0, -1.0))
    assert (one - other) * skew >= 0.0
    mirrored = density(-dx, dy, CoreShape(skew_x=-skew))
    assert density(dx, dy, CoreShape(skew_x=skew)) == pytest.approx(mirrored, rel=1e-12)


@pytest.mark.parametrize(
    "shape",
    [
        CoreShape(),
        CoreShape(roll=0.5),
        CoreShape(stretch=0.3),
        CoreShape(stretch=-0.3),
        CoreShape(elongation=0.2),
        CoreShape(skew_x=0.2, skew_y=-0.1),
    ],
    ids=["none", "roll", "wide", "narrow", "elongated", "skewed"],
)
def test_a_shape_conserves_the_photons(shape):
    """The total is conserved except for the Lorentzian wings beyond the ends of the arms."""
    axis = np.arange(-730.0, 731.0)
    assert density(axis, axis[:, np.newaxis], shape).sum() == pytest.approx(1.0, abs=0.03)


def test_a_stretched_core_is_that_of_a_wider_psf():
    width = np.exp(0.2)
    axis = np.linspace(-60.0, 60.0, 25)
    ours = density(axis, 0.0, CoreShape(stretch=0.2))
    theirs = density(axis, 0.0, CoreShape(), PSF.scaled(width))
    np.testing.assert_allclose(ours, theirs, rtol=0.02)


def test_the_shape_errors_include_that_of_the_width():
    psf = LobsterEyePsf(core_fwhm_sigma=0.15, shape_errors=CoreShape(roll=0.09, skew_x=0.05))
    np.testing.assert_allclose(psf.shape_sigma, [0.09, 0.15, 0.0, 0.05, 0.0])
    np.testing.assert_allclose(CoreShape(1.0, 2.0, 3.0, 4.0, 5.0).parameters, [1.0, 2.0, 3.0, 4.0, 5.0])


@given(x=st.floats(0.0, 255.0), sigma=st.floats(0.0, 45.0))
def test_an_extended_source_is_the_psf_convolved_with_a_gaussian(x, sigma):
    step = np.linspace(-5.0, 5.0, 101)
    weight = np.exp(-0.5 * step**2)
    expected = (weight / weight.sum()) @ PSF.fractions(x + sigma * step, detector_pixels())
    image = ExtendedPsf(PSF, sigma)
    np.testing.assert_allclose(image.fractions(x, detector_pixels()), expected, atol=0.03 * expected.max())
    np.testing.assert_allclose(image.fractions([x, x], 256)[1], image.fractions(x, 256), rtol=1e-12)


@given(x=st.floats(0.0, 255.0), sigma=st.floats(0.0, 45.0))
def test_the_response_of_an_extended_source_is_its_slope(x, sigma):
    image, step = ExtendedPsf(PSF, sigma), 0.01
    value, slope, _ = image.response(x, detector_pixels())
    np.testing.assert_allclose(value, image.fractions(x, detector_pixels()), rtol=1e-9)
    ahead, behind = (image.fractions(x + sign * step, detector_pixels()) for sign in (1.0, -1.0))
    np.testing.assert_allclose(slope, (ahead - behind) / (2.0 * step), atol=1e-8)


@given(u=OFFSETS, v=OFFSETS, roll=ROLLS, others=st.tuples(*4 * [st.floats(-0.3, 0.3)]))
def test_the_slopes_of_a_density_are_its_derivatives(u, v, roll, others):
    # The second derivative of a skewed core jumps in its middle, which would spoil the differences.
    assume(min(abs(u), abs(v)) > 0.1)
    cos, sin = np.cos(roll), np.sin(roll)
    dx, dy = cos * u - sin * v, sin * u + cos * v
    at = np.array([0.0, 0.0, roll, *others])

    def log_density(at):
        return np.log(density(dx - at[0], dy - at[1], CoreShape(*at[2:])))

    slopes = PSF.density_with_slopes(dx, dy, CoreShape(roll, *others))[1]
    for k, slope in enumerate(slopes):
        step = np.zeros(at.size)
        step[k] = 1e-5
        by_difference = (log_density(at + step) - log_density(at - step)) / 2e-5
        assert slope == pytest.approx(by_difference, rel=1e-3, abs=1e-4)


def test_beyond_the_arms_the_density_and_its_slopes_are_zero():
    far = 1.5 * PSF.arm_half_length_pixel
    seen, slopes = PSF.density_with_slopes([far, 0.0], [0.0, far], CoreShape(skew_x=0.1))
    assert (seen == 0.0).all()
    assert np.isfinite(slopes).all()
