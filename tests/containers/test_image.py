"""The image of every service except PostgreSQL."""

import json

import pytest
import yaml

from containers.installation import docker
from support.project import PROJECT

LARGEST_BYTES = 700e6


@pytest.fixture(scope="module")
def image():
    return yaml.safe_load((PROJECT / "docker-compose.yaml").read_text())["x-service"]["image"]


def run(image, *command, user="mxtvhf"):
    options = ("--rm", "--network", "none", "--read-only", "--tmpfs", "/tmp", "--user", user)
    return docker("run", *options, "--entrypoint", command[0], image, *command[1:])


def test_it_is_small_and_its_user_is_not_root(image):
    (found,) = json.loads(docker("image", "inspect", image))
    assert found["Config"]["User"] == "mxtvhf"
    assert found["Size"] <= LARGEST_BYTES


def test_no_program_has_a_setuid_bit(image):
    assert run(image, "find", "/", "-xdev", "-type", "f", "-perm", "/6000", user="root") == ""


def test_all_python_code_is_compiled_and_readable(image):
    script = (
        "import sys; from importlib.util import cache_from_source; from pathlib import Path\n"
        "for folder in ('/opt/venv', '/opt/mxtvhf/plugins', '/opt/mxtvhf/dags'):\n"
        "    for path in Path(folder).rglob('*.py'):\n"
        "        if not Path(cache_from_source(path)).exists(): print(path)"
    )
    missing = run(image, "python", "-c", script).split()
    assert not [name for name in missing if "mxtvhf" in name or "/dags/" in name]
    assert len(missing) < 20, "code for other versions of Python"
    assert run(image, "find", "/opt", "!", "-readable") == ""


def test_the_package_is_installed_once(image):
    assert len(run(image, "find", "/", "-xdev", "-path", "*/mxtvhf/settings.py", user="root").split()) == 1


def test_stripped_libraries_can_be_loaded(image):
    script = (
        "import numpy, scipy.optimize, scipy.special, scipy.ndimage, lxml.etree, psycopg2, astropy.wcs\n"
        "import matplotlib.pyplot, confluent_kafka, cryptography.x509, nacl.bindings, grpc, uvloop\n"
        "print(numpy.linalg.svd(numpy.eye(3))[1].sum())\n"
    )
    assert "3.0" in run(image, "python", "-c", script)
