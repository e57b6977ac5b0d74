"""What a user can type: every public name is there, documented, and cheap to import."""

import importlib
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest
from numpydoc.validate import validate

import sklearn_robust

INTERNAL = {"cli", "report"}  # reached by the command, not by import
PACKAGES = ["sklearn_robust"] + [
    f"sklearn_robust.{module.name}"
    for module in pkgutil.iter_modules(sklearn_robust.__path__)
    if not module.name.startswith("_") and module.name not in INTERNAL
]
NAMES = [
    f"{package}.{name}"
    for package in PACKAGES
    for name in importlib.import_module(package).__all__
    if not name.startswith("__")
]
TYPED = [name for name in NAMES if not name.startswith("sklearn_robust.exceptions.")]

# numpydoc's codes: https://numpydoc.readthedocs.io/en/latest/validation.html
FAULTS = {
    "GL06",  # a section of an unknown name
    "GL07",  # sections in the wrong order
    "GL08",  # no docstring
    "PR02",  # a parameter that the signature lacks
    "PR03",  # parameters in another order than the signature's
    "PR10",  # no space before the colon of a parameter
    "SS01",  # no summary
    "SS03",  # a summary without a full stop
}


def faults(thing):
    """List what numpydoc finds wrong with a docstring."""
    found = [f"{code} {text}" for code, text in validate(thing)["errors"] if code in FAULTS]
    # numpydoc takes any first parameter of this name for that of a class method.
    return [fault for fault in found if fault != "PR02 Unknown parameters {'cls'}"]


def documented(name):
    """List the things a reader looks up: the object, and the public methods of a class."""
    module, _, last = name.rpartition(".")
    thing = getattr(importlib.import_module(module), last)
    if inspect.isclass(thing):
        return [name] + [
            f"{name}.{method}"
            for method, value in vars(thing).items()
            if not method.startswith("_") and (callable(value) or isinstance(value, property))
        ]
    return [name]


@pytest.mark.parametrize("package", PACKAGES)
def test_the_list_of_public_names_is_sorted_and_true(package):
    module = importlib.import_module(package)
    assert list(module.__all__) == sorted(set(module.__all__))
    assert [name for name in module.__all__ if not hasattr(module, name)] == []
    assert module.__doc__


@pytest.mark.parametrize("name", NAMES)
def test_public_names_are_documented(name):
    assert {thing: faults(thing) for thing in documented(name) if faults(thing)} == {}


@pytest.mark.parametrize("name", TYPED)
def test_public_names_have_an_example(name):
    module, _, last = name.rpartition(".")
    thing = getattr(importlib.import_module(module), last)
    assert "Examples\n" in inspect.getdoc(thing)


@pytest.mark.parametrize("package", [package for package in PACKAGES if "." in package])
def test_packages_are_in_the_documentation(package):
    page = Path(__file__).parents[1] / "docs" / "api.rst"
    assert package in page.read_text(encoding="utf-8").split()


def test_imports_are_light():
    """A fresh interpreter that imports every package has loaded neither library."""
    script = f"import sys, {', '.join(PACKAGES)}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not {"matplotlib", "torchvision"} & set(done.stdout.split())
