import hashlib
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest

from mxtvhf.crosscheck.model import CrossCheck, GpOutcome
from mxtvhf.events.photons import PhotonList
from mxtvhf.models.kept import read_kept
from mxtvhf.models.position import Origin
from mxtvhf.models.product import Product
from mxtvhf.reporting.report.figures import FIGURES, figure_path
from mxtvhf.reporting.report.model import Report, ReportProducts, RunRecord
from mxtvhf.workflow.steps.crosscheck_positions import crosscheck_positions
from mxtvhf.workflow.steps.preliminary_report import preliminary_report
from mxtvhf.workflow.steps.update_ba import update_ba
from support.alerts import alert_of
from support.positions import localisation_of, place

WRITTEN = datetime(2026, 3, 7, 13, 51, 10, tzinfo=UTC)
NO_GP = GpOutcome(available=False, reason="GP failed: no attitude")
PHOTONS = PhotonList(
    time=np.array([2.9e8, 2.9e8 + 0.1, 2.9e8 + 40.0]),
    x=np.array([10, 120, 121], dtype=np.int16),
    y=np.array([200, 130, 131], dtype=np.int16),
    pha=np.array([300, 400, 500], dtype=np.int32),
)


ALERT = alert_of(
    "sb26030704",
    "eclairs-wakeup",
    datetime(2026, 3, 7, 13, 46, 20, tzinfo=UTC),
    position=place(155.5, -21.0, 480.0, Origin.ECLAIRS, "eclairs-wakeup"),
)
FOUND = localisation_of(
    place(155.5, -21.0, 48.0, label="photons"),
    r50_arcsec=20.0,
    detector_x=120.4,
    detector_y=130.6,
    ts=60.0,
    n_photons=3,
    n_source=2.0,
    n_background=1.0,
)
RUN = RunRecord(
    run_id="sb26030704__1",
    sequence=1,
    alert=ALERT,
    localisation=FOUND,
    products={"event_file": Product(path="events.fits", sha256="ab" * 32)},
)


def final(out: Path, run: RunRecord = RUN, photons: PhotonList | None = PHOTONS) -> ReportProducts:
    check = crosscheck_positions((run.alert, *run.related), run.localisation, NO_GP)
    return update_ba(run, check, photons=photons, out=out, written=WRITTEN)


def test_final_report_lists_its_files_with_their_hashes(tmp_path: Path) -> None:
    products = final(tmp_path)
    assert products.best_position == FOUND.position
    files = [products.json_file, products.html_file]
    assert {file.path for file in files} == {path.name for path in tmp_path.iterdir()}, "figures come later"
    for file in files:
        assert hashlib.sha256((tmp_path / file.path).read_bytes()).hexdigest() == file.sha256
    document = json.loads((tmp_path / "report.json").read_bytes())
    assert document["status"] == "final"
    assert document["gp"]["reason"] == "GP failed: no attitude"
    assert list(document["products"]) == ["event_file"]


def test_preliminary_report_stays_beside_the_final_one(tmp_path: Path) -> None:
    early = preliminary_report(RUN, photons=PHOTONS, out=tmp_path, written=WRITTEN)
    kept = (tmp_path / early.json_file.path).read_bytes()
    final(tmp_path)
    assert early.json_file.path == "preliminary/report.json"
    assert (tmp_path / "preliminary/report.json").read_bytes() == kept
    document = json.loads(kept)
    assert document["status"] == "preliminary"
    assert document["best_position"]["label"] == "photons"
    assert document["gp"] == {
        "available": False,
        "progress": "running",
        "reason": "the preliminary report does not wait for GP",
        "process_id": None,
        "position": None,
        "is_reference": False,
    }


def linked(page: Path) -> set[Path]:
    """The files that a page's relative links lead to."""
    addresses = re.findall(r'href="([^"]+)"', page.read_text())
    return {
        (page.parent / unquote(address)).resolve()
        for address in addresses
        if not address.startswith("https:")
    }


def test_every_product_is_linked_from_both_pages(tmp_path: Path) -> None:
    (tmp_path / "events.fits").write_bytes(b"")
    preliminary_report(RUN, photons=PHOTONS, out=tmp_path, written=WRITTEN)
    final(tmp_path)
    folder = tmp_path / "preliminary"
    event = tmp_path / "events.fits"
    early = linked(folder / "report.html")
    assert early == {event, folder / "report.json", tmp_path / "report.html"}
    late = linked(tmp_path / "report.html")
    assert late == {event, tmp_path / "report.json"}
    assert all(path.is_file() for path in early | late)


def test_running_the_step_again_gives_the_same_files(tmp_path: Path) -> None:
    first = final(tmp_path)
    assert final(tmp_path) == first
    assert not list(tmp_path.glob(".*"))


def figures_of(folder: Path) -> set[str]:
    report = read_kept(folder / "report.json", Report)
    return {name for name in FIGURES if figure_path(report, name)}


def test_without_photons_and_without_detection(tmp_path: Path) -> None:
    unseen = FOUND.model_copy(
        update={
            "detected": False,
            "position": None,
            "detector_x": None,
            "detector_y": None,
            "reason": "faint",
        }
    )
    products = final(tmp_path, RUN.model_copy(update={"localisation": unseen}), photons=None)
    assert products.best_position == ALERT.position
    assert figures_of(tmp_path) == {"sky"}
    assert "No source was detected in the VHF photons: faint." in (tmp_path / "report.html").read_text()


def test_input_may_come_as_json(tmp_path: Path) -> None:
    check = crosscheck_positions((ALERT,), FOUND, NO_GP)
    again = update_ba(
        RunRecord.model_validate_json(RUN.model_dump_json()),
        CrossCheck.model_validate_json(check.model_dump_json()),
        photons=PHOTONS,
        out=tmp_path / "again",
        written=WRITTEN,
    )
    assert again == final(tmp_path / "first")


def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="file"):
        final(tmp_path / "file")
