"""One saved classifier under attack."""

import joblib
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from sklearn_robust import NaturalNet, robust_score
from sklearn_robust.attacks import FGSM, PGD, WorstCase
from sklearn_robust.report import BadInput, evaluate
from sklearn_robust.report._data import load_data

PART = {"samples": 50, "seed": 0}


@pytest.fixture(scope="module")
def data():
    return load_data("moons", **PART)


@pytest.fixture(scope="module")
def saved(data, tmp_path_factory):
    path = tmp_path_factory.mktemp("nets") / "moons.net"
    net = NaturalNet(max_epochs=3, random_state=0).fit(data.X_train, data.y_train)
    net.save(path)
    return net, str(path)


def test_evaluation_repeats_the_report(moons):
    results, folder = moons
    eps = results["radii"]
    result = evaluate(str(folder / "nets" / "MinMaxNet.net"), "moons", eps=eps, samples=60)
    net = results["nets"]["MinMaxNet"]
    assert result["natural"] == net["natural"] and result["accuracy"] == net["attacks"]
    assert result["net"] == "MinMaxNet" and result["n_samples"] == 60


@pytest.mark.parametrize(
    ("name", "column", "attack"),
    [("fgsm", "FGSM", FGSM()), ("pgd", "PGD", PGD(max_iter=40, random_state=0))],
)
def test_single_attacks_are_those_of_the_library(name, column, attack, saved, data):
    net, path = saved
    result = evaluate(path, "moons", eps=[0.05], attack=name, **PART)
    score = robust_score(net, data.X_test, data.y_test, attack=attack.set_params(eps=0.05))
    assert result["accuracy"] == {column: [score]}


def test_the_worst_case_is_at_most_the_default_score(saved, data):
    net, path = saved
    result = evaluate(path, "moons", eps=[0.1], **PART)
    attack = WorstCase(eps=0.1, random_state=0)
    score = robust_score(net, data.X_test, data.y_test, attack=attack)
    assert result["accuracy"]["worst case"][0] <= score


def test_both_sides_are_shown_where_a_proof_is_cheap_or_asked_for(saved, data, tmp_path):
    path = str(tmp_path / "model.joblib")
    joblib.dump(LogisticRegression().fit(data.X_train, data.y_train), path)
    exact = evaluate(path, "moons", eps=[0.05, 0.3], trust_pickle=True, **PART)
    assert (
        exact["certified"] == exact["accuracy"]["worst case"]
        and "certified" not in (exact["accuracy"])
    )
    assert exact["verdict"] == ["exact", "exact"]
    known = evaluate(saved[1], "moons", eps=[0.02], attack="fgsm", **PART)
    assert known["certified"] is known["verdict"] is None
    proven = evaluate(saved[1], "moons", eps=[0.02], attack="fgsm", certify=True, **PART)
    assert 0 < proven["certified"][0] <= proven["accuracy"]["FGSM"][0]
    assert proven["accuracy"] == known["accuracy"]


def test_a_pickle_is_read_only_if_trusted(data, tmp_path):
    path = str(tmp_path / "model.joblib")
    model = LogisticRegression().fit(data.X_train, data.y_train)
    joblib.dump(model, path)
    with pytest.raises(BadInput, match="add --trust-pickle"):
        evaluate(path, "moons", **PART)
    result = evaluate(path, "moons", trust_pickle=True, **PART)
    assert result["natural"] == model.score(data.X_test, data.y_test)
    assert result["eps"] == [0.02, 0.05, 0.1]


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ({"not": "a model"}, "holds a dict, not a fitted classifier"),
        (RandomForestClassifier(2, random_state=0), "RandomForestClassifier"),
        (DummyClassifier(), "DummyClassifier"),
    ],
)
def test_models_that_gradients_cannot_attack_are_refused(model, words, data, tmp_path):
    path = str(tmp_path / "model.pkl")
    joblib.dump(model.fit(data.X_train, data.y_train) if hasattr(model, "fit") else model, path)
    with pytest.raises(BadInput, match=words):
        evaluate(path, "moons", trust_pickle=True, **PART)


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "there is no file"), (b"text", "is not a net written by net.save")],
)
def test_files_without_a_net_are_refused(content, words, tmp_path):
    path = tmp_path / "a.net"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInput, match=words):
        evaluate(str(path), "moons", **PART)


def test_a_damaged_pickle_is_refused(tmp_path):
    path = tmp_path / "a.pkl"
    path.write_bytes(b"text")
    with pytest.raises(BadInput, match="cannot be unpickled"):
        evaluate(str(path), "moons", trust_pickle=True, **PART)


def test_data_that_do_not_fit_are_refused(saved):
    with pytest.raises(BadInput, match="was fitted on 2 features"):
        evaluate(saved[1], "digits", **PART)


def test_unknown_labels_are_refused(data, tmp_path):
    path = str(tmp_path / "a.net")
    NaturalNet(max_epochs=1).fit(data.X_train, data.y_train + 5).save(path)
    with pytest.raises(BadInput, match="labels that .* was not fitted on"):
        evaluate(path, "moons", **PART)
