"""The README's Python runs as a reader would type it."""

import re

import pytest

from mxtvhf import process_burst, scenario_of, write_scenario
from support.project import PROJECT

SNIPPETS = re.findall(r"```python\n(.*?)```", (PROJECT / "README.md").read_text(), re.DOTALL)


@pytest.mark.slow
def test_the_notebook_examples_run_on_a_processed_burst(tmp_path, capsys):
    write_scenario(scenario_of("sb26030704", seed=7), str(tmp_path))
    process_burst(str(tmp_path / "alert.xml"), str(tmp_path / "packets.bin"), str(tmp_path / "products"))
    names = {}
    for snippet in SNIPPETS:
        exec(snippet.replace("/tmp/products", f"{tmp_path}/products"), names)  # noqa: S102
    assert len(SNIPPETS) == 2
    assert names["sharper"].r90 < names["found"].r90
    assert len(capsys.readouterr().out.splitlines()) == 2
