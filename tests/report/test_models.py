"""Models of all kinds, read from a file or made by a function."""

import pickle
import sys
import zipfile

import joblib
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from sklearn_robust import NaturalNet
from sklearn_robust.datasets import load_moons
from sklearn_robust.report import BadInput
from sklearn_robust.report._models import call_function, load_model, names_function

X, Y = load_moons(60, random_state=0)

CODE = """
from sklearn.linear_model import LogisticRegression
from torch import nn
flat = nn.Linear(2, 2)
word = "a model"
def model():
    return LogisticRegression().fit([[0.0], [1.0]], [0, 1])
def broken():
    raise RuntimeError("no weights here")
def text():
    return "a model"
def _hidden():
    pass
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(CODE)
    (tmp_path / "bad.py").write_text("1 / 0")
    return tmp_path


@pytest.fixture(scope="module")
def model():
    return LogisticRegression().fit(X, Y)


def test_functions_make_models(folder):
    assert names_function("mine.py:model") and not names_function("mine.py")
    assert load_model("mine.py:model").predict([[0.9]]) == 1
    assert isinstance(load_model("mine.py:flat"), nn.Linear)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("none.py:model", "there is no file none.py"),
        ("bad.py:model", "bad.py fails when it is run .ZeroDivisionError"),
        ("mine.py:modell", "has no function modell; it has .*model, broken, text"),
        ("mine.py:broken", "fails when it is called .* .RuntimeError: no weights here"),
        ("mine.py:text", "holds a str, not a fitted classifier"),
        ("none.net", "there is no file none.net"),
        ("", "give a path"),
    ],
)
def test_what_makes_no_model_is_refused(folder, spec, words):
    with pytest.raises(BadInput, match=words):
        load_model(spec)


def test_nets_are_known_by_what_they_hold(folder):
    net = NaturalNet(max_epochs=1, random_state=0).fit(X, Y)
    net.save(folder / "net.model")
    assert (load_model("net.model").predict(X) == net.predict(X)).all()


def test_torchscript_is_read(folder):
    module = nn.Linear(2, 2)
    module.eval()
    with pytest.warns(Warning, match="deprecated"):
        torch.jit.save(torch.jit.trace(module, torch.zeros(1, 2)), "a.ts")
    read = load_model("a.ts")
    assert torch.equal(read(torch.ones(1, 2)), module(torch.ones(1, 2)))


def test_exported_modules_are_read_if_trusted(folder):
    module = nn.Linear(2, 2).eval()
    shapes = ({0: torch.export.Dim("n")},)
    torch.export.save(
        torch.export.export(module, (torch.zeros(3, 2),), dynamic_shapes=shapes), "a.pt2"
    )
    with pytest.raises(BadInput, match="torch.export and may hold pickles.*add --trust-pickle"):
        load_model("a.pt2")
    read = load_model("a.pt2", trust_pickle=True)
    assert torch.equal(read(torch.ones(5, 2)), module(torch.ones(5, 2)))


def test_weights_alone_are_refused(folder):
    torch.save(nn.Linear(2, 2).state_dict(), "a.pt")
    with pytest.raises(BadInput, match="written by torch.save: it holds weights"):
        load_model("a.pt", trust_pickle=True)


def test_pickles_must_be_trusted(folder, model):
    joblib.dump(model, "a.joblib")
    with pytest.raises(BadInput, match="that you trust to run code, add --trust-pickle"):
        load_model("a.joblib")
    assert (load_model("a.joblib", trust_pickle=True).predict(X) == model.predict(X)).all()


def test_a_missing_package_is_named(folder):
    (folder / "a.pkl").write_bytes(b"cno_such_package.models\nForest\n.")
    with pytest.raises(BadInput, match="a.pkl needs no_such_package, which is not installed"):
        load_model("a.pkl", trust_pickle=True)


def test_a_class_is_no_model(folder):
    (folder / "a.pkl").write_bytes(pickle.dumps(LogisticRegression))
    with pytest.raises(BadInput, match="holds a .*, not a fitted classifier"):
        load_model("a.pkl", trust_pickle=True)


class FakeSkops:
    """As much of skops.io as is used."""

    def __init__(self, model, unknown=()):
        self.model, self.unknown = model, list(unknown)
        self.io = self

    def get_untrusted_types(self, *, file):
        return self.unknown

    def load(self, path, *, trusted):
        assert trusted == self.unknown
        return self.model


@pytest.fixture
def skops_file(folder):
    with zipfile.ZipFile("a.skops", "w") as archive:
        archive.writestr("schema.json", "{}")
    return "a.skops"


def install(monkeypatch, fake):
    monkeypatch.setitem(sys.modules, "skops", fake)
    monkeypatch.setitem(sys.modules, "skops.io", fake)


def test_files_of_skops_are_read(skops_file, model, monkeypatch):
    install(monkeypatch, FakeSkops(model))
    assert load_model(skops_file) is model


def test_types_that_skops_does_not_know_must_be_trusted(skops_file, model, monkeypatch):
    install(monkeypatch, FakeSkops(model, ["mine.Scaler"]))
    with pytest.raises(BadInput, match="does not know, mine.Scaler, which may run any code"):
        load_model(skops_file)
    assert load_model(skops_file, trust_pickle=True) is model


def test_skops_must_be_installed(skops_file, monkeypatch):
    install(monkeypatch, None)
    with pytest.raises(BadInput, match="which is not installed: install skops"):
        load_model(skops_file)


def test_functions_of_data_are_called_alike(folder):
    assert call_function("mine.py:word") == "a model"
