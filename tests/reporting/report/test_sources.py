import pytest

from mxtvhf.analysis.model import ExtractionRegions, SourceAnalysis
from mxtvhf.crosscheck.model import SourceIdentity, SourceMatch
from mxtvhf.localisation.model import Localisation, LocalisedSource
from mxtvhf.reporting.report.model import Report
from mxtvhf.reporting.report.plots import detector_plot
from mxtvhf.reporting.report.sky_plot import sky_plot
from mxtvhf.reporting.report.sources import (
    choice_sentence,
    source_lines,
    source_rows,
    source_warnings,
    variability_text,
)
from support.reports import ECLAIRS, VHF, checked, page_of, photons, record, report, valid
from support.sources import BRIGHT, BURST, FAINT, FIELD, field


def match(name: str, probability: float, source: str = "NGC 1") -> SourceMatch:
    return SourceMatch(
        position=name, catalogue="made", source=source, separation_arcsec=12.0, combined_r90_arcsec=40.0,
        log10_bayes_factor=5.0, probability=probability, explanation="it is there",
    )  # fmt: skip


def report_of(localisation: Localisation, *identities: SourceIdentity) -> Report:
    check = checked(ECLAIRS, BURST.position).model_copy(update={"identities": identities})
    return report(record(localisation=localisation), check)


LOOKED_UP = (
    SourceIdentity(name="S1", checked=True, matches=(match("S1", 0.98),)),
    SourceIdentity(name="S2", checked=True),
    SourceIdentity(name="S3", checked=True, matches=(match("S3", 0.1, "faint one"),)),
)


def test_rows_describe_each_source() -> None:
    bright, burst, faint = source_rows(report_of(field(), *LOOKED_UP))
    assert [row.is_burst for row in (bright, burst, faint)] == [False, True, False]
    assert (bright.from_burst, burst.from_burst) == ("16.6'", "-")
    assert bright.catalogue == 'NGC 1 (made), 12.0" away, 98 %'
    assert burst.catalogue == "none"
    assert faint.catalogue == 'none likely; nearest faint one, 12.0" away'
    assert [row.variability for row in (bright, burst, faint)] == [
        "steady",
        "fading, index 1.3",
        "unclear (fading 50 %)",
    ]
    assert [row.in_eclairs for row in (bright, burst, faint)] == ["outside", "inside", "unknown"]
    assert [row.confused for row in (bright, burst, faint)] == ["S3", "-", "S1"]
    assert burst.spectrum == "index 2.0, nH 1e21/cm2"


def test_a_source_that_was_not_looked_up_is_not_called_uncatalogued() -> None:
    bright, burst, _ = source_rows(report_of(field()))
    assert (bright.catalogue, burst.catalogue) == ("NGC 1 (bright source)", "not checked")


def test_one_source_needs_no_table_and_no_warning() -> None:
    alone = report_of(field((BURST,)))
    assert source_rows(alone) == source_warnings(alone) == []
    assert "Sources in the field" not in page_of(alone)


def test_the_variability_is_unknown_without_t0() -> None:
    assert variability_text(BURST.model_copy(update={"fading": None})) == "unknown (no T0)"


def test_warnings_name_the_other_sources_and_confused_pairs() -> None:
    made = report_of(field(), *LOOKED_UP)
    others, crowded, confused = source_warnings(made)
    assert others == (
        "2 other sources lie in the field: S1 (400 photons, TS 700) 16.6' and S3 (40 photons, TS 30) 16.8' "
        "from the burst (S2)."
    )
    assert confused.startswith("S1 and S3 are closer than the width of the PSF")
    assert crowded.startswith("The field is crowded (3 sources found)")
    assert made.warnings[:3] == (others, crowded, confused)
    valid(made)


def test_two_sources_are_no_crowd() -> None:
    assert not any("crowded" in warning for warning in source_warnings(report_of(field((BRIGHT, BURST)))))


def test_a_warning_names_an_extended_source_even_if_it_is_the_only_one() -> None:
    extended = BURST.model_copy(update={"extent_arcmin": 5.5})
    warning = (
        "S2 is wider than a point source by 5.5' (1 sigma): it is extended, or it consists of several "
        "sources."
    )
    too_low = (
        "The rates and fluxes of S2 are too low: the correction for photons outside the source region "
        "assumes a point source."
    )
    assert source_warnings(report_of(field((extended,), chosen=extended, choice=None))) == [warning, too_low]
    assert warning in source_warnings(report_of(field((BRIGHT, extended, FAINT), chosen=extended)))
    assert source_warnings(report_of(field((BURST,), choice=None))) == []


def test_the_flux_of_a_burst_beside_an_extended_source_has_no_caveat() -> None:
    extended = BRIGHT.model_copy(update={"extent_arcmin": 5.5})
    warnings = source_warnings(report_of(field((extended, BURST))))
    assert any(warning.startswith("S1 is wider") for warning in warnings)
    assert not any("too low" in warning for warning in warnings)


@pytest.mark.parametrize(
    ("chosen", "is_doubted"),
    [(BRIGHT, True), (BURST, False)],
)
def test_a_catalogued_burst_beside_a_new_source_is_a_warning(
    chosen: LocalisedSource, is_doubted: bool
) -> None:
    made = report_of(field(chosen=chosen), *LOOKED_UP)
    doubts = [warning for warning in made.warnings if "the burst may be" in warning]
    if is_doubted:
        assert doubts[0].startswith(
            "S1 is identified as the burst, but it is a catalogued source: NGC 1 (made)"
        )
        assert "and lies in the ECLAIRs error circle, so the burst may be S2." in doubts[0]
        assert doubts[1].endswith("S3 is uncatalogued, so the burst may be S3.")
    assert bool(doubts) is is_doubted


def test_no_doubt_comes_from_a_source_that_was_not_looked_up() -> None:
    made = report_of(field(chosen=BRIGHT), LOOKED_UP[0])
    assert not any("the burst may be" in warning for warning in made.warnings)


def test_the_choice_is_a_sentence() -> None:
    assert choice_sentence(field()) == (
        "S2 is identified as the burst: S2 lies in the ECLAIRs circle, S1 and S3 do not."
    )
    assert choice_sentence(field((BURST,), choice=None)) is None


def test_lines_mark_the_burst_and_end_with_the_reason() -> None:
    lines = source_lines(field())
    assert [line[:4] for line in lines] == ["  S1", "* S2", "  S3", "S2 i"]
    assert "120 photons, TS 80.0, fading, index 1.3" in lines[1]
    assert lines[0].endswith(", steady, NGC 1")
    assert source_lines(field((BURST,))) == []


def test_the_page_has_a_row_for_each_source_and_the_reason() -> None:
    page = page_of(report_of(field(), *LOOKED_UP))
    assert "Sources in the field" in page
    for source in FIELD:
        assert f'<th scope="row">{source.name}' in page
        assert " ".join(source.position.sexagesimal_text) in page
    assert page.count('<tr class="best">') == 1
    assert "S2 lies in the ECLAIRs circle, S1 and S3 do not" in page


def test_names_of_catalogued_sources_are_escaped() -> None:
    hostile = SourceIdentity(name="S1", checked=True, matches=(match("S1", 0.98, "<script>"),))
    assert "<script>" not in page_of(report_of(field(), hostile))


def test_the_sky_shows_other_sources_with_their_names() -> None:
    others = [one.position.model_copy(update={"label": one.name}) for one in (BRIGHT, FAINT)]
    plot = sky_plot([VHF], VHF, sources=others)
    (axes,) = plot.figure.axes
    assert {"S1", "S3"} <= {text.get_text() for text in axes.texts}
    radii = [circle.get_radius() for circle in axes.patches]
    assert radii == pytest.approx([48 / 60, 33 / 60, 90 / 60])
    assert axes.patches[0].get_linewidth() > axes.patches[1].get_linewidth()
    words = 'MXT (VHF photons), other sources: S1 R90 33", S3 R90 90"'
    assert words in [text.get_text() for text in plot.figure.texts]
    assert words in plot.description
    assert axes.get_xlim()[0] > 16.0  # the view has them all


def test_the_detector_shows_other_sources() -> None:
    plot = detector_plot(photons(), field())
    assert {"S1", "S3"} <= {text.get_text() for text in plot.figure.axes[0].texts}
    assert "other sources S1, S3" in plot.description


@pytest.mark.parametrize(("part", "is_told"), [(0.32, True), (-0.06, True), (0.04, False), (None, False)])
def test_counts_of_other_sources_in_the_bursts_are_a_warning(part: float | None, is_told: bool) -> None:
    regions = ExtractionRegions.model_validate(
        {
            "x": 100.0, "y": 110.0, "radius_pixel": 30.0, "inner_radius_pixel": 52.0, "source_pixels": 2800,
            "background_pixels": 50000, "source_fraction": 0.4, "background_fraction": 0.2,
            "effective_fraction": 0.39, "effective_fraction_sigma": 0.1, "source_photons": 90,
            "background_photons": 300, "others_fraction": part,
        }
    )  # fmt: skip
    analysis = SourceAnalysis(analysed=False, reason="made for a test", regions=regions)
    warnings = report(record(localisation=field(), analysis=analysis), light=True).warnings
    told = [warning for warning in warnings if warning.startswith("Other sources change the net counts")]
    assert bool(told) is is_told
    if is_told and part is not None:
        assert f"by about {100 * part:+.0f} %;" in told[0]
