"""A burst that the real chain has processed, and reports laid into the products of runs."""

import json
import shutil

import pytest

from mxtvhf.archive.products import product_folder
from mxtvhf.settings import Settings
from mxtvhf.simulator.scenario import scenario_of, write_scenario
from mxtvhf.workflow.local import process_burst
from support.browser import chromium
from support.desk import BURST


@pytest.fixture(scope="session")
def processed(tmp_path_factory):
    """The product folder of a burst, made by the real chain."""
    folder = tmp_path_factory.mktemp("burst")
    write_scenario(scenario_of(BURST, seed=3), folder / "input")
    process_burst(folder / "input" / "alert.xml", folder / "input" / "packets.bin", folder / "products")
    return folder


@pytest.fixture(scope="module")
def browser():
    """A browser for the tests of a module: while Playwright runs, no other event loop can."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def settings(tmp_path):
    return Settings(state=tmp_path)


@pytest.fixture
def put(settings, processed):
    """Lay a report with some changes into the products of a run; ``status`` decides where."""

    def lay(run_id, status="final", **changes):
        folder = product_folder(settings.products, BURST, run_id)
        if not folder.exists():
            shutil.copytree(processed / "products", folder)
            (folder / "report.json").unlink()
            (folder / "preliminary" / "report.json").unlink()
        report = json.loads((processed / "products" / "report.json").read_text())
        report |= {"run_id": run_id, "status": status, "is_test": False, **changes}
        own = "report.json" if status == "final" else "preliminary/report.json"
        (folder / own).write_text(json.dumps(report))
        return report

    return lay
