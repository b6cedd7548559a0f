"""The example notebook of the documentation runs in a Jupyter kernel and gives right results."""

import json
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from mxtvhf.models.angles import separation_arcsec
from support.project import PROJECT

NOTEBOOK = PROJECT / "docs" / "tutorials" / "notebook.ipynb"
RESULTS = """
json.dump(
    {
        "truth": truth,
        "pixel": [found.x, found.y],
        "r90_pixel": posterior.radii([0.9]).tolist(),
        "localisation": localisation.model_dump(mode="json"),
        "spectrum": spectrum.model_dump(mode="json"),
        "decay": decay.model_dump(mode="json"),
        "products": sorted(path.name for path in folder.iterdir()),
    },
    open("results.json", "w"),
)
"""


@pytest.fixture(scope="module")
def notebook() -> nbformat.NotebookNode:
    return nbformat.read(NOTEBOOK, as_version=4)


@pytest.fixture(scope="module")
def executed(notebook, tmp_path_factory):
    """Execute the notebook with one more cell, which writes its variables to a file."""
    folder: Path = tmp_path_factory.mktemp("notebook")
    copy = nbformat.from_dict(notebook)
    copy.cells.append(nbformat.v4.new_code_cell(RESULTS))
    with pytest.MonkeyPatch.context() as patch:
        for name in ("TMPDIR", "IPYTHONDIR", "JUPYTER_RUNTIME_DIR"):
            patch.setenv(name, str(folder))
        patch.delenv("MPLBACKEND", raising=False)
        patch.setenv("PYTHONPATH", str(PROJECT))
        NotebookClient(
            copy, timeout=600, kernel_name="python3", resources={"metadata": {"path": folder}}
        ).execute()
    return copy, json.loads((folder / "results.json").read_text())


def test_it_is_kept_without_outputs(notebook):
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code)


@pytest.mark.slow
def test_its_plots_are_drawn_and_nothing_is_written_to_stderr(executed):
    outputs = [output for cell in executed[0].cells for output in cell.get("outputs", ())]
    assert sum("image/png" in output.get("data", ()) for output in outputs) == 4
    assert not [output.text for output in outputs if output.get("name") == "stderr"]


@pytest.mark.slow
def test_the_burst_is_found_within_its_error_radius(executed):
    _, results = executed
    truth, found = results["truth"], results["localisation"]
    position = found["position"]
    offset = separation_arcsec(position["ra_deg"], position["dec_deg"], truth["ra_deg"], truth["dec_deg"])
    assert offset < position["r90_arcsec"] < 120.0
    dx, dy = results["pixel"][0] - truth["detector_x"], results["pixel"][1] - truth["detector_y"]
    assert dx**2 + dy**2 < results["r90_pixel"][0] ** 2


@pytest.mark.slow
def test_both_sources_are_listed_and_the_burst_is_the_one_that_fades(executed):
    _, results = executed
    (steady,) = results["truth"]["sources"]
    burst, other = results["localisation"]["sources"]
    assert results["localisation"]["chosen"] == burst["name"]
    position = other["position"]
    offset = separation_arcsec(position["ra_deg"], position["dec_deg"], steady["ra_deg"], steady["dec_deg"])
    assert offset < position["r90_arcsec"]
    assert burst["decay_index"] > 0.9 > 0.5 > other["decay_index"]


@pytest.mark.slow
def test_the_fitted_spectrum_and_decay_agree_with_the_simulated_ones(executed):
    _, results = executed
    truth, spectrum = results["truth"], results["spectrum"]
    assert spectrum["trusted"]
    fitted = {
        "photon_index": spectrum["photon_index_90"],
        "flux": spectrum["flux_90"],
        "decay": results["decay"]["index_90"],
    }
    for name, one in fitted.items():
        low, high = one["value"] - one["error_low"], one["value"] + one["error_high"]
        assert low < truth[name] < high, name
    assert {"events.fits", "spectrum.pha", "mxt.arf", "mxt.rmf"} <= set(results["products"])
