import json
import re
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from matplotlib.image import imread

from mxtvhf.crosscheck import CrossCheck, crosscheck
from mxtvhf.crosscheck.model import GpOutcome
from mxtvhf.errors import Failure
from mxtvhf.events.photons import PhotonList
from mxtvhf.instrument.time import met_from_utc
from mxtvhf.localisation.model import CredibleRegion, Localisation
from mxtvhf.models.position import Origin, Position
from mxtvhf.models.product import Product
from mxtvhf.models.times import TimelineEntry
from mxtvhf.notices.alert import Alert
from mxtvhf.notices.burst import burst_trigger_time
from mxtvhf.reporting.report import Report, RunRecord, build_report, report_schema
from mxtvhf.reporting.report.assembly import REFERENCE_GP, photon_summary
from mxtvhf.reporting.report.page import latency_text, pairs_by_weight, render_page, sky_links
from mxtvhf.reporting.report.plots import binned, detector_plot, light_curve_plot, ticks_of
from mxtvhf.reporting.report.schema import schema_text
from mxtvhf.reporting.report.sky_plot import LINES, sky_plot, zoom_half_width_arcmin
from mxtvhf.telemetry.counts import PacketCounts
from support.project import PROJECT

T0 = datetime(2026, 5, 11, 11, 0, 32, 123_456, tzinfo=UTC)
WRITTEN = T0 + timedelta(seconds=200)
PUBLISHED_SCHEMA = PROJECT / "docs" / "report.schema.json"


def position(origin: Origin, label: str, dec: float, r90: float | None) -> Position:
    return Position(
        origin=origin,
        label=label,
        ra_deg=212.5,
        dec_deg=dec,
        r90_stat_arcsec=r90,
        r90_sys_arcsec=0.0,
        r90_arcsec=r90,
        time=T0,
    )


ECLAIRS = position(Origin.ECLAIRS, "eclairs-wakeup", -12.70, 300.0)
VHF = position(Origin.MXT_VHF, "photons", -12.73, 48.0)
GRM = position(Origin.GRM, "grm-trigger", 40.0, None)


def notice(kind: str, packet_type: int, where: Position | None, **more: object) -> Alert:
    return Alert.model_validate(
        {
            "ivorn": f"ivo://org.svom/fsc#sb26051102_{kind}",
            "burst_id": "sb26051102",
            "notice_type": kind,
            "packet_type": packet_type,
            "notice_level": "N1e",
            "instrument": "ECLAIRs",
            "role": "observation",
            "published": T0 + timedelta(seconds=20),
            "event_time": T0,
            "position": where,
            "attitude": None,
            "snr": 9.0,
            **more,
        }
    )


def localisation(where: Position | None) -> Localisation:
    return Localisation(
        detected=where is not None,
        position=where,
        r50_arcsec=20.0 if where else None,
        detector_x=140.0 if where else None,
        detector_y=110.0 if where else None,
        ts=80.0 if where else 3.0,
        n_photons=40,
        n_source=30.0,
        n_background=10.0,
        reason=None if where else "the brightest excess is not significant",
        calibration={"psf": "7"},
    )


def photons(count: int = 40) -> PhotonList:
    draw = np.random.default_rng(3)
    return PhotonList(
        time=np.round(met_from_utc(T0) + np.sort(draw.uniform(100.0, 180.0, count)), 1),
        x=draw.integers(0, 256, count).astype(np.int16),
        y=draw.integers(0, 256, count).astype(np.int16),
        pha=np.full(count, 400, np.int32),
    )


def record(where: Position | None = VHF, **more: object) -> RunRecord:
    return RunRecord.model_validate(
        {
            "run_id": "sb26051102__1",
            "sequence": 1,
            "alert": notice("eclairs-wakeup", 202, ECLAIRS),
            "packets": PacketCounts(
                received=30, good=10, repeated=16, missing=2, corrupt=1, foreign=1, out_of_order=3
            ),
            "localisation": localisation(where),
            "products": {"event_file": Product(path="events.fits", sha256="ab" * 32)},
            "timeline": (TimelineEntry(name="run_created", time=T0 + timedelta(seconds=190)),),
            **more,
        }
    )


def checked(*positions: Position, gp: GpOutcome | None = None) -> CrossCheck:
    return crosscheck(positions, [], gp or GpOutcome(available=False, reason="HTTP 503 <busy>"))


def report(run: RunRecord | None = None, check: CrossCheck | None = None, light: bool = False) -> Report:
    return build_report(
        run or record(),
        check or checked(ECLAIRS, VHF),
        status="final",
        photons=None if light else photons(),
        plots={},
        written=WRITTEN,
    )


def page_of(made: Report) -> str:
    return render_page(made, []).decode()


def valid(made: Report) -> dict[str, object]:
    document = json.loads(made.to_json())
    Draft202012Validator(report_schema()).validate(document)
    return document  # type: ignore[no-any-return]


def test_published_schema_is_the_models() -> None:
    assert PUBLISHED_SCHEMA.read_text(encoding="utf-8") == schema_text()
    Draft202012Validator.check_schema(report_schema())


def test_written_report_holds_what_is_promised() -> None:
    document = valid(report())
    promised = "burst_id sequence is_test best_position positions crosscheck packets products timeline"
    assert set(promised.split()) <= set(document)
    assert document["best_position"]["origin"] == "MXT-VHF"  # type: ignore[index]
    assert document["packets"]["missing"] == 2  # type: ignore[index]
    assert document["calibration"]["psf"] == "7"  # type: ignore[index]
    assert document["gp"]["reason"] == "HTTP 503 <busy>"  # type: ignore[index]


def test_times_are_utc_with_milliseconds() -> None:
    document = valid(report())
    assert document["trigger_time"] == "2026-05-11T11:00:32.123Z"
    assert all(re.fullmatch(r".{10}T.{8}\.\d{3}Z", entry["time"]) for entry in document["timeline"])  # type: ignore[attr-defined]


def test_same_input_gives_the_same_bytes_and_reads_back() -> None:
    assert report().to_json() == report().to_json()
    assert page_of(report()) == page_of(report())
    again = Report.model_validate_json(report().to_json())
    assert again.to_json() == report().to_json()


def test_number_that_is_not_finite_is_refused() -> None:
    broken = localisation(VHF).model_copy(update={"ts": float("nan")})
    with pytest.raises(Failure, match="report of sb26051102__1: Out of range float"):
        report().model_copy(update={"localisation": broken}).to_json()


def test_headline() -> None:
    assert report().headline == (
        "sb26051102 #1 · RA 14:10:00.00 Dec -12:43:48.0 · 212.5000 -12.7300 deg · "
        'R90 48.0" (stat 48.0", sys 0.0") · MXT-VHF photons · 40 photons T0+100 s to T0+178 s · '
        "consistent with ECLAIRs, 1.80' away"
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
    assert "No source was found in the VHF photons: the brightest excess is not significant." in made.warnings
    assert "not found" in page_of(made)


def test_no_position_at_all() -> None:
    bare = record(None, alert=notice("mxt-initial_qf1", 209, None), packets=None, localisation=None)
    made = report(bare, checked(), light=True)
    valid(made)
    assert (made.best_position, made.trigger_time, made.photons) == (None, None, None)
    assert "no position" in made.headline
    page = page_of(made)
    assert "No position with an error radius is at hand." in page
    assert "No packets were read." in page


def test_empty_photon_list() -> None:
    summary = photon_summary(photons(0))
    assert summary is not None
    assert (summary.count, summary.first) == (0, None)


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
    assert 'PRELIMINARY: before GP\'s analysis; the <a href="../report.html">' in page_of(early)


def test_a_replay_does_not_read_like_a_live_alert() -> None:
    replayed = report(record(is_replay=True, alert=notice("slewing", 204, ECLAIRS, role="test")))
    assert valid(replayed)["is_replay"] is True
    assert replayed.headline.startswith("TEST · REPLAY · sb26051102")
    assert '<div class="banner replay" role="alert">REPLAY</div>' in page_of(replayed)
    assert "REPLAY" not in page_of(report())


def test_what_earlier_steps_warn_of_is_told_once() -> None:
    made = report(record(warnings=("1 packet never came", "2 corrupt, not used: wrong CRC")))
    assert made.warnings[:2] == ("1 packet never came.", "2 corrupt, not used: wrong CRC.")
    assert not any("corrupt" in warning or "packet" in warning for warning in report().warnings)


def test_the_reference_gp_is_no_confirmation() -> None:
    same = position(Origin.GP, "reference service", -12.73, 48.0)
    gp = GpOutcome(available=True, process_id="42", position=same, is_reference=True)
    made = report(check=checked(ECLAIRS, VHF, same, gp=gp))
    assert made.best_position == VHF
    assert REFERENCE_GP in made.warnings
    assert "reference service, not independent" in page_of(made)
    assert REFERENCE_GP not in report().warnings


def test_no_product_leads_out_of_the_page() -> None:
    product = Product(path="javascript:alert(1)//é #?.fits", sha256="")
    page = page_of(report(record(products={"odd": product})))
    assert 'href="javascript%3Aalert%281%29//%C3%A9%20%23%3F.fits"' in page


def test_gp_missing_says_why_and_gp_available_says_so() -> None:
    assert "GP&#39;s result is missing: HTTP 503 &lt;busy&gt;" in page_of(report()).replace(
        "GP's", "GP&#39;s"
    )
    gp = GpOutcome(available=True, process_id="42", position=position(Origin.GP, "analysis", -12.73, 40.0))
    made = report(check=checked(ECLAIRS, VHF, position(Origin.GP, "analysis", -12.73, 40.0), gp=gp))
    assert "GP gave a result (process 42)." in page_of(made)


HOSTILE = "\"><script>alert(1)</script>&'"


def test_everything_shown_is_escaped() -> None:
    hostile = VHF.model_copy(update={"label": HOSTILE})
    run = record(
        hostile,
        run_id=HOSTILE,
        products={HOSTILE: Product(path=HOSTILE, sha256=HOSTILE)},
        timeline=(TimelineEntry(name=HOSTILE, time=T0),),
        alert=notice("eclairs-wakeup", 202, ECLAIRS, ivorn=HOSTILE, instrument=HOSTILE, notice_level=HOSTILE),
    )
    check = checked(ECLAIRS, hostile, gp=GpOutcome(available=False, reason=HOSTILE, process_id=HOSTILE))
    page = render_page(report(run, check), [sky_plot(check.positions, hostile)]).decode()
    assert "<script" not in page
    assert HOSTILE not in page


class Tags(HTMLParser):
    """The tags of a page with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_page_holds_its_plots_with_their_words_and_loads_nothing() -> None:
    plots = [sky_plot([ECLAIRS, VHF], VHF), detector_plot(photons(), localisation(VHF))]
    page = render_page(report(), plots).decode()
    tags = Tags(page).found
    images = [attributes for tag, attributes in tags if tag == "img"]
    assert [image["alt"] for image in images] == [plot.description for plot in plots]
    for image, plot in zip(images, plots, strict=True):
        start, _, content = (image["src"] or "").partition(",")
        assert start == "data:image/png;base64"
        assert b64decode(content) == plot.png
        assert (int(image["width"] or 0), int(image["height"] or 0)) == plot.size
        assert imread(BytesIO(plot.png)).shape[1::-1] == plot.size
    assert not {tag for tag, _ in tags} & {"link", "script", "iframe", "object", "embed", "svg", "base"}
    policy = next(attributes["content"] for _, attributes in tags if "http-equiv" in attributes)
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'")
    assert "url(" not in page
    assert "@import" not in page


def test_links_name_the_position() -> None:
    links = sky_links(VHF)
    assert list(links) == ["SIMBAD", "ESASky", "Aladin Lite"]
    assert all("212.500000%20-12.730000" in address for address in links.values())
    assert "Radius=48.0&Radius.unit=arcsec" in links["SIMBAD"]


def test_inconsistent_pairs_are_read_first() -> None:
    far = position(Origin.MXT_ONBOARD, "mxt-initial_qf1", -12.2, 100.0)
    made = report(check=checked(GRM, ECLAIRS, far, VHF))
    order = [pair.verdict for pair in pairs_by_weight(made)]
    assert order == ["inconsistent", "inconsistent", "consistent", "unclear", "unclear", "unclear"]
    assert sum("mxt-initial_qf1" in warning for warning in made.warnings) == 2


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(183.24, "+183.2 s"), (-12.0, "-12.0 s"), (7_200, "+2.0 h"), (172_800, "+2.0 d"), (7_199, "+7199.0 s")],
)
def test_latency_text(seconds: float, words: str) -> None:
    assert latency_text(seconds) == words


@given(st.lists(st.floats(-1e4, 1e5), min_size=1, max_size=50))
def test_binning_keeps_every_photon(times: list[float]) -> None:
    first, width, counts = binned(np.array(times))
    assert counts.sum() == len(times)
    assert len(counts) <= 32
    assert first <= min(times) + 1e-6
    assert first + width * len(counts) >= max(times) - 1e-6


def test_sky_shows_east_left_and_names_what_is_too_wide() -> None:
    east = VHF.model_copy(update={"ra_deg": 212.55, "label": "east"})
    plot = sky_plot([VHF, east, GRM], VHF)
    (axes,) = plot.figure.axes
    here, there = (axes.transData.transform(circle.get_center()) for circle in axes.patches)
    assert there[0] < here[0]
    assert there[1] == pytest.approx(here[1], abs=0.1)
    assert [circle.get_radius() for circle in axes.patches] == pytest.approx([0.8, 0.8])
    legend = [text.get_text() for text in reversed(plot.figure.texts)]
    assert legend == [
        'MXT-VHF photons, R90 48.0"',
        'MXT-VHF east, R90 48.0"',
        "GRM grm-trigger, no radius, too wide for this view",
    ]
    assert all(words in plot.description for words in legend)


def test_sky_shades_the_regions_where_they_are() -> None:
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
    words = "MXT-VHF 50 % and 90 % region, 1.96 arcmin²"
    assert words in [text.get_text() for text in plot.figure.texts]
    assert words in plot.description


def test_sky_tells_positions_apart_without_colour() -> None:
    others = [origin for origin in Origin if origin is not Origin.MXT_VHF]
    assert len({str(LINES[origin][1]) for origin in others}) == len(others)
    eclairs, ours = sky_plot([VHF, ECLAIRS], VHF).figure.artists
    assert ours.get_linewidth() > eclairs.get_linewidth()


@given(st.floats(-1e4, 1e4), st.floats(0.1, 1e4))
def test_scales_have_round_numbers_within_their_limits(low: float, width: float) -> None:
    scale = ticks_of(low + width, low)
    assert scale == ticks_of(low, low + width)
    assert 2 <= len(scale) <= 7
    assert all(low <= place <= low + width for place in scale)
    assert all(float(text.replace("\N{MINUS SIGN}", "-")) == pytest.approx(p) for p, text in scale.items())


def test_label_is_never_read_as_a_formula() -> None:
    odd = VHF.model_copy(update={"label": r"$\frac{$"})
    assert sky_plot([odd], odd).png.startswith(b"\x89PNG")


def test_closer_view_only_where_it_helps() -> None:
    assert zoom_half_width_arcmin([ECLAIRS, VHF], VHF) == pytest.approx(2.4)
    assert zoom_half_width_arcmin([VHF], VHF) is None
    assert zoom_half_width_arcmin([GRM, VHF], VHF) is None


def test_detector_shows_counts_source_and_hot_pixels() -> None:
    one = photons(1)
    many = PhotonList(*(np.repeat(column, 50) for column in (one.time, one.x + 60, one.y, one.pha)))
    both = PhotonList(
        *(np.concatenate([getattr(one, name), getattr(many, name)]) for name in ("time", "x", "y", "pha"))
    )
    hot = (int(many.x[0]), int(many.y[0]))
    plot = detector_plot(both, localisation(VHF).model_copy(update={"hot_pixels": (hot,)}))
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
        "Smoothed counts on the detector, 51 in all; source at column 140.0, row 110.0; "
        "1 hot pixels not used."
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


def test_same_plot_is_drawn_with_the_same_bytes() -> None:
    def drawn() -> list[bytes]:
        sky = sky_plot([ECLAIRS, VHF, GRM], VHF)
        detector = detector_plot(photons(), localisation(VHF))
        return [plot.png for plot in (sky, detector, light_curve_plot(photons(), 0.0, is_trigger=False))]

    assert drawn() == drawn()
    assert b"matplotlib" not in b"".join(drawn()).lower()
