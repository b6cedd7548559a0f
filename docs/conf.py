"""How Sphinx builds the documentation: ``make docs``. No page loads anything from another server."""

import sys
from pathlib import Path

from mxtvhf import __version__

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

project = "MXT-VHF"
author = "MXT-VHF contributors"
project_copyright = author
version = release = __version__
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.apidoc",
    "numpydoc",
    "command_reference",
    "mathml",
]
templates_path = ["templates"]
exclude_patterns = ["extensions", "templates"]

# Markdown, and the notebook: executed by `make docs`, not by the tests, which run it by themselves.
myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 4
nb_execution_mode = "force"
nb_execution_timeout = 120
nb_execution_raise_on_error = True

# The API from the docstrings: a page for each room that a notebook or a program imports. The tag `pages`
# leaves it out, for a quick look at the other pages.
OTHER_ROOMS = ("cli", "desk", "intake", "notification", "operation")
apidoc_modules = [
    {
        "path": "../mxtvhf",
        "destination": "reference/generated/api",
        "exclude_patterns": [f"../mxtvhf/{room}" for room in OTHER_ROOMS],
        "max_depth": 2,
        "module_first": True,
        "automodule_options": {"members"},
    }
]
if "pages" in tags:  # noqa: F821 - Sphinx gives this name to the file
    apidoc_modules = []
    exclude_patterns.append("reference/generated/api")
autodoc_member_order = "bysource"
maximum_signature_line_length = 88
python_use_unqualified_type_names = True
numpydoc_show_class_members = False

# Links are checked, except those to the types of other packages, whose pages are on other servers.
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(?!mxtvhf\.).*")]

html_theme = "furo"
html_title = f"MXT-VHF {release}"
html_math_renderer = "mathml"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
