"""Opening a report draws its figures once; a failure leaves the page readable."""

import pytest

from mxtvhf.archive.products import product_folder
from mxtvhf.desk.figures import awaits_figures, draw, figure
from mxtvhf.models.files import sha256_of
from mxtvhf.models.product import Product
from mxtvhf.reporting.report.write import write_report
from support.reports import ECLAIRS, VHF, WRITTEN, checked, photons, record

BURST, RUN = "sb26030704", "sb26030704__1"


@pytest.fixture
def folder(tmp_path):
    """Write the final report of a run."""
    out, sent = product_folder(tmp_path, BURST, RUN), photons()
    out.mkdir(parents=True)
    (out / "photons.npz").write_bytes(sent.to_bytes())
    digest = sha256_of(sent.to_bytes())
    run = record().model_copy(update={"products": {"photons": Product(path="photons.npz", sha256=digest)}})
    write_report(run, checked(ECLAIRS, VHF), status="final", photons=sent, out=out, written=WRITTEN)
    return out


def test_a_requested_figure_is_drawn(tmp_path, folder):
    assert not (folder / "detector.png").exists()
    assert figure(tmp_path, RUN, "detector.png") == folder / "detector.png"
    assert not awaits_figures(folder / "report.html")


@pytest.mark.parametrize(
    "name", ["../detector.png", "preliminary/sky.png", "other.png", "photons.npz", "a\0.png"]
)
def test_no_other_file_is_drawn(tmp_path, folder, name):
    assert figure(tmp_path, RUN, name) is None
    assert not list(folder.glob("*.png"))


def test_a_failure_is_logged_once_and_leaves_the_numbers(folder, caplog):
    (folder / "photons.npz").write_bytes(b"torn")
    page = folder / "report.html"
    before = page.read_bytes()
    draw(page)
    draw(page)
    assert [line.message for line in caplog.records if "figures not drawn" in line.message] == [
        f"{page}: figures not drawn"
    ]
    assert page.read_bytes() == before
    assert not awaits_figures(page)
