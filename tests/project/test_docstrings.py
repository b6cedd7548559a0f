"""Every public name has a docstring in numpydoc's form; in the science it explains every parameter."""

import pytest
from numpydoc.hooks.validate_docstrings import process_file

from support.project import PROJECT

FORM = {
    "GL02", "GL03", "GL05", "GL06", "GL07", "GL08",  # layout and order of the sections; a docstring is there
    "SS02", "SS03",  # the summary begins with a capital and ends with a full stop
    "PR02",  # a section Parameters has no parameters that the signature does not have
}  # fmt: skip
ALL_PARAMETERS = "PR01"
SCIENCE = (
    "analysis", "catalogues", "crosscheck", "events", "instrument", "localisation", "simulator", "telemetry",
    "workflow",
)  # fmt: skip
"""Rooms whose functions are called from notebooks: every parameter has its meaning, unit and frame."""
ROOMS = sorted(path.name for path in (PROJECT / "mxtvhf").iterdir() if (path / "__init__.py").is_file())


def is_private(name):
    """Return whether a name, with that of its module, is private or inside of a function."""
    parts = name.split(".")
    return any(part.startswith("_") for part in parts) or any(part[0].islower() for part in parts[1:-1])


@pytest.mark.parametrize("room", ROOMS)
def test_public_docstrings_are_complete(room):
    checks = FORM | ({ALL_PARAMETERS} if room in SCIENCE else set())
    options = {"checks": checks, "exclude": set(), "overrides": {}, "exclude_files": set()}
    missing = []
    for path in sorted((PROJECT / "mxtvhf" / room).rglob("*.py")):
        if path.name.startswith("_") and path.name != "__init__.py":
            continue
        missing += [
            f"{place} {name}: {code} {text}"
            for place, name, code, text in process_file(str(path), options)
            if not is_private(name)
        ]
    assert missing == []
