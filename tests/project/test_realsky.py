"""The generator of `benchmarks.realsky` draws what it says, and every case goes through the pipeline."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.realsky import compare, detector, figures, measure, shapes, skies, spectra
from benchmarks.realsky.__main__ import main
from benchmarks.realsky.cases import cases
from benchmarks.realsky.detector import Faults, Splits
from benchmarks.realsky.facts import BAND_KEV, SIZE
from benchmarks.realsky.grb_cases import expected_photons, grb_cases
from benchmarks.realsky.measure import COLUMNS, Trial, apart, line, record, run
from benchmarks.realsky.optics import Optics
from benchmarks.realsky.pipeline import notices, packets, process
from benchmarks.realsky.scene import BACKGROUND, NOISE, Background, Case, Source, draw
from benchmarks.realsky.times import Fading, Flare, Varying
from mxtvhf.analysis.powerlaw import PowerLaw
from mxtvhf.analysis.throughput import expected_counts
from mxtvhf.instrument.psf import LobsterEyePsf

PLAIN = Case("plain", Background(300.0), (Source(120.0),))


def drawn(case, seed=1):
    return draw(case, np.random.default_rng(seed))


@pytest.mark.parametrize("width", [6.0, 10.0])
@pytest.mark.parametrize("place", [(127.5, 127.5), (20.0, 200.0)])
def test_the_optics_are_the_formula(width, place):
    optics, rng = Optics(width), np.random.default_rng(1)
    inside = ((optics.offsets(200_000, rng) + np.array(place)[:, None] + 0.5) // SIZE == 0).all(axis=0)
    assert inside.mean() == pytest.approx(optics.enclosed(*place), abs=0.005)
    # The pipeline has a code of its own for the same formula.
    assert optics.enclosed(*place) == pytest.approx(LobsterEyePsf(width).enclosed(*place), rel=1e-9)


def test_rotation_elongation_and_skew_change_the_shape_of_the_core_only_as_said():
    rng = np.random.default_rng(1)
    # Seldom more than two core widths away along both axes, unless the arms are turned.
    plain, turned = (Optics(rotation_deg=angle).offsets(200_000, rng) for angle in (0.0, 45.0))
    assert np.mean(np.abs(plain).min(axis=0) > 90.0) < 0.6 * np.mean(np.abs(turned).min(axis=0) > 90.0)
    long = Optics(eta=0.0, elongation=0.2).offsets(200_000, rng)
    widths = np.quantile(np.abs(long), 0.4, axis=1)
    assert widths[0] / widths[1] == pytest.approx(1.2, abs=0.03)
    skewed = Optics(eta=0.0, skew=0.2).offsets(200_000, rng)[0]
    assert np.mean(skewed > 0.0) == pytest.approx(0.55, abs=0.005)


def test_a_flux_is_that_of_the_pipeline_for_the_same_area():
    spectrum = PowerLaw(1.7, 4e21)
    assert 1.0 / spectra.flux_per_count(1.7, 4e21) == pytest.approx(
        expected_counts(1.0, 1.0, 127.5, 127.5, spectrum), rel=2e-3
    )
    assert spectra.flux_per_count(1.7, 4e21, top_kev=8.0) < spectra.flux_per_count(1.7, 4e21)


def test_energies_follow_the_spectrum_and_stay_in_the_band():
    rng = np.random.default_rng(1)
    soft, hard = (
        spectra.measured_energies(spectra.seen_through_optics(spectra.power_law(index, nh)), 20_000, rng)
        for index, nh in ((3.0, 1e20), (1.0, 1e22))
    )
    for energy in (soft, hard):
        assert energy.size == 20_000
        assert energy.min() >= BAND_KEV[0]
        assert energy.max() <= BAND_KEV[1]
    assert np.median(soft) < 0.6 < 1.5 < np.median(hard)


@pytest.mark.parametrize(
    ("tilt", "mean"), [(0.0, 5.1), (0.7, 5.1 + 0.7 * 4.9 / 3), (-0.7, 5.1 - 0.7 * 4.9 / 3)]
)
def test_the_particles_have_the_tilt_asked_for(tilt, mean):
    energy = spectra.particle_energies(50_000, tilt, 0.0, np.random.default_rng(1))
    assert energy.mean() == pytest.approx(mean, abs=0.05)


def test_the_background_has_its_parts():
    case = Case("parts", Background(100_000.0, sky=0.4, lines=0.5, gradient=0.3, vignetting=0.6))
    found = drawn(case)
    energy = 0.0025 * found.pha
    assert found.time.size == pytest.approx(100_000, rel=0.02)
    near_lines = (np.abs(energy - 1.487) < 0.15) | (np.abs(energy - 8.046) < 0.2)
    assert near_lines.mean() == pytest.approx(0.3, abs=0.06)
    corner = (np.abs(found.column - 127.5) > 90) & (np.abs(found.row - 127.5) > 90)
    soft = energy < 0.8
    # The sky is soft, and fainter in the corners.
    assert corner[soft].mean() < 0.85 * corner[energy > 4.0].mean()
    assert (found.origin == BACKGROUND).all()


def test_a_gradient_is_as_steep_as_said():
    found = drawn(Case("gradient", Background(200_000.0, gradient=0.3)))
    u, v = (found.column - 127.5) / 128.0, (found.row - 127.5) / 128.0
    # The mean of u (1 + g . u) over -1..1 is a third of the gradient along u.
    assert 3.0 * np.hypot(u.mean(), v.mean()) == pytest.approx(0.3, abs=0.02)


@given(st.floats(0.0, 8.0), st.floats(0.05, 0.95))
@settings(max_examples=30, deadline=None)
def test_a_fading_source_has_its_photons_where_its_integral_says(index, place):
    until = 100.0 + 300.0 * place
    part = Fading(index).part(100.0, 400.0, until)
    times = Fading(index).draw(100.0, 400.0, 20_000, np.random.default_rng(1))
    assert (times < until).mean() == pytest.approx(part, abs=0.02)
    assert times.min() >= 100.0
    assert times.max() <= 400.0


def test_flares_and_decays_stand_out_of_the_steady_rate():
    rng = np.random.default_rng(1)
    flare = Flare(0.7, 0.02).draw(0.0, 1000.0, 5000, rng)
    assert np.mean(np.abs(flare - 700.0) < 40.0) > 0.9
    decay = Varying(0.5, 0.1).draw(0.0, 1000.0, 20_000, rng)
    assert np.mean(decay < 100.0) == pytest.approx(0.5 * 0.1 + 0.5 * 0.632, abs=0.02)


@given(st.integers(0, 1000), st.floats(0.0, 0.5), st.floats(0.0, 0.25), st.floats(0.0, 0.25))
@settings(max_examples=30, deadline=None)
def test_split_events_share_the_charge_among_adjacent_pixels(seed, doubles, triples, quadruples):
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(20.0, 230.0, (2, 400))
    energy = np.full(400, 5.0)
    column, row, part, photon = detector.read_out(x, y, energy, Splits(doubles, triples, quadruples), rng)
    total = np.bincount(photon, weights=part, minlength=400)
    # Only what falls below the threshold is missing: at most three parts.
    assert (total <= 5.0 + 1e-9).all()
    assert (total > 5.0 - 3 * 0.05).all()
    assert (np.abs(column - np.rint(x)[photon]) <= 1).all()
    assert (np.abs(row - np.rint(y)[photon]) <= 1).all()
    assert np.bincount(photon).max() <= 4


def test_the_parts_of_splits_are_those_asked_for():
    rng = np.random.default_rng(1)
    x, y = rng.uniform(20.0, 230.0, (2, 40_000))
    *_, photon = detector.read_out(x, y, np.full(40_000, 8.0), Splits(0.25, 0.05, 0.03), rng)
    entries = np.bincount(np.bincount(photon), minlength=5) / 40_000
    assert entries[1:] == pytest.approx([0.67, 0.25, 0.05, 0.03], abs=0.02)


def test_noise_is_where_it_is_said_and_dead_columns_are_empty():
    faults = Faults((50.0,), 20.0, (40.0,), (40.0,), cluster=30.0)
    found = drawn(replace(PLAIN, faults=faults))
    noisy = found.origin == NOISE
    assert noisy.sum() == pytest.approx(180, abs=60)
    pixel = np.bincount((found.row * SIZE + found.column)[noisy])
    assert pixel.max() >= 30
    dead = drawn(Case("dead", Background(20_000.0), faults=Faults(dead=6)))
    assert 1 <= np.sum(np.bincount(dead.column, minlength=SIZE) == 0) <= 6


def test_what_falls_on_one_pixel_in_one_frame_is_one_entry():
    found = drawn(replace(PLAIN, squeezed="frame"))
    assert np.unique(found.time).size == 1
    places = found.row * SIZE + found.column
    assert np.unique(places).size == places.size


@given(st.integers(0, 1000), st.floats(0.0, 0.9), st.floats(0.0, 0.9))
@settings(max_examples=30, deadline=None)
def test_lost_packets_leave_gaps_without_photons(seed, lost, lost_first):
    case = replace(PLAIN, lost=lost, lost_first=lost_first)
    found = drawn(case, seed)
    assert (found.gaps[:, 0] < found.gaps[:, 1]).all()
    assert (np.diff(found.gaps.ravel()) >= 0.0).all()
    for first, last in found.gaps:
        # A frame may be the last of one packet and the first of the next.
        assert not ((found.time > first) & (found.time < last)).any()
    sent = found.sent[0].size
    assert found.time.size <= sent
    assert (found.time.size == sent) == (not found.lost_packets.any())
    assert found.lost_packets.size == -(-sent // 12)


def test_the_same_seed_gives_the_same_photons():
    one, other = drawn(PLAIN), drawn(PLAIN)
    for mine, yours in zip(one[:5], other[:5], strict=True):
        assert np.array_equal(mine, yours)
    assert one.counts[0] == (one.origin == 0).sum()


def test_a_split_photon_counts_once():
    found = drawn(replace(PLAIN, splits=Splits(doubles=1.0)))
    assert found.counts[0] == pytest.approx((found.origin == 0).sum() / 2, rel=0.15)


def test_sources_are_as_far_apart_as_said():
    second = Source(60.0, apart_arcmin=(10.0, 20.0))
    for seed in range(20):
        places = drawn(replace(PLAIN, sources=(PLAIN.sources[0], second)), seed).places
        assert 10.0 <= np.hypot(*(places[0] - places[1])) * 13.57 / 60.0 <= 20.01
        assert places.min() >= 20.0
        assert places.max() <= 235.0


def test_a_drifting_source_is_seen_where_the_attitude_says(tmp_path):
    case = replace(PLAIN, sources=(Source(2000.0),), drift_arcmin=10.0, attitude_noise_arcsec=1.0)
    found = drawn(case)
    early, late = (found.column[(found.origin == 0) & (found.time < middle) & (found.time > middle - 100)]
                   for middle in (200.0, 766.0))  # fmt: skip
    assert np.median(early) - np.median(late) == pytest.approx(10.0 * 60.0 / 13.57 * 0.85, abs=12.0)
    position = process(case, found, tmp_path).localisation.position
    assert position is not None
    assert apart(position, found.places[0]) < 60.0


def test_an_energy_scale_moves_all_pulse_heights():
    low = drawn(replace(PLAIN, energy_scale=0.9)).pha
    assert low.mean() == pytest.approx(0.9 * drawn(PLAIN).pha.mean(), rel=1e-3)


def test_eclairs_is_off_by_its_radius_and_the_trigger_alone_tells_no_position():
    case = replace(PLAIN, eclairs_r90_arcmin=5.0)
    distances = []
    for seed in range(200):
        found = drawn(case, seed)
        assert found.eclairs is not None
        distances.append(np.hypot(*(found.eclairs - found.places[0])) * 13.57 / 60.0)
    assert np.mean(np.array(distances) < 5.0) == pytest.approx(0.9, abs=0.07)
    assert [notice.position is None for notice in notices(case, drawn(case))] == [True, False]
    assert len(notices(PLAIN, drawn(PLAIN))) == 1


def test_every_line_has_a_name_of_its_own():
    lines = [(case.name, [s.counts for s in case.sources], case.background.counts) for case in cases()]
    assert len({str(this) for this in lines}) == len(lines)


@pytest.mark.slow
def test_every_case_can_be_drawn_and_sent():
    for case in cases():
        found = drawn(case)
        assert found.time.size + (found.gaps.size > 0) > 0
        assert packets(case, found)


def test_real_bursts_have_the_photons_of_their_flux_or_radius():
    named = {case.name.split(",")[0]: case for case in grb_cases()}
    # 2.6e-10 erg/cm2/s for a minute; and 85 arcsec with 25 of them systematic.
    assert named["grb: GRB 260504B"].sources[0].counts == pytest.approx(158, abs=2)
    assert named["grb: GRB 250806A"].sources[0].counts == pytest.approx(200 * 120**2 / (85**2 - 25**2), abs=1)
    assert "offset 102" in named["grb: GRB 250806A"].name
    steady = {"start_s": 100.0, "length_s": 500.0, "decay": 0.0, "index": 2.0, "nh_cm2": 1e21}
    steady |= {"flux": 1e-10, "flux_s": 50.0}
    longer = expected_photons(steady | {"length_s": 1000.0})
    assert longer == pytest.approx(2.0 * expected_photons(steady))


def test_a_burst_goes_through_the_pipeline(tmp_path):
    case = replace(PLAIN, flux=True)
    outcome = process(case, drawn(case), tmp_path)
    assert outcome.localisation.detected
    assert outcome.analysis is not None
    assert outcome.analysis.spectrum is not None
    empty = process(replace(case, sources=()), drawn(replace(case, sources=())), tmp_path)
    assert empty.localisation.n_source < outcome.localisation.n_source


def test_a_line_tells_what_was_measured():
    trials, again = (run(PLAIN, 3, seed=1) for _ in range(2))
    assert [trial.error for trial in trials] == [trial.error for trial in again]
    assert all(trial.detected and trial.error is not None and trial.error < 400.0 for trial in trials)
    assert line(PLAIN, trials).count(" | ") == len(COLUMNS) - 1
    coverage = [Trial(detected=True, error=1.0, r90=2.0, in_stat=k > 0, in_total=True) for k in range(4)]
    assert "75.0, 100.0" in line(PLAIN, coverage)


def test_a_trial_that_fails_is_counted_and_told(capsys, monkeypatch):
    def fail(*_):
        raise ValueError("no such thing")

    monkeypatch.setattr(measure, "process", fail)
    trials = run(PLAIN, 2, seed=1)
    assert [trial.failed for trial in trials] == [True, True]
    assert "plain: ValueError: no such thing" in capsys.readouterr().err
    assert line(PLAIN, trials).endswith("| 100.0 |  |")


def test_the_table_is_printed(capsys, tmp_path, monkeypatch):
    file = tmp_path / "trials.json"
    monkeypatch.setattr(
        "sys.argv", ["realsky", "--case", "odd: 3 photons", "--trials", "1", "--json", str(file)]
    )
    main()
    printed = capsys.readouterr().out
    assert "1 trials for each case, seed 1" in printed
    assert "| odd: 3 photons | 0 / 3 | 0.0 |" in printed
    assert json.loads(file.read_text())["background"] == 3


def test_two_runs_are_compared(tmp_path, capsys, monkeypatch):
    quiet, loud = (tmp_path / f"{name}.json" for name in ("before", "after"))
    for file, detected in ((quiet, True), (loud, False)):
        burst = [
            Trial(detected=True, error=100.0, r90=150.0, in_stat=True, in_total=True, in_misaligned=True)
        ]
        empty = replace(PLAIN, name="empty: plain", sources=())
        records = [record(PLAIN, burst), record(empty, [Trial(detected=detected)])]
        file.write_text("\n".join(map(json.dumps, records)))
    picture = tmp_path / "compared.png"
    monkeypatch.setattr("sys.argv", ["compare", str(quiet), str(loud), "--plot", str(picture)])
    compare.main()
    printed = capsys.readouterr().out
    assert "| plain | 120 / 300 | 100 | 100 | 100 | 100 |" in printed
    assert "| empty: plain | 0 / 300 | 100 -> 0 |" in printed
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_false_alarms_and_coverage_are_drawn(tmp_path, monkeypatch):
    held = [Trial(detected=True, in_misaligned=inside) for inside in (True, True, False)]
    empty = replace(PLAIN, name="empty: sky 50 %", sources=())
    records = [
        record(replace(PLAIN, name="optics: core 6'"), held),
        record(empty, [Trial(detected=False)] * 4),
    ]
    file = tmp_path / "trials.json"
    file.write_text("\n".join(map(json.dumps, records)))
    monkeypatch.setattr("sys.argv", ["figures", str(tmp_path), str(file)])
    figures.main()
    for name in ("false_alarms.png", "coverage.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_an_interval_of_a_proportion_holds_it():
    assert figures._interval(0, 10)[0] == 0.0
    assert figures._interval(10, 10)[1] == 100.0
    low, high = figures._interval(5, 10)
    assert low < 50.0 < high
    assert low == pytest.approx(100.0 - high)


def test_bursts_with_another_psf_are_localised_by_their_places(capsys, tmp_path, monkeypatch):
    file = tmp_path / "shapes.json"
    monkeypatch.setattr(shapes, "COUNTS", ((60, 50), (120, 135)))
    monkeypatch.setattr("sys.argv", ["shapes", "--case", "skewed 20", "--trials", "3", "--json", str(file)])
    shapes.main()
    assert "| optics: core skewed 20 % | 120 / 135 | 100.0 |" in capsys.readouterr().out
    faint, bright = map(json.loads, file.read_text().splitlines())
    assert (faint["background"], bright["background"]) == (50, 135)
    assert {type(trial["in_misaligned"]) for trial in bright["trials"]} == {bool}


def test_fields_that_differ_in_their_background_are_localised_alone(capsys, tmp_path, monkeypatch):
    file = tmp_path / "skies.json"
    asked = ["--case", "empty: sky 80 %", "--background", "50", "--trials", "3", "--json", str(file)]
    monkeypatch.setattr("sys.argv", ["skies", *asked])
    skies.main()
    assert "| empty: sky 80 % | 0 / 50 | 0.0 |" in capsys.readouterr().out
    (field,) = map(json.loads, file.read_text().splitlines())
    assert all(0.0 <= trial["ts"] < 17.5 for trial in field["trials"])
    assert not any(case.splits.doubles or case.lost for case in skies.sky_cases())


ODD = [case for case in cases() if case.name.startswith("odd: ")]


@pytest.mark.parametrize("case", ODD, ids=lambda case: case.name)
def test_odd_observations_end_with_a_reason_or_a_radius_that_contains_the_burst(case, tmp_path):
    found = process(case, drawn(case), tmp_path).localisation
    if not found.detected:
        assert found.reason
        assert found.position is None
    else:
        assert case.sources
        assert apart(found.position, drawn(case).places[0]) < 2.0 * found.position.r90_arcsec


def test_observations_without_energies_or_times_say_so(tmp_path):
    for what, not_used in (("energy", "energy"), ("frame", "time")):
        case = next(case for case in ODD if case.name == f"odd: burst, all in one {what}")
        found = process(case, drawn(case), tmp_path).localisation
        assert found.not_used == (not_used,)
