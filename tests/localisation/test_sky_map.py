"""Sky map of the posterior, compared with exact densities and a second HEALPix library."""

from __future__ import annotations

from dataclasses import dataclass
from math import log, pi, radians

import healpy
import numpy as np
import pytest
from astropy_healpix import uniq_to_level_ipix
from hypothesis import example, given, settings
from hypothesis import strategies as st
from matplotlib.path import Path as Outline

from mxtvhf.instrument.constants import pixel_scale_arcsec
from mxtvhf.instrument.pointing import Pointing
from mxtvhf.localisation.position import localise
from mxtvhf.localisation.sky_map import FINEST, cell_area, credible_region, sky_map
from mxtvhf.models.angles import separation_arcsec, tangent_offset_arcmin
from mxtvhf.simulator.photons import simulate_photons

POINTING = Pointing(ra_deg=83.6, dec_deg=22.0, roll_deg=30.0)


@dataclass(frozen=True)
class Gaussians:
    """A stand-in for a posterior: equal round Gaussians with exact densities on the detector."""

    places: tuple[tuple[float, float], ...]
    sigma: float

    def density(self, x, y):
        x, y = np.asarray(x), np.asarray(y)
        each = [
            np.exp(-((x - column) ** 2 + (y - row) ** 2) / (2 * self.sigma**2)) / (2 * pi * self.sigma**2)
            for column, row in self.places
        ]
        on_detector = np.maximum(np.abs(x - 127.5), np.abs(y - 127.5)) <= 128.0
        return np.where(on_detector, sum(each) / len(each), 0.0)


def one(sigma=3.0, place=(100.3, 60.2)):
    return Gaussians((place,), sigma)


def per_steradian(posterior, pointing, ra, dec):
    x, y = pointing.sky_to_pixel(ra, dec)
    east, north = np.radians(pointing.plane_coordinates(x, y))
    pixel = radians(pixel_scale_arcsec() / 3600.0) ** 2 * (1 + east**2 + north**2) ** -1.5
    return posterior.density(x, y) / pixel


@settings(max_examples=25)
@given(
    ra=st.floats(0.0, 359.9),
    dec=st.floats(-90.0, 90.0),
    roll=st.floats(-180.0, 180.0),
    sigma=st.floats(0.86, 40.0),
    x=st.floats(0.0, 255.0),
    y=st.floats(0.0, 255.0),
)
# Three cells of the coarsest HEALPix grid meet in this corner.
@example(ra=90.0, dec=41.81, roll=0.0, sigma=3.0, x=127.5, y=127.5)
def test_every_posterior_gives_a_map_of_the_whole_sky(ra, dec, roll, sigma, x, y):
    pointing = Pointing(ra, dec, roll)
    sky = sky_map(one(sigma, (x, y)), pointing)
    order, index = uniq_to_level_ipix(sky.uniq)
    first = np.sort(index << 2 * (FINEST - order))
    assert (np.diff(sky.uniq) > 0).all()
    assert (np.diff(first) > 0).all()
    assert sky.area.sum() == pytest.approx(4 * pi, rel=1e-12)
    assert (sky.density * sky.area).sum() == pytest.approx(1.0, abs=1e-12)
    assert (sky.density >= 0.0).all()
    column, row = (np.nan_to_num(place, nan=1e6) for place in pointing.sky_to_pixel(*sky.centres()))
    # The largest cells on the edge of the detector are 7.6 pixels wide.
    beside = np.maximum(np.abs(column - 127.5), np.abs(row - 127.5)) > 128.0 + 7.6
    assert (sky.density[beside] == 0.0).all()


@pytest.mark.parametrize("sigma", [0.86, 3.0, 15.0])
def test_the_cells_hold_the_mean_density_in_them(sigma):
    """The posterior is exactly normalised: the map is scaled by less than a thousandth."""
    posterior = one(sigma, (120.3, 131.2))
    sky = sky_map(posterior, POINTING)
    cells = np.flatnonzero(sky.region(0.9))
    order, index = uniq_to_level_ipix(sky.uniq[cells])
    means = []
    for level, cell in zip(order.tolist(), index.tolist(), strict=True):
        pieces = np.arange(4 ** (18 - level)) + (cell << 2 * (18 - level))
        ra, dec = healpy.pix2ang(2**18, pieces, nest=True, lonlat=True)
        means.append(per_steradian(posterior, POINTING, ra, dec).mean())
    assert sky.density[cells] == pytest.approx(np.array(means), rel=0.03)
    assert sky.density[cells] @ sky.area[cells] == pytest.approx(means @ sky.area[cells], abs=3e-4)


def test_cells_are_fine_where_the_probability_is():
    sky = sky_map(one(0.86), POINTING)
    assert sky.order[sky.density.argmax()] == FINEST
    assert 3600 * np.degrees(np.sqrt(cell_area(FINEST))) == pytest.approx(3.2, abs=0.05)
    assert sky.order.min() <= 2
    assert sky.uniq.size < 2000
    assert (sky.density * sky.area)[sky.order < FINEST].max() <= 5e-4


def test_positions_and_areas_agree_with_healpy():
    sky = sky_map(one(), POINTING)
    order, index = uniq_to_level_ipix(sky.uniq)
    some = np.random.default_rng(1).integers(0, sky.uniq.size, 50)
    ra, dec = sky.centres()
    for k in some:
        nside = 2 ** int(order[k])
        there = healpy.pix2ang(nside, int(index[k]), nest=True, lonlat=True)
        assert separation_arcsec(ra[k], dec[k], *map(float, there)) < 1e-6
        assert sky.area[k] == pytest.approx(healpy.nside2pixarea(nside), rel=1e-12)


def test_the_region_of_a_gaussian_is_its_circle():
    sigma = 3.0
    posterior, centre = one(sigma), tuple(map(float, POINTING.pixel_to_sky(100.3, 60.2)))
    sky = sky_map(posterior, POINTING)
    for part in (0.5, 0.9):
        radius = sigma * np.sqrt(-2.0 * log(1.0 - part)) * pixel_scale_arcsec()
        region = credible_region(sky, posterior, POINTING, part)
        assert region.area_arcmin2 == pytest.approx(pi * (radius / 60.0) ** 2, rel=0.02)
        (outline,) = region.outlines
        assert outline[0] == outline[-1]
        distances = [separation_arcsec(*centre, *place) for place in outline]
        assert distances == pytest.approx([radius] * len(distances), rel=0.03)
        assert sky.density[sky.region(part)] @ sky.area[sky.region(part)] == pytest.approx(part, abs=1e-3)


def test_two_possible_sources_give_two_outlines():
    posterior = Gaussians(((60.0, 60.0), (200.0, 180.0)), 2.0)
    region = credible_region(sky_map(posterior, POINTING), posterior, POINTING, 0.9)
    assert len(region.outlines) == 2
    assert region.area_arcmin2 == pytest.approx(
        2 * pi * 4.605 * 4.0 * (pixel_scale_arcsec() / 60) ** 2, rel=0.04
    )


def test_a_source_on_the_edge_has_a_closed_outline_on_the_detector():
    posterior = one(8.0, (1.0, 254.0))
    region = credible_region(sky_map(posterior, POINTING), posterior, POINTING, 0.9)
    (outline,) = region.outlines
    assert outline[0] == outline[-1]
    x, y = POINTING.sky_to_pixel(*np.transpose(outline))
    assert x.min() > -1.5
    assert y.max() < 256.5


@pytest.fixture(scope="module")
def localised():
    photons = simulate_photons(
        x=100.3, y=60.2, counts=300, background=100, start=0.0, stop=300.0, rng=np.random.default_rng(1)
    )
    return localise(photons.x, photons.y)


def test_the_posterior_of_photons_agrees_with_its_own_radii(localised):
    whole = localised.posterior.smoothed(25.0 / 2.146 / pixel_scale_arcsec())
    sky = sky_map(whole, POINTING)
    ra, dec = sky.centres()
    x, y = POINTING.sky_to_pixel(ra, dec)
    near = np.hypot(x - whole.peak[0], y - whole.peak[1])
    probability = sky.density * sky.area
    for part, radius in zip((0.5, 0.9), whole.radii((0.5, 0.9)), strict=True):
        assert probability[near <= radius].sum() == pytest.approx(part, abs=0.01)
    region = credible_region(sky, whole, POINTING, 0.9)
    assert region.area_arcmin2 == pytest.approx(
        whole.level(0.9)[1] * (pixel_scale_arcsec() / 60.0) ** 2, rel=0.03
    )


def test_cells_of_the_region_are_inside_its_outline(localised):
    sky = sky_map(localised.posterior, POINTING)
    region = credible_region(sky, localised.posterior, POINTING, 0.9)
    ra, dec = sky.centres()
    inside = sky.region(0.9)
    near = (sky.order >= 13) & (sky.density > 0.0)
    centre = (ra[inside].mean(), dec[inside].mean())
    (outline,) = region.outlines
    line = Outline([tangent_offset_arcmin(*place, *centre) for place in outline])
    places = [tangent_offset_arcmin(*place, *centre) for place in zip(ra[near], dec[near], strict=True)]
    agree = line.contains_points(places) == inside[near]
    assert sky.area[near][~agree].sum() < 0.04 * sky.area[inside].sum()
