"""The version stands in one place, ``mxtvhf.__version__``; files that no tool fills in follow it."""

import re

import pytest

from mxtvhf import __version__
from support.project import PROJECT


@pytest.mark.parametrize(
    ("file", "pattern"),
    [
        ("docker-compose.yaml", r"mxt-vhf:(\S+)"),
        ("deploy/kubernetes/services.yaml", r"mxt-vhf:(\S+)"),
        ("deploy/kubernetes/values.yaml", r'repository: mxt-vhf, tag: "([^"]+)"'),
        ("docs/how-to/deploy.md", r"mxt-vhf:([\w.]+)"),
        ("CITATION.cff", r"(?m)^version: (\S+)$"),
    ],
)
def test_a_file_names_this_version(file, pattern):
    named = re.findall(pattern, (PROJECT / file).read_text())
    assert named
    assert set(named) == {__version__}


def test_the_changelog_begins_with_this_version():
    (newest, *_) = re.findall(r"(?m)^## (\S+)", (PROJECT / "CHANGELOG.md").read_text())
    assert newest == __version__
