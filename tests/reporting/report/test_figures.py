"""Figures are drawn after a report was written; its numbers are there before."""

from datetime import timedelta
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from mxtvhf.errors import Failure, InvalidInput
from mxtvhf.models.files import sha256_of
from mxtvhf.models.kept import read_kept
from mxtvhf.models.product import Product
from mxtvhf.reporting.report.figures import FIGURES, draw_figures, figure_path
from mxtvhf.reporting.report.model import Report
from mxtvhf.reporting.report.page import AWAITS_FIGURES
from mxtvhf.reporting.report.write import write_report
from support.reports import ECLAIRS, VHF, WRITTEN, checked, photons, record

OF_A_BURST = ["sky", "sky_zoom", "detector", "light_curve"]


class Images(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.alt = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        if tag == "img":
            self.alt.append(dict(attributes)["alt"])


@pytest.fixture
def written(tmp_path):
    """Write both reports of a run."""
    sent = photons()
    (tmp_path / "photons.npz").write_bytes(sent.to_bytes())
    digest = sha256_of((tmp_path / "photons.npz").read_bytes())
    run = record().model_copy(update={"products": {"photons": Product(path="photons.npz", sha256=digest)}})
    for status in ("preliminary", "final"):
        write_report(run, checked(ECLAIRS, VHF), status=status, photons=sent, out=tmp_path, written=WRITTEN)
    return tmp_path


def names_of(folder):
    report = read_kept(folder / "report.json", Report)
    return [name for name in FIGURES if figure_path(report, name)]


def test_a_report_is_complete_before_its_figures_are_drawn(written):
    page = (written / "report.html").read_text()
    assert AWAITS_FIGURES in page
    assert f"{VHF.ra_deg:.4f}" in page
    assert Images(page).alt == []
    assert not list(written.rglob("*.png"))


@pytest.mark.parametrize(("status", "below"), [("preliminary", "preliminary/"), ("final", "")])
def test_figures_are_put_into_the_page_and_beside_it(written, status, below):
    draw_figures(written, status)
    report, page = (
        read_kept(written / below / "report.json", Report),
        (written / below / "report.html").read_text(),
    )
    assert names_of(written / below) == OF_A_BURST
    assert AWAITS_FIGURES not in page
    assert len(Images(page).alt) == len(OF_A_BURST)
    for name in OF_A_BURST:
        png = (written / figure_path(report, name)).read_bytes()
        assert figure_path(report, name) == f"{below}{name}.png"
        with Image.open(BytesIO(png)) as image:
            assert image.info["Description"] in Images(page).alt
    other = written / ("report.html" if below else "preliminary/report.html")
    assert AWAITS_FIGURES in other.read_text()


def test_drawing_again_gives_the_same_page(written):
    draw_figures(written, "final")
    before = (written / "report.html").read_bytes()
    draw_figures(written, "final")
    assert (written / "report.html").read_bytes() == before


def test_a_new_report_removes_the_figures_of_the_one_before(written):
    draw_figures(written, "final")
    write_report(record(), checked(VHF), status="final", photons=None, out=written, written=WRITTEN)
    assert not list(written.glob("*.png"))
    assert AWAITS_FIGURES in (written / "report.html").read_text()


def test_figures_of_a_replaced_report_are_not_put_into_the_new_page(written, monkeypatch):
    def replaced(*_):
        later = WRITTEN + timedelta(seconds=1)
        write_report(record(), checked(VHF), status="final", photons=None, out=written, written=later)
        return b"page with old figures"

    monkeypatch.setattr("mxtvhf.reporting.report.figures.render_page", replaced)
    with pytest.raises(Failure, match=r"report\.json: replaced while its figures were drawn"):
        draw_figures(written, "final")
    assert AWAITS_FIGURES in (written / "report.html").read_text()
    assert not list(written.glob("*.png"))


def test_damaged_photons_leave_the_numbers(written):
    (written / "photons.npz").write_bytes(b"torn")
    with pytest.raises(InvalidInput, match=r"photons\.npz"):
        draw_figures(written, "final")
    assert f"{VHF.ra_deg:.4f}" in (written / "report.html").read_text()


def test_an_older_report_keeps_its_figures(written):
    report = read_kept(written / "report.json", Report)
    drawn = Product(path="preliminary/detector.png", sha256="ab" * 32)
    older = report.model_copy(update={"products": report.products | {"plot_detector": drawn}})
    assert figure_path(older, "detector") == "preliminary/detector.png"


def test_without_photons_there_is_no_figure_of_them(tmp_path):
    write_report(record(), checked(VHF), status="final", photons=None, out=tmp_path, written=WRITTEN)
    assert "detector" not in names_of(tmp_path)
    assert np.all([(tmp_path / name).exists() for name in ("report.json", "report.html")])
