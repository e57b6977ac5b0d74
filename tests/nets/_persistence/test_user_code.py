"""The code of a user in checkpoints: what may change and resume, and what may not."""

import importlib.util
import sys
import textwrap

import pytest

from sklearn_robust import NaturalNet
from sklearn_robust.nets._persistence.user_code import UserCode, is_library, name_of
from tests.cases import Linear, blobs, quick, same_weights

X, Y = blobs()

ORIGINAL = '''
"""A module of a user."""
from torch import nn

SCALE = 2.0


def helper(z):
    """Scale."""
    return z * SCALE


class Net(nn.Linear):
    """A net."""

    def __init__(self):
        super().__init__(4, 2)

    def forward(self, x):
        """Logits."""
        return helper(super().forward(x))  # scaled


def shift(x):
    """Shift."""
    return x + 0.0
'''

SAME = {
    "a docstring": ('"""Logits."""', '"""Logits, scaled."""'),
    "no docstring": ('        """Logits."""\n', ""),
    "a comment": ("# scaled", "# by two"),
    "layout": ("helper(super().forward(x))", "helper(\n            super().forward(x)\n        )"),
    "another place": ("SCALE = 2.0", "UNUSED = 1\n\n\nSCALE = 2.0"),
    "quotes": ('"""A net."""', "'A net.'"),
    "code that is not used": ("def shift", "def unused(x):\n    return -x\n\n\ndef shift"),
}

CHANGED = {
    "a method": ("super().forward(x)", "-super().forward(x)", "the code of Net has changed"),
    "a helper": ("z * SCALE", "z / SCALE", "the code of helper has changed"),
    "a constant": ("SCALE = 2.0", "SCALE = 3.0", "the code of SCALE has changed"),
    "a function": ("x + 0.0", "x + 0.1", "the code of shift has changed"),
}


def written(folder, text, name="theirs"):
    """Import a text as a module of a user."""
    path = folder / f"{name}.py"
    path.write_text(textwrap.dedent(text))
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def no_bytecode(monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield
    for name in ("theirs", "moved"):
        sys.modules.pop(name, None)


def fitted(module, folder):
    return quick(NaturalNet, module=module.Net, augment=module.shift, checkpoint=folder).fit(X, Y)


def folders(folder):
    return list(folder.iterdir())


@pytest.mark.parametrize("case", SAME)
def test_code_that_does_the_same_resumes(case, tmp_path):
    first = fitted(written(tmp_path, ORIGINAL), tmp_path / "kept")
    again = fitted(written(tmp_path, ORIGINAL.replace(*SAME[case])), tmp_path / "kept")
    assert same_weights(first, again) and len(folders(tmp_path / "kept")) == 1


def test_code_that_moved_to_another_module_resumes(tmp_path):
    first = fitted(written(tmp_path, ORIGINAL), tmp_path / "kept")
    again = fitted(written(tmp_path, ORIGINAL, "moved"), tmp_path / "kept")
    assert same_weights(first, again) and len(folders(tmp_path / "kept")) == 1


@pytest.mark.parametrize("case", CHANGED)
def test_code_that_changed_does_not_resume_and_is_named(case, tmp_path):
    fitted(written(tmp_path, ORIGINAL), tmp_path / "kept")
    (own,) = folders(tmp_path / "kept")
    before, after, told = CHANGED[case]
    changed = written(tmp_path, ORIGINAL.replace(before, after))
    with pytest.raises(ValueError, match=f"belongs to another fit: {told}. Give those again, or"):
        fitted(changed, own)
    fitted(changed, tmp_path / "kept")
    assert len(folders(tmp_path / "kept")) == 2


def test_lambdas_of_one_line_are_told_apart():
    first, second, third = (lambda x: x + 1), (lambda x: x + 2), (lambda x: x + 1)
    sources = [UserCode().add(function) for function in (first, second, third)]
    assert sources[0] != sources[1] and sources[0] == sources[2]


def test_code_without_a_source_is_known_by_its_instructions():
    made = [eval(text) for text in ("lambda x: x + 1", "lambda x: x + 2", "lambda y: y + 1")]
    sources = [UserCode().add(function) for function in made]
    assert sources[0] != sources[1] and sources[0] == sources[2]


def test_libraries_are_known_by_name():
    assert is_library(NaturalNet) and name_of(NaturalNet) == "sklearn_robust.NaturalNet"
    assert not is_library(Linear) and name_of(Linear) == "Linear"
    assert UserCode().add(NaturalNet) == []
