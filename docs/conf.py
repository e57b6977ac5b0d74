"""Settings of the documentation."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # for sg_reset

import sklearn_robust

project = "sklearn_robust"
author = "The sklearn_robust developers"
copyright = f"2026, {author}"
version = release = sklearn_robust.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"sklearn_robust {version}"

# One page for each name in a package's __all__; see _templates/autosummary.
autosummary_ignore_module_all = False
autosummary_imported_members = True
autodoc_typehints = "none"  # the docstrings name the types

# Inherited methods are listed by name in the class template: the texts of scikit-learn and
# skorch behind them refer to labels of their own pages.
numpydoc_show_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "backreferences_dir": "generated/backreferences",
    "doc_module": "sklearn_robust",
    "reference_url": {"sklearn_robust": None},
    "abort_on_example_error": True,
    "reset_modules": ("matplotlib", "sg_reset.seed"),
    "show_signature": False,
}
