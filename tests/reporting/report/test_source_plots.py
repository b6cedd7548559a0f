import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from mxtvhf.analysis.galactic_column import GalacticColumn
from mxtvhf.analysis.measure import SourceMeasurements, measure_source, region_summary
from mxtvhf.analysis.model import SourceAnalysis, analysis_text, column_text, measurement_text
from mxtvhf.crosscheck.model import GpOutcome
from mxtvhf.events.drift_corrected import DriftCorrectedPhotons
from mxtvhf.instrument.calibration import default_calibration
from mxtvhf.instrument.pixels import RawMask
from mxtvhf.instrument.time import met_from_utc
from mxtvhf.models.product import Product
from mxtvhf.reporting.report.assembly import build_report
from mxtvhf.reporting.report.figures import draw_figures
from mxtvhf.reporting.report.model import RunRecord, report_schema
from mxtvhf.reporting.report.page import render_page
from mxtvhf.reporting.report.plots import Plot
from mxtvhf.reporting.report.source_plots import log_ticks, source_plots
from mxtvhf.simulator.photons import simulate_photons
from mxtvhf.workflow.steps.crosscheck_positions import crosscheck_positions
from mxtvhf.workflow.steps.preliminary_report import preliminary_report
from mxtvhf.workflow.steps.update_ba import update_ba
from support.alerts import alert_of

T0 = datetime(2026, 3, 7, 13, 45, 6, tzinfo=UTC)
ALL_PIXELS = RawMask(np.ones((256, 256), np.bool_))
NO_GP = GpOutcome(available=False, reason="HTTP 503")
ALERT = alert_of("sb26030704", "eclairs-wakeup", T0, published=T0 + timedelta(seconds=20))


def analysis_of(counts: float, t0_known: bool = True) -> SourceAnalysis:
    start = met_from_utc(T0) + 190.0
    photons = simulate_photons(
        x=128.0, y=128.0, counts=counts, background=100.0, start=start, stop=start + 300.0,
        burst_time=start - 190.0, decay_index=1.2, rng=np.random.default_rng(1),
    )  # fmt: skip
    calibration = default_calibration()
    steady = DriftCorrectedPhotons.of_steady(photons, ALL_PIXELS)
    found: SourceMeasurements = measure_source(
        steady, np.array([[start, start + 300.0]]), 128.0, 128.0, max(counts, 1.0), 100.0,
        t0=start - 190.0 if t0_known else None, calibration=calibration,
        galactic=GalacticColumn(5e20, "a map"),
    )  # fmt: skip
    return SourceAnalysis(
        analysed=True,
        regions=region_summary(found),
        light_curve=found.light_curve,
        hardness=found.hardness,
        spectrum=found.spectrum,
        spectrum_reason=found.spectrum_reason,
        products={"spectrum": Product(path="spectrum.pha", sha256="ab" * 32)},
        calibration={"psf": "001", "analysis": "7"},
    )


@pytest.fixture(scope="module")
def bright() -> SourceAnalysis:
    return analysis_of(400.0)


def record(analysis: SourceAnalysis | None) -> RunRecord:
    return RunRecord(run_id="sb26030704__1", sequence=1, alert=ALERT, analysis=analysis)


def drawn(analysis: SourceAnalysis | None) -> list[Plot]:
    return [draw() for draw in source_plots(analysis).values()]


def page_and_document(analysis: SourceAnalysis | None) -> tuple[str, dict[str, object]]:
    report = build_report(
        record(analysis),
        crosscheck_positions((ALERT,), None, NO_GP),
        status="final",
        photons=None,
        written=T0 + timedelta(seconds=600),
    )
    document = json.loads(report.to_json())
    Draft202012Validator(report_schema()).validate(document)
    return render_page(report, [], drawn(analysis)).decode(), document


def test_report_holds_the_measurements(bright):
    page, document = page_and_document(bright)
    assert document["analysis"]["spectrum"]["photon_index"]["value"] == bright.spectrum.photon_index.value
    assert document["calibration"]["analysis"] == "7"
    for measured in (bright.spectrum.photon_index, bright.spectrum.flux, bright.light_curve.decay.index):
        assert measurement_text(measured) in page


def test_the_numbers_of_the_plots_are_beside_them(bright):
    page, _ = page_and_document(bright)
    section = page[page.index('<section id="source">') : page.index("<h2>Positions</h2>")]
    assert section.count("<img ") == 2
    for one in (*bright.light_curve.bins, *bright.light_curve.blocks, *bright.spectrum.bins):
        assert f">{measurement_text(one.rate)}</td>" in section


def test_report_without_an_analysis_has_no_section():
    page, document = page_and_document(None)
    assert document["analysis"] is None
    assert 'id="source"' not in page


def test_a_missing_analysis_has_a_reason():
    page, _ = page_and_document(SourceAnalysis(analysed=False, reason="there is no <localised> source"))
    assert "No analysis: there is no &lt;localised&gt; source." in page


def test_source_too_faint_for_a_spectrum():
    faint = analysis_of(0.0, t0_known=False)
    page, _ = page_and_document(faint)
    assert "No spectral fit: " in page
    assert "T0 is unknown" in page
    assert set(source_plots(faint)) == {"source_light_curve"}


def test_an_unreliable_fit_gives_a_warning(bright):
    doubtful = bright.spectrum.model_copy(update={"trusted": False, "doubts": ("only 17 source photons",)})
    page, document = page_and_document(bright.model_copy(update={"spectrum": doubtful}))
    assert "The spectral fit is unreliable: only 17 source photons." in document["warnings"]
    assert "unreliable" in page


def test_only_the_final_report_has_the_figures_of_the_source(bright, tmp_path):
    crosscheck = crosscheck_positions((ALERT,), None, NO_GP)
    written = T0 + timedelta(seconds=600)
    preliminary_report(record(None), photons=None, out=tmp_path, written=written)
    update_ba(record(bright), crosscheck, photons=None, out=tmp_path, written=written)
    draw_figures(tmp_path, "preliminary")
    draw_figures(tmp_path, "final")
    figures = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.png")}
    assert {name for name in figures if "source_" in name} == {
        "source_light_curve.png",
        "source_spectrum.png",
    }
    for name in figures:
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_plots_have_descriptions(bright):
    curve, spectrum = drawn(bright)
    assert f"decay index {measurement_text(bright.light_curve.decay.index)}" in curve.description
    assert measurement_text(bright.spectrum.flux, "erg/cm2/s") in spectrum.description


def test_log_ticks_are_round_numbers_within_the_limits():
    assert log_ticks(np.log10(0.3), np.log10(10.0)) == pytest.approx(
        {np.log10(0.5): "0.5", 0.0: "1", np.log10(2): "2", np.log10(5): "5", 1.0: "10"}
    )
    assert list(log_ticks(-4.5, 1.0).values()) == ["0.0001", "0.001", "0.01", "0.1", "1", "10"]


def test_analysis_in_words(bright):
    assert analysis_text(SourceAnalysis(analysed=False, reason="no source")) == ["not analysed: no source"]
    words = "\n".join(analysis_text(bright))
    column = bright.spectrum.nh_1e22_cm2
    assert f"nH {measurement_text(column, '1e22/cm2')} (fitted; Galactic 0.05e22 from a map)" in words
    assert "decay index" in words


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({"nh_free": False}, "fixed"),
        ({"nh_galactic_1e22_cm2": None}, "fitted"),
        (
            {"nh_determined": False},
            "dominated by the prior; Galactic 0.05e22 from a map",
        ),
    ],
)
def test_the_page_gives_the_source_of_the_column(bright, facts, text):
    fit = bright.spectrum.model_copy(update=facts)
    assert column_text(fit) == text
    page, _ = page_and_document(bright.model_copy(update={"spectrum": fit}))
    assert f"1e22/cm2, {text}</small>" in page
