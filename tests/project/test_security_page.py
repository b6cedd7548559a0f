"""The threats of docs/explanation/security.md and the tests that it names; the bill of materials."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.project import PROJECT

PAGE = (PROJECT / "docs" / "explanation" / "security.md").read_text()
THREATS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE.split("## Threats")[1].split("\n\n")[1].splitlines()[2:]
]


@pytest.mark.parametrize("row", THREATS, ids=lambda row: row[1][:60])
def test_every_threat_names_a_test_that_exists(row):
    assert len(row) == 4
    assert all(row)
    (name,) = re.findall(r"^`(tests/\S+)`", row[3])
    file, test = name.split("::")
    assert re.search(rf"^(async )?def {test}\(", (PROJECT / file).read_text(), re.MULTILINE), name


def test_all_entries_of_the_threat_model_are_there():
    assert len(THREATS) > 40
    words = " ".join(" ".join(row) for row in THREATS)
    for threat in (
        "XML bomb",
        "gzip bomb",
        "SSRF",
        "template injection",
        "header injection",
        "nested",
        "forged",
    ):
        assert threat in words


def test_the_bill_of_materials_names_what_is_pinned(tmp_path):
    out = tmp_path / "sbom.json"
    options = ["--no-validate", "--output-reproducible", "--output-file", str(out)]
    program = [str(Path(sys.prefix) / "sbom" / "bin" / "cyclonedx-py"), "requirements"]
    subprocess.run([*program, *options, str(PROJECT / "requirements.txt")], check=True, capture_output=True)
    found = {(part["name"], part["version"]) for part in json.loads(out.read_text())["components"]}
    pins = re.findall(
        r"^([\w.-]+)(?:\[.*\])?==(\S+)", (PROJECT / "requirements.txt").read_text(), re.MULTILINE
    )
    assert found == set(pins)
