"""The gate for a build, as a person types it."""

import json
from xml.etree import ElementTree

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from sklearn_robust.cli import main
from sklearn_robust.datasets import load_moons

X, Y = load_moons(80, random_state=0)
LINE = "check model.pkl --data moons.npz --eps .05 --trust-pickle"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    joblib.dump(LogisticRegression(C=100).fit(X, Y), "model.pkl")
    np.savez("moons.npz", X=X, y=Y)
    return tmp_path


def test_the_gate_opens_and_shuts(folder, capsys):
    argv = [*LINE.split(), "--at-least"]
    assert main([*argv, ".6", "--json", "main.json", "--junit", "out.xml"]) == 0
    out = capsys.readouterr().out
    assert "passed: robust accuracy" in out and "passed: trust" in out
    assert ElementTree.parse("out.xml").getroot().get("failures") == "0"
    assert json.loads((folder / "main.json").read_text())["threat"]["eps"] == 0.05
    assert main([*argv, "99.9%", "--junit", "out.xml"]) == 1
    assert "FAILED: robust accuracy: robust accuracy is" in capsys.readouterr().out
    assert ElementTree.parse("out.xml").getroot().get("failures") == "1"


def test_a_worse_model_is_held_against_the_baseline(folder, capsys):
    assert main([*LINE.split(), "--at-least", "0", "--json", "main.json"]) == 0
    assert main([*LINE.split(), "--baseline", "main.json"]) == 0
    assert "0 samples lost and 0 won" in capsys.readouterr().out
    joblib.dump(LogisticRegression(C=100).fit(X[:, ::-1], Y), "model.pkl")
    assert main([*LINE.split(), "--baseline", "main.json"]) == 1
    assert "FAILED: no drop against the baseline" in capsys.readouterr().out


def test_a_baseline_of_another_eps_is_refused(folder, capsys):
    assert main([*LINE.split(), "--at-least", "0", "--json", "main.json"]) == 0
    capsys.readouterr()
    line = LINE.replace(".05", ".06")
    assert main([*line.split(), "--baseline", "main.json"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and "since its eps differs: 0.05 there, 0.06 here" in err


def test_a_certified_number_must_be_known(folder, capsys, monkeypatch):
    assert main([*LINE.split(), "--at-least", ".1", "--by", "certified"]) == 0
    monkeypatch.setattr("sklearn_robust.metrics._report.has_certifier", lambda model: False)
    assert main([*LINE.split(), "--at-least", ".5", "--by", "certified"]) == 2
    assert "no certified robust accuracy is known" in capsys.readouterr().err
