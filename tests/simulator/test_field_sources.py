import json

import numpy as np
import pytest

from mxtvhf.errors import InvalidInput
from mxtvhf.events.event_file import read_event_file
from mxtvhf.events.patterns import reconstruct
from mxtvhf.instrument.calibration import default_calibration
from mxtvhf.instrument.pointing import Pointing
from mxtvhf.simulator.field_sources import FieldSource, detector_places, with_field_sources
from mxtvhf.simulator.photons import simulate_photons
from mxtvhf.simulator.pointing import moving_attitude
from mxtvhf.simulator.scenario import XBAND_FILE, scenario_of, write_scenario
from mxtvhf.telemetry.decode import decode_stream

START = 295_000_000.0
POINTING = Pointing(ra_deg=155.5, dec_deg=-21.0, roll_deg=30.0)
SOURCES = (
    FieldSource(ra_deg=155.3, dec_deg=-20.85, counts=400.0),
    FieldSource(ra_deg=155.7, dec_deg=-20.8, counts=150.0),
)
KNOWN = "sb26030704"


def burst():
    return simulate_photons(
        x=120.0,
        y=110.0,
        counts=100,
        background=50,
        start=START,
        stop=START + 300.0,
        rng=np.random.default_rng(3),
    )


def with_sources(sources=SOURCES, **options):
    attitude = moving_attitude(POINTING, START, START + 300.0)
    return with_field_sources(
        burst(), sources, attitude, POINTING, default_calibration(), seed=options.pop("seed", 1), **options
    )


def test_without_sources_the_photons_stay_as_they_are():
    assert all(map(np.array_equal, with_sources(()).columns, burst().columns))


def test_the_sources_add_their_photons_around_their_places():
    both, first = with_sources(), with_sources(SOURCES[:1])
    assert len(first) - len(burst()) == pytest.approx(400, abs=80)
    assert len(both) - len(first) == pytest.approx(150, abs=50)
    ((x, y),) = detector_places(SOURCES[:1], POINTING)
    near = np.hypot(first.x - x, first.y - y) < 25.0
    assert near.sum() > 100
    times = first.time[near] - START
    assert np.mean(times) == pytest.approx(150.0, abs=25.0)  # of constant rate


def test_each_source_has_random_numbers_of_its_own():
    assert all(map(np.array_equal, with_sources().columns, with_sources().columns))
    assert len(with_sources(seed=2)) != len(with_sources(seed=3))


def test_what_comes_later_is_of_the_same_rate():
    attitude = moving_attitude(POINTING, START, START + 1200.0)
    later = with_field_sources(
        burst(), SOURCES[:1], attitude, POINTING, default_calibration(), seed=1, sent_s=300.0
    )
    assert (later.time >= START + 300.0).sum() == pytest.approx(1200, abs=150)


def test_a_source_beside_the_detector_is_refused():
    with pytest.raises(InvalidInput, match=r"RA 155.5 Dec -28 is not in the field of view"):
        detector_places([FieldSource(ra_deg=155.5, dec_deg=-28.0, counts=1.0)], POINTING)


def test_sources_change_no_notice_and_are_in_the_truth(tmp_path):
    for name, sources in (("alone", ()), ("with", SOURCES)):
        write_scenario(
            scenario_of(KNOWN, seed=4, counts=150.0, xband_s=600.0, sources=sources), tmp_path / name
        )
    for notice in ("alert.xml", "eclairs-wakeup.xml"):
        assert (tmp_path / "alone" / notice).read_bytes() == (tmp_path / "with" / notice).read_bytes()
    truths = [json.loads((tmp_path / name / "truth.json").read_text()) for name in ("alone", "with")]
    assert truths[0]["sources"] == []
    assert [source["counts"] for source in truths[1]["sources"]] == [400.0, 150.0]
    assert 0.0 < truths[1]["sources"][0]["detector_x"] < 255.0
    assert truths[1]["n_photons"] - truths[0]["n_photons"] == pytest.approx(550, abs=110)
    stream = decode_stream((tmp_path / "with" / "packets.bin").read_bytes(), KNOWN, name="packets.bin")
    assert len(reconstruct(stream.photons).photons) == pytest.approx(truths[1]["n_photons"], abs=5)
    later = [read_event_file(tmp_path / name / XBAND_FILE) for name in ("alone", "with")]
    assert len(later[1].photons) - len(later[0].photons) == pytest.approx(1100, abs=160)
