"""The numbers of an audit."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_robust import robust_score
from sklearn_robust.attacks import FGSM, PGD, AutoAttack, Square, WorstCase
from sklearn_robust.metrics import robustness_report
from sklearn_robust.report._audit import Audit, run_audit
from sklearn_robust.report._evidence import check_evidence, unpack

X, Y = load_iris(return_X_y=True)
X, Y = X[::3] / 8, Y[::3]


@pytest.fixture(scope="module")
def model():
    return LogisticRegression(C=100, max_iter=1000).fit(X, Y)


@pytest.fixture(scope="module")
def report(model):
    return run_audit(Audit(model, X, Y, eps=0.03))


def test_the_numbers_are_those_of_the_report(model, report):
    attack = WorstCase(eps=0.03, random_state=0)
    want = robustness_report(model, X, Y, attack=attack, output_dict=True)
    found = report.plain["accuracy"]
    assert found["attacked"] == want["worst_case"] == robust_score(model, X, Y, attack=attack)
    assert found["clean"] == want["clean"] and found["by_attack"] == want["attacks"]
    assert found["attacked_interval"] == list(want["interval"])
    assert [row["worst_case"] for row in found["per_class"]] == [
        row["worst_case"] for row in want["per_class"].values()
    ]


def test_the_curve_falls_through_both_numbers(report):
    factors, shares = report.curve["factors"], report.curve["attacked"]
    assert factors == [0, 0.25, 0.5, 1, 1.5, 2]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] == report.plain["accuracy"]["clean"]
    assert shares[3] == report.plain["accuracy"]["attacked"]


def test_another_run_has_the_same_digits(model, report):
    again = run_audit(Audit(model, X.copy(), Y.copy(), eps=0.03)).plain
    first = json.loads(report.to_json())
    assert {**json.loads(json.dumps(again)), "made": ""} == {**first, "made": ""}
    check_evidence(first)


def test_robust_samples_are_named(model, report):
    robust = unpack(report.plain["samples"]["attacked"], len(X))
    fooled = PGD(eps=0.03, random_state=0, max_iter=40).evaluate(model, X, Y).fooled
    assert not robust[fooled].any() and robust.any()


def test_shares_of_the_spread_are_radii_by_feature(model):
    found = run_audit(Audit(model, X, Y, eps="20%", curve=False))
    np.testing.assert_allclose(
        found.plain["threat"]["eps"], 0.2 * X.astype(np.float32).std(axis=0), rtol=1e-5
    )
    assert found.typed["eps"] == "20%" and "20% of each feature's" in repr(found)


@pytest.mark.parametrize(
    ("eps", "words"), [(255 / 8, "did you mean 8/255"), (1.0, "give a smaller one")]
)
def test_a_ball_that_holds_the_box_is_refused(model, eps, words):
    with pytest.raises(ValueError, match=f"every sample could become any other; {words}"):
        run_audit(Audit(model, X, Y, eps=eps))


def test_frames_keep_the_names_of_their_columns():
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    pipe = make_pipeline(StandardScaler(), LogisticRegression()).fit(frame, Y)
    found = run_audit(Audit(pipe, frame, Y, eps=0.01, curve=False))
    assert found.feature_names == ["a", "b", "c", "d"]
    assert found.sensitivity.shape == (4,)


def test_neighbors_get_an_upper_bound_by_scores():
    tree = KNeighborsClassifier(4).fit(X[:, 2:], Y)
    asked = Audit(tree, X[:, 2:], Y, eps=0.01, attack=Square(max_iter=50))
    found = run_audit(asked)
    assert not found.trusted and found.kinds == {"Square": "black box"}
    assert found.curve["factors"] == [0, 0.5, 1, 2] and found.sensitivity is None


def test_attacks_of_a_cascade_are_of_two_kinds(model):
    asked = Audit(model, X[::5], Y[::5], eps=0.03, attack=AutoAttack(), curve=False)
    assert set(run_audit(asked).kinds.values()) == {"white box", "black box"}
    asked = Audit(model, X[::5], Y[::5], eps=0.03, attack=FGSM(), curve=False)
    assert run_audit(asked).kinds == {"FGSM": "white box"}


def test_named_classes_reach_a_bare_module():
    module = torch.nn.Linear(4, 3)
    names = np.array(["setosa", "versicolor", "virginica"])
    found = run_audit(Audit(module, X, names[Y], eps=0.01, curve=False)).plain
    assert found["data"]["classes"] == names.tolist()
    numbered = run_audit(Audit(module, X, Y, eps=0.01, class_names=names.tolist(), curve=False))
    assert numbered.plain["data"]["classes"] == names.tolist()
    assert numbered.plain["accuracy"] == found["accuracy"]


def test_numbered_folders_fit_a_model_of_names():
    names = ["a", "b", "c"]
    model = LogisticRegression().fit(X, np.array(names)[Y])
    found = run_audit(Audit(model, X, Y, eps=0.01, class_names=names, curve=False))
    assert found.plain["accuracy"]["clean"] == model.score(X, np.array(names)[Y])


def test_images_are_rows_for_a_model_of_rows(model):
    images = X.reshape(-1, 1, 2, 2)
    found = run_audit(Audit(model, images, Y, eps=0.03, curve=False)).plain
    assert found["data"]["sample_shape"] == [4]


def test_data_that_do_not_fit_are_refused(model):
    with pytest.raises(ValueError, match="3 features"):
        run_audit(Audit(model, X[:, :3], Y, eps=0.1))
    with pytest.raises(ValueError, match="labels that .* was not fitted on"):
        run_audit(Audit(model, X, Y + 7, eps=0.1))


def test_a_proof_is_shown_where_one_is_known(model, monkeypatch):
    def proven(opened, X, codes, threat):
        assert threat.norm == "linf" and threat.eps == 0.03
        return np.arange(len(X)) < 10

    monkeypatch.setattr("sklearn_robust.metrics._report.certified_mask", proven)
    found = run_audit(Audit(model, X, Y, eps=0.03, curve=False)).plain
    assert found["accuracy"]["certified"] == 0.2 and found["samples"]["certified"]
    check_evidence(json.loads(json.dumps(found)))
