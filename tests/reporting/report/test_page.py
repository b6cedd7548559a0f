from base64 import b64decode
from html.parser import HTMLParser
from io import BytesIO

import pytest
from matplotlib.image import imread

from mxtvhf.catalogues.model import CatalogueAnswer, CatalogueSource
from mxtvhf.crosscheck.crosscheck import crosscheck
from mxtvhf.crosscheck.model import GpOutcome, MeasuredFlux
from mxtvhf.models.position import Origin
from mxtvhf.models.product import Product
from mxtvhf.models.times import TimelineEntry
from mxtvhf.reporting.report.page import latency_text, pairs_by_weight, render_page, sky_links
from mxtvhf.reporting.report.plots import detector_plot
from mxtvhf.reporting.report.sky_plot import sky_plot
from support.reports import (
    ECLAIRS,
    GRM,
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

NO_GP = GpOutcome(available=False, reason="HTTP 503")
HOSTILE = "\"><script>alert(1)</script>&'"


def test_no_product_leads_out_of_the_page() -> None:
    product = Product(path="javascript:alert(1)//é #?.fits", sha256="")
    page = page_of(report(record(products={"odd": product})))
    assert 'href="javascript%3Aalert%281%29//%C3%A9%20%23%3F.fits"' in page


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


def test_the_page_contains_its_plots_with_descriptions_and_loads_nothing() -> None:
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
    [(183.24, "+183.2 s"), (-12.0, "-12.0 s"), (7_200, "+2.0 h"), (172_800, "+2.0 d"), (7_199, "+7199 s")],
)
def test_latency_text(seconds: float, words: str) -> None:
    assert latency_text(seconds) == words


def test_a_match_may_have_a_flux_ratio() -> None:
    answer = CatalogueAnswer(
        catalogue="cat",
        checked=True,
        ra_deg=VHF.ra_deg,
        dec_deg=VHF.dec_deg,
        radius_arcsec=96.0,
        density_per_deg2=1.0,
        sources=(
            CatalogueSource(
                catalogue="cat",
                name="S",
                ra_deg=VHF.ra_deg,
                dec_deg=VHF.dec_deg,
                r90_arcsec=5.0,
                flux=1e-12,
                flux_band_kev=(0.3, 10.0),
                reference="a test",
            ),
        ),
    )
    flux = MeasuredFlux(label=VHF.label, flux=2.3e-11, relative_error=0.2, band_kev=(0.3, 10.0))
    for fluxes, shown in (((flux,), '"right number">23</td>'), ((), '"right number">-</td>')):
        check = crosscheck((ECLAIRS, VHF), [], NO_GP, catalogues=[answer], fluxes=fluxes)
        made = report(check=check)
        valid(made)
        assert f'data-label="Flux ratio" class={shown}' in page_of(made)


def test_the_headline_says_that_eclairs_circle_found_the_source() -> None:
    made = report(check=crosscheck((ECLAIRS, VHF), [], NO_GP, uses_eclairs=True))
    assert "not independent of ECLAIRs (1.80' away)" in made.headline
