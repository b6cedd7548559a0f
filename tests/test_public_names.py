"""What a notebook imports from ``mxtvhf`` itself."""

import subprocess
import sys

import pytest

import mxtvhf


def modules_after(statement):
    """Names of the packages that a new Python has loaded after a statement."""
    code = f"{statement}\nimport sys\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()


def test_the_package_alone_loads_no_library():
    assert not {"numpy", "scipy", "astropy", "pydantic", "lxml"} & {*modules_after("import mxtvhf")}


@pytest.mark.parametrize("name", mxtvhf.__all__)
def test_every_public_name_can_be_loaded(name):
    assert getattr(mxtvhf, name).__doc__


def test_a_name_that_does_not_exist_is_an_error():
    with pytest.raises(AttributeError, match="localize"):
        mxtvhf.localize  # noqa: B018


@pytest.mark.slow
def test_localise_stays_under_its_names_whatever_is_imported_first():
    for first in ("mxtvhf.localisation.position", "mxtvhf.localisation", "mxtvhf"):
        code = (
            f"import {first}\nfrom mxtvhf.localisation import localise\nimport mxtvhf\n"
            "assert callable(localise)\nassert localise is mxtvhf.localise"
        )
        subprocess.run([sys.executable, "-c", code], check=True)


def test_the_psf_stays_under_its_name():
    from mxtvhf.psf import LobsterEyePsf

    assert LobsterEyePsf is mxtvhf.LobsterEyePsf
