from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mxtvhf.events.model import LostGap
from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.pixels import RawLine
from mxtvhf.instrument.time import met_from_utc
from mxtvhf.reporting.report.plots import binned, detector_plot, light_curve_plot, ticks_of
from mxtvhf.reporting.report.sky_plot import sky_plot
from support.reports import ECLAIRS, GRM, T0, VHF, localisation, photons


@given(st.lists(st.floats(-1e4, 1e5) | st.sampled_from([-(2.0**32), 2.0**32]), min_size=1, max_size=50))
def test_binning_keeps_every_photon(times: list[float]) -> None:
    first, width, counts = binned(np.array(times))
    assert counts.sum() == len(times)
    assert len(counts) <= 32
    assert first <= min(times) + 1e-6
    assert first + width * len(counts) >= max(times) - 1e-6


@given(st.floats(-1e4, 1e4), st.floats(0.1, 1e4))
def test_scales_have_round_numbers_within_their_limits(low: float, width: float) -> None:
    scale = ticks_of(low + width, low)
    assert scale == ticks_of(low, low + width)
    assert 2 <= len(scale) <= 7
    assert all(low <= place <= low + width for place in scale)
    assert all(float(text.replace("\N{MINUS SIGN}", "-")) == pytest.approx(p) for p, text in scale.items())


def test_detector_shows_counts_source_and_hot_pixels() -> None:
    one = photons(1)
    many = PhotonList(*(np.repeat(column, 50) for column in (one.time, one.x + 60, one.y, one.pha)))
    both = PhotonList(
        *(np.concatenate([getattr(one, name), getattr(many, name)]) for name in ("time", "x", "y", "pha"))
    )
    hot = (int(many.x[0]), int(many.y[0]))
    faults = {"hot_pixels": (hot,), "noisy_lines": (RawLine("row", 12),)}
    plot = detector_plot(both, localisation(VHF).model_copy(update=faults))
    axes, bar = plot.figure.axes
    shown = axes.images[0].get_array()
    assert shown is not None
    bright = shown[..., :3].sum(axis=2, dtype=int)
    assert np.unravel_index(bright.argmax(), bright.shape) == (one.y[0], one.x[0])
    assert bright[hot[1], hot[0]] == bright.min()
    assert axes.patches[0].get_center() == (140.0, 110.0)
    arms = [
        line.get_xydata() for line in axes.lines if line.get_linestyle() == "--" and len(line.get_xydata())
    ]
    assert len(arms) == 4
    assert all((arm == (140.0, 110.0)).all(axis=0).any() for arm in arms)
    assert (axes.get_xlim(), axes.get_ylim()) == ((-0.5, 255.5), (-0.5, 255.5))
    numbers = [text.get_text() for text in bar.texts]
    # One photon smoothed: 1 / (2 pi 3^2) at its pixel.
    assert numbers[:-1] == ["0", "0.0018", "0.0053", "0.011", "0.018"]
    assert numbers[-1].startswith("Counts per pixel")
    assert plot.description == (
        "Smoothed counts on the detector, 51 photons in total; source at column 140.0, row 110.0; "
        "1 hot pixels excluded; row 12 excluded."
    )


def test_detector_without_a_source_has_no_marks() -> None:
    plot = detector_plot(photons(), localisation(None))
    assert not plot.figure.axes[0].patches
    assert not plot.figure.legends


@pytest.mark.parametrize(
    ("count", "is_trigger", "label"),
    [(1, False, "Time since the first photon (s)"), (40, True, "Time since the trigger T0 (s)")],
)
def test_light_curve(count: int, is_trigger: bool, label: str) -> None:
    some = photons(count)
    plot = light_curve_plot(some, met_from_utc(T0), is_trigger=is_trigger)
    (axes,) = plot.figure.axes
    assert label in [text.get_text() for text in axes.texts]
    bars = axes.patches[0].get_data()
    assert bars.values.sum() == count
    assert axes.get_ylim()[1] > bars.values.max()


def test_lost_time_is_shaded_in_the_light_curve() -> None:
    gap = LostGap(start=T0 + timedelta(seconds=120), stop=T0 + timedelta(seconds=150))
    plot = light_curve_plot(photons(40), met_from_utc(T0), is_trigger=True, lost=[gap])
    (axes,) = plot.figure.axes
    span = axes.patches[-1].get_bbox()
    assert (span.x0, span.x1) == pytest.approx((120.0, 150.0))
    assert "intervals with lost photons" in plot.description


def test_same_plot_is_drawn_with_the_same_bytes() -> None:
    def drawn() -> list[bytes]:
        sky = sky_plot([ECLAIRS, VHF, GRM], VHF)
        detector = detector_plot(photons(), localisation(VHF))
        return [plot.png for plot in (sky, detector, light_curve_plot(photons(), 0.0, is_trigger=False))]

    assert drawn() == drawn()
    assert b"matplotlib" not in b"".join(drawn()).lower()
