import re
from datetime import timedelta

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from mxtvhf.crosscheck.model import GpOutcome
from mxtvhf.errors import Failure
from mxtvhf.events.lost_time import lost_time
from mxtvhf.events.model import PatternCounts
from mxtvhf.instrument.pixels import RawBlock, RawLine
from mxtvhf.instrument.time import met_from_utc, utc_from_met
from mxtvhf.localisation.model import OnboardJudgement, OnboardVerdict
from mxtvhf.models.kept import parse_kept
from mxtvhf.models.position import Origin
from mxtvhf.notices.burst import burst_trigger_time
from mxtvhf.reporting.report.assembly import BACKGROUND_UNLIKE, REFERENCE_GP, build_report, photon_summary
from mxtvhf.reporting.report.model import Report, report_schema
from mxtvhf.reporting.report.schema import schema_text
from support.project import PROJECT
from support.reports import (
    ECLAIRS,
    T0,
    VHF,
    checked,
    localisation,
    notice,
    page_of,
    photons,
    position,
    record,
    report,
    valid,
)

PUBLISHED_SCHEMA = PROJECT / "docs" / "report.schema.json"


def test_published_schema_is_the_models() -> None:
    assert PUBLISHED_SCHEMA.read_text(encoding="utf-8") == schema_text()
    Draft202012Validator.check_schema(report_schema())


def test_the_written_report_contains_the_promised_fields() -> None:
    document = valid(report())
    promised = "burst_id sequence is_test best_position positions crosscheck packets products timeline"
    assert set(promised.split()) <= set(document)
    assert document["best_position"]["origin"] == "MXT-VHF"  # type: ignore[index]
    assert document["packets"]["missing"] == 2  # type: ignore[index]
    assert document["calibration"]["psf"] == "7"  # type: ignore[index]
    assert document["gp"]["reason"] == "HTTP 503 <busy>"  # type: ignore[index]


def test_the_report_says_what_was_not_received() -> None:
    lost = lost_time(met_from_utc(T0) + np.array([[0.0, 30.0], [40.0, 41.5]]), 68.5, 3)
    made = report(record(lost=lost))
    document = valid(made)
    assert document["lost"] == {
        "seconds": 31.5,
        "fraction": 0.315,
        "gaps": 2,
        "longest": [
            {"start": "2026-05-11T11:00:32.123Z", "stop": "2026-05-11T11:01:02.123Z"},
            {"start": "2026-05-11T11:01:12.123Z", "stop": "2026-05-11T11:01:13.623Z"},
        ],
        "n_photons": 3,
    }
    assert '<dt>observing time lost</dt><dd class="number">32 %</dd>' in page_of(made)
    assert "observing time lost" not in page_of(report())


def test_times_are_utc_with_milliseconds() -> None:
    document = valid(report())
    assert document["trigger_time"] == "2026-05-11T11:00:32.123Z"
    assert all(re.fullmatch(r".{10}T.{8}\.\d{3}Z", entry["time"]) for entry in document["timeline"])  # type: ignore[attr-defined]


def test_same_input_gives_the_same_bytes_and_reads_back() -> None:
    assert report().to_json() == report().to_json()
    assert page_of(report()) == page_of(report())
    again = Report.model_validate_json(report().to_json())
    assert again.to_json() == report().to_json()


def test_a_number_that_is_not_finite_is_refused() -> None:
    broken = localisation(VHF).model_copy(update={"ts": float("nan")})
    with pytest.raises(Failure, match="report of sb26051102__1: Out of range float"):
        report().model_copy(update={"localisation": broken}).to_json()


def test_headline() -> None:
    assert report().headline == (
        "sb26051102 update 1 · RA 14:10:00.0 Dec -12:43:48 · 212.5000 -12.7300 deg · "
        'R90 48" (stat 48", sys 0") · MXT (VHF photons) · 40 photons T0+100 s to T0+178 s · '
        "consistent with ECLAIRs (1.80' away), no catalogue checked"
    )


def test_timeline_is_in_order_with_latencies() -> None:
    entries = report().timeline
    assert [entry.name for entry in entries] == [
        "trigger",
        "notice_published eclairs-wakeup",
        "first_photon",
        "last_photon",
        "run_created",
        "report_written",
    ]
    assert (entries[0].seconds_after_trigger, entries[-1].seconds_after_trigger) == (0.0, 200.0)


def test_trigger_time_is_never_the_start_of_the_mxt_observation() -> None:
    observed = notice("mxt-initial_qf1", 209, None, event_time=T0 + timedelta(seconds=180))
    assert burst_trigger_time([observed]) is None
    assert burst_trigger_time([observed, notice("grm-trigger", 201, None)]) == T0
    stated = observed.model_copy(update={"trigger_time": T0 - timedelta(seconds=1)})
    assert burst_trigger_time([stated, notice("grm-trigger", 201, None)]) == T0 - timedelta(seconds=1)


def test_nothing_detected() -> None:
    made = report(record(None), checked(ECLAIRS))
    valid(made)
    assert made.best_position == ECLAIRS
    assert (
        "No source was detected in the VHF photons: the brightest excess is not significant." in made.warnings
    )
    assert "not detected" in page_of(made)


def test_no_position_at_all() -> None:
    bare = record(None, alert=notice("mxt-initial_qf1", 209, None), packets=None, localisation=None)
    made = report(bare, checked(), light=True)
    valid(made)
    assert (made.best_position, made.trigger_time, made.photons) == (None, None, None)
    assert "no position" in made.headline
    page = page_of(made)
    assert "No position has an error radius." in page
    assert "No packets were read." in page


def test_empty_photon_list() -> None:
    summary = photon_summary(photons(0))
    assert summary is not None
    assert (summary.count, summary.first) == (0, None)


def test_the_patterns_of_the_events_are_reported() -> None:
    made = {"singles": 20, "doubles": 15, "triples": 3, "quadruples": 2, "invalid_pixels": 4, "pile_up": 0.02}
    document = valid(report(record(patterns=PatternCounts.model_validate(made))))
    assert document["photons"]["patterns"] == made  # type: ignore[index]
    older = report().model_dump_json().replace(',"patterns":null', "")
    assert "patterns" not in older
    summary = parse_kept(older.encode(), Report, name="report.json").photons
    assert summary is not None
    assert (summary.count, summary.patterns) == (40, None)


def test_banners() -> None:
    plain = page_of(report())
    assert 'class="banner' not in plain
    assert not report(record(related=(notice("slewing", 204, None, role="test"),))).is_test
    test = report(record(alert=notice("slewing", 204, ECLAIRS, role="test")))
    assert test.is_test
    assert test.headline.startswith("TEST")
    assert '<div class="banner test" role="alert">TEST</div>' in page_of(test)
    retracted = report(record(related=(notice("retraction", 219, None),)))
    assert retracted.is_retracted
    assert retracted.headline.startswith("RETRACTED")
    assert "RETRACTED" in page_of(retracted)
    early = report().model_copy(update={"status": "preliminary"})
    assert 'PRELIMINARY - GP analysis in progress; the <a href="../report.html">' in page_of(early)


def test_a_replay_does_not_read_like_a_live_alert() -> None:
    replayed = report(record(is_replay=True, alert=notice("slewing", 204, ECLAIRS, role="test")))
    assert valid(replayed)["is_replay"] is True
    assert replayed.headline.startswith("TEST · REPLAY · sb26051102")
    assert '<div class="banner replay" role="alert">REPLAY</div>' in page_of(replayed)
    assert "REPLAY" not in page_of(report())


def test_warnings_of_earlier_steps_appear_once() -> None:
    made = report(record(warnings=("1 packet missing", "2 corrupt, rejected: wrong CRC")))
    assert made.warnings[:2] == ("1 packet missing.", "2 corrupt, rejected: wrong CRC.")
    assert not any("corrupt" in warning or "packet" in warning for warning in report().warnings)


@pytest.mark.parametrize(
    ("seconds", "expected"), [(140.0, ["142.0 s"]), (0.0, ["2.0 s"]), (-1.5, []), (-9.0, [])]
)
def test_photons_of_the_future_give_a_warning(seconds: float, expected: list[str]) -> None:
    """A wrong clock of the satellite or of this machine used to show only in the order of the timeline."""
    there = photons()
    last = utc_from_met(float(there.time.max()))
    made = build_report(
        record(), checked(ECLAIRS, VHF), status="final", photons=there,
        written=last - timedelta(seconds=seconds + 2.0),
    )  # fmt: skip
    found = [text for text in made.warnings if "in the future" in text]
    assert found == [
        f"The last photon is {ahead} in the future: check the clock of this machine and the time of the "
        "satellite."
        for ahead in expected
    ]


def test_an_odd_notice_gives_a_warning() -> None:
    odd = notice("slewing", 204, ECLAIRS, warnings=("SNR 'inf' is not a finite number; value ignored",))
    made = report(record(related=(odd,)))
    assert "slewing: SNR 'inf' is not a finite number; value ignored." in made.warnings
    assert "value ignored" in page_of(made)


def test_a_noisy_line_gives_a_warning() -> None:
    lines = (RawLine("row", 12), RawLine("column", 3))
    found = localisation(VHF).model_copy(update={"noisy_lines": lines})
    warnings = report(record(localisation=found)).warnings
    assert any(text.startswith("The detector is noisy in row 12, column 3, ") for text in warnings)


def test_unused_energies_give_a_warning() -> None:
    found = localisation(VHF).model_copy(update={"not_used": ("energy",)})
    warnings = report(record(localisation=found)).warnings
    assert [text for text in warnings if text.startswith("The energy distribution of the photons ")]


def test_photons_that_do_not_match_the_background_give_a_warning() -> None:
    found = localisation(VHF).model_copy(update={"not_used": ("background",)})
    warnings = report(record(localisation=found)).warnings
    assert BACKGROUND_UNLIKE in warnings
    assert not [text for text in warnings if text.startswith("The background distribution")]


def test_unlisted_dead_areas_give_a_warning() -> None:
    dead = {"dead_lines": (RawLine("column", 40),), "dead_blocks": (RawBlock(32, 0, 16),)}
    warnings = report(record(localisation=localisation(VHF).model_copy(update=dead))).warnings
    told = [text for text in warnings if text.startswith("The detector counts too few photons in ")]
    assert len(told) == 1
    assert "in column 40, columns 32-47 of rows 0-15, which the calibration does not list" in told[0]


def test_the_test_of_the_onboard_position_is_reported() -> None:
    where = position(Origin.MXT_ONBOARD, "mxt-initial_qf2", -12.73, 60.0)
    wrong = OnboardJudgement(
        position=where, verdict=OnboardVerdict.CONTRADICTED, explanation="mxt-initial_qf2 is <wrong>."
    )
    known = wrong.model_copy(update={"known_source": True, "explanation": "QPO_MXT S2 is elsewhere."})
    made = report(record(localisation=localisation(VHF).model_copy(update={"onboard": (wrong, known)})))
    assert wrong.explanation in made.warnings
    assert known.explanation not in made.warnings
    page = page_of(made)
    assert "On-board positions, tested with the photons" in page
    assert "mxt-initial_qf2 is &lt;wrong&gt;." in page
    assert "QPO_MXT S2 is elsewhere. The on-board software identified it as a known source." in page
    assert "On-board positions" not in page_of(report())


def test_the_reference_gp_is_no_confirmation() -> None:
    same = position(Origin.GP, "reference service", -12.73, 48.0)
    gp = GpOutcome(available=True, process_id="42", position=same, is_reference=True)
    made = report(check=checked(ECLAIRS, VHF, same, gp=gp))
    assert made.best_position == VHF
    assert REFERENCE_GP in made.warnings
    assert "reference GP, not independent" in page_of(made)
    assert REFERENCE_GP not in report().warnings


def test_the_page_gives_the_result_of_gp_or_the_reason() -> None:
    assert "No result from GP: HTTP 503 &lt;busy&gt;" in page_of(report())
    gp = GpOutcome(available=True, process_id="42", position=position(Origin.GP, "analysis", -12.73, 40.0))
    made = report(check=checked(ECLAIRS, VHF, position(Origin.GP, "analysis", -12.73, 40.0), gp=gp))
    assert "GP sent a position (process 42)." in page_of(made)
