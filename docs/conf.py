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

# The API from the docstrings: reference/api.md.
autodoc_member_order = "bysource"
maximum_signature_line_length = 88
python_use_unqualified_type_names = True
numpydoc_show_class_members = False

# All links are checked, except those from a signature to a type, which has a page only if it is public.
nitpicky = True
nitpick_ignore_regex = [("py:.*", ".*")]

html_theme = "furo"
html_title = f"MXT-VHF {release}"
html_math_renderer = "mathml"
html_copy_source = False
html_show_sphinx = False
