"""The documentation site: it builds without a warning and loads nothing from another server."""

import base64
import hashlib
import re
import subprocess
import sys

import pytest

import mxtvhf
from mxtvhf_airflow.web.manual import HEADERS
from support.project import PROJECT


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Build the site without the notebook's outputs, because another test runs the notebook."""
    folder = tmp_path_factory.mktemp("docs")
    built = subprocess.run(
        [
            sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-D", "nb_execution_mode=off",
            "-d", str(folder / "doctrees"), str(PROJECT / "docs"), str(folder / "site"),
        ],
        cwd=PROJECT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    return folder / "site"


@pytest.mark.slow
def test_the_site_builds_without_a_warning(site):
    """A warning is a dead link, a page without links to it, or an invalid docstring."""
    for page in (
        "index",
        "tutorials/index",
        "reference/generated/cli",
        "reference/api",
    ):
        assert (site / f"{page}.html").is_file()


def test_the_api_page_has_every_public_name():
    page = (PROJECT / "docs" / "reference" / "api.md").read_text()
    assert set(re.findall(r"auto(?:function|class):: (\w+)", page)) == set(mxtvhf.__all__)


@pytest.mark.slow
def test_no_page_loads_anything_from_another_server_or_breaks_the_policy(site):
    policy = HEADERS["Content-Security-Policy"]
    for path in site.rglob("*.html"):
        if "_downloads" in path.parts:
            continue
        page = path.read_text()
        assert not re.findall(r'<(?:script|img|iframe)[^>]*\bsrc="(?:https?:)?//', page), path
        assert not re.findall(r'<link[^>]*\bhref="(?:https?:)?//', page), path
        for script in re.findall(r"<script>(.*?)</script>", page, re.DOTALL):
            digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
            assert f"'sha256-{digest}'" in policy, path
