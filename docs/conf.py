"""Settings of the documentation."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # for sg_reset

import sklearn_robust
from sklearn_robust.cli import _make_parser

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


def write_commands(app):
    """Write the help of every command to a file that the page of the command includes."""
    parser = _make_parser()
    commands = next(action for action in parser._actions if action.dest == "command").choices
    lines = []
    for name, command in commands.items():
        command.prog = f"sklearn-robust {name}"
        text = [f"   {line}".rstrip() for line in command.format_help().splitlines()]
        lines += [name, "-" * len(name), "", "::", "", *text, ""]
    folder = Path(app.srcdir) / "generated"
    folder.mkdir(exist_ok=True)
    (folder / "commands.txt").write_text("\n".join(lines), encoding="utf-8")


def setup(app):
    """Call ``write_commands`` before the pages are read."""
    app.connect("builder-inited", write_commands)
