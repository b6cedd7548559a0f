import numpy as np
import pytest

from mxtvhf.localisation.model import CredibleRegion
from mxtvhf.models.position import Origin
from mxtvhf.reporting.report.sky_plot import LINES, sky_plot, zoom_half_width_arcmin
from support.reports import ECLAIRS, GRM, VHF


def test_the_sky_plot_has_east_left_and_lists_positions_that_are_too_large() -> None:
    east = VHF.model_copy(update={"ra_deg": 212.55, "label": "east"})
    plot = sky_plot([VHF, east, GRM], VHF)
    (axes,) = plot.figure.axes
    here, there = (axes.transData.transform(circle.get_center()) for circle in axes.patches)
    assert there[0] < here[0]
    assert there[1] == pytest.approx(here[1], abs=0.1)
    assert [circle.get_radius() for circle in axes.patches] == pytest.approx([0.8, 0.8])
    legend = [text.get_text() for text in reversed(plot.figure.texts)]
    assert legend == [
        'MXT (VHF photons), R90 48"',
        'MXT (VHF photons), R90 48"',
        "GRM (grm-trigger), no radius, too large for this view",
    ]
    assert all(words in plot.description for words in legend)


def test_the_sky_plot_shades_the_credible_regions() -> None:
    def square(half: float) -> tuple[tuple[float, float], ...]:
        across = half / 60.0 / np.cos(np.radians(VHF.dec_deg))
        corners = [(1, 1), (-1, 1), (-1, -1), (1, -1), (1, 1)]
        return tuple((VHF.ra_deg + i * across, VHF.dec_deg + j * half / 60.0) for i, j in corners)

    regions = [
        CredibleRegion(part=part, area_arcmin2=4 * half**2, outlines=(square(half),))
        for part, half in ((0.5, 0.3), (0.9, 0.7))
    ]
    plot = sky_plot([VHF], VHF, regions=regions)
    large, small, _ = plot.figure.axes[0].patches
    for patch, half in ((large, 0.7), (small, 0.3)):
        extent = patch.get_path().get_extents()
        assert extent.min == pytest.approx([-half, -half], abs=1e-3)
        assert extent.max == pytest.approx([half, half], abs=1e-3)
    words = "MXT (VHF photons) 50 % and 90 % region, 1.96 arcmin²"
    assert words in [text.get_text() for text in plot.figure.texts]
    assert words in plot.description


def test_the_sky_plot_distinguishes_positions_without_colour() -> None:
    others = [origin for origin in Origin if origin is not Origin.MXT_VHF]
    assert len({str(LINES[origin][1]) for origin in others}) == len(others)
    eclairs, ours = sky_plot([VHF, ECLAIRS], VHF).figure.artists
    assert ours.get_linewidth() > eclairs.get_linewidth()


def test_a_label_is_never_parsed_as_a_formula() -> None:
    odd = VHF.model_copy(update={"label": r"$\frac{$"})
    assert sky_plot([odd], odd).png.startswith(b"\x89PNG")


def test_a_closer_view_is_drawn_only_if_useful() -> None:
    assert zoom_half_width_arcmin([ECLAIRS, VHF], VHF) == pytest.approx(2.4)
    assert zoom_half_width_arcmin([VHF], VHF) is None
    assert zoom_half_width_arcmin([GRM, VHF], VHF) is None
