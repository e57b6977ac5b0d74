"""Training and attacks of one model, begun anew or gone on with."""

import os
import re
from dataclasses import replace

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from sklearn_robust import NaturalNet
from sklearn_robust.report import Settings, _work
from sklearn_robust.report._attack import PAPER_ATTACKS, PROVEN, WORST
from sklearn_robust.report._data import load_data
from sklearn_robust.report._work import recall, run_model

NAME = "NaturalNet"


@pytest.fixture(scope="module")
def data():
    return load_data("moons", train_samples=80, samples=40)


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "nets").mkdir()
    return Settings(
        data="moons", nets=(NAME,), eps=(0.05, 0.1), train_eps=0.1, epochs=2, output=str(tmp_path)
    )


@pytest.fixture
def counted(monkeypatch):
    """Count the fits, the strengths and the forward passes of all that runs."""
    counts = {"fits": 0, "strengths": 0, "passes": 0}
    fit, attack, forward = NaturalNet.fit, _work.attack_model, NaturalNet.infer

    def counting_fit(self, X, y):
        counts["fits"] += 1
        return fit(self, X, y)

    def counting_attack(*args, **kwargs):
        for masks in attack(*args, **kwargs):
            counts["strengths"] += 1
            yield masks

    def counting_forward(self, x, **params):
        counts["passes"] += 1
        return forward(self, x, **params)

    monkeypatch.setattr(NaturalNet, "fit", counting_fit)
    monkeypatch.setattr(_work, "attack_model", counting_attack)
    monkeypatch.setattr(NaturalNet, "infer", counting_forward)
    return counts


def run(data, settings, stage=None, number=0):
    """Run a net; let Ctrl-C come at the ``number``-th step of a stage."""
    steps = []

    def tell(*step):
        steps.append(step)
        if steps.count((stage, NAME)) == number and step[0] == stage:
            raise KeyboardInterrupt

    return run_model(settings.names[0], data, settings, tell, lambda: False), steps


def same(first, second):
    assert first["attacks"] == second["attacks"] and first["natural"] == second["natural"]
    assert first["training"]["train_loss"] == second["training"]["train_loss"]
    assert first["masks"].keys() == second["masks"].keys()
    for attack, masks in first["masks"].items():
        np.testing.assert_array_equal(masks, second["masks"][attack])


# Interrupted in training, between training and attacks, between two strengths, at the end.
MOMENTS = [("training", 1, 2, 2), ("training", 2, 2, 2), ("attacks", 1, 1, 2), ("attacks", 2, 1, 2)]


@pytest.mark.parametrize(("stage", "number", "n_fits", "n_strengths"), MOMENTS)
def test_nothing_that_is_finished_is_done_again(
    stage, number, n_fits, n_strengths, data, settings, counted, tmp_path_factory
):
    other = tmp_path_factory.mktemp("whole")
    (other / "nets").mkdir()
    whole, steps = run(data, replace(settings, output=str(other)))
    counted.update(fits=0, strengths=0)
    broken, _ = run(data, settings, stage, number)
    assert broken["interrupted"]
    again, steps_again = run(data, replace(settings, resume=True))
    assert not again["interrupted"] and not again["failed"]
    same(whole, again)
    assert counted["fits"] == n_fits and counted["strengths"] == n_strengths
    assert sorted(steps_again) == sorted(steps)  # the bars end full


def test_a_finished_net_takes_no_forward_pass(data, settings, counted):
    whole, _ = run(data, settings)
    counted.update(fits=0, strengths=0, passes=0)
    again, _ = run(data, replace(settings, resume=True))
    same(whole, again)
    assert counted == {"fits": 0, "strengths": 0, "passes": 0}


def test_without_resume_all_is_done_again(data, settings, counted):
    run(data, settings)
    run(data, settings)
    assert counted["fits"] == 2 and counted["strengths"] == 4


CHANGES = [
    ({"epochs": 3}, "is trained again: the net was NaturalNet"),
    ({"seed": 1}, "is trained again: the net was"),
    ({"train_eps": 0.2}, "is trained again: --train-eps was 0.1 and is 0.2"),
    ({"eps": (0.1,)}, r"attacked again: the strengths was \[0.05, 0.1\] and is \[0.1\]"),
    ({"certify": True}, "attacked again: --certify was False and is True"),
    ({}, "is trained already, and attacked with 2 of 2 strengths"),
]


@pytest.mark.parametrize(("changes", "words"), CHANGES)
def test_why_something_is_done_again_is_said(changes, words, data, settings):
    run(data, settings)
    record, text = recall(NAME, data, replace(settings, **changes))
    assert re.search(words, text)
    assert (record is None) == ("trained again" in words)


def test_other_data_and_a_changed_file_are_noticed(data, settings, monkeypatch):
    run(data, settings)
    other = load_data("moons", train_samples=81, samples=40)
    assert "is trained again: the data changed" in recall(NAME, other, settings)[1]
    monkeypatch.setattr(_work, "versions", lambda: {"torch": "0.1"})
    assert "trained again: torch was" in recall(NAME, data, settings)[1]
    monkeypatch.undo()
    path = os.path.join(settings.output, "nets", f"{NAME}.net")
    with open(path, "ab") as file:
        file.write(b"x")
    assert "is trained again: the model's file changed" in recall(NAME, data, settings)[1]


@pytest.mark.parametrize(
    ("model", "kind", "attacks"),
    [
        (LogisticRegression(), "white box", {*PAPER_ATTACKS, WORST, PROVEN}),
        (DecisionTreeClassifier(max_depth=3, random_state=0), "black box", {WORST, PROVEN}),
    ],
)
def test_fitted_models_are_attacked_as_they_allow(model, kind, attacks, data, settings):
    path = os.path.join(settings.output, "mine.joblib")
    joblib.dump(model.fit(data.X_train, data.y_train), path)
    settings = replace(settings, nets=(), models=(path,), trust_pickle=True)
    record, _ = run(data, settings)
    assert record["kind"] == kind and set(record["attacks"]) == attacks
    assert record["natural"] == model.score(data.X_test, data.y_test)
    assert "training" not in record and record["source"] == path
    lower, upper = record["attacks"][PROVEN], record["attacks"][WORST]
    assert lower == upper  # exact for these
    again, text = recall("mine.joblib", data, settings)
    assert text == "mine.joblib is attacked with 2 of 2 strengths."
    assert again["attacks"] == record["attacks"]


def test_a_function_whose_model_changed_is_attacked_again(data, settings, tmp_path):
    path = tmp_path / "mine.py"
    text = (
        "from sklearn.linear_model import LogisticRegression\n"
        "from sklearn_robust.datasets import load_moons\n"
        "def model():\n    return LogisticRegression(C={}).fit(*load_moons(100, random_state=0))\n"
    )
    path.write_text(text.format(1))
    settings = replace(settings, nets=(), models=(f"{path}:model",))
    run(data, settings)
    assert "is attacked with 2 of 2" in recall("mine.py:model", data, settings)[1]
    path.write_text(text.format(0.01))
    assert "attacked again: the model's file changed" in recall("mine.py:model", data, settings)[1]
