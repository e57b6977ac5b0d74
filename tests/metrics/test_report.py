"""The report's numbers add up, and what it says of any model."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from sklearn_robust import NaturalNet
from sklearn_robust.attacks import (
    APGD,
    FAB,
    FGSM,
    PGD,
    AutoAttack,
    CarliniWagner,
    DeepFool,
    Square,
    WorstCase,
)
from sklearn_robust.exceptions import BlackBoxWarning, NotDifferentiableError
from sklearn_robust.metrics import robust_score, robustness_report
from sklearn_robust.metrics._report import verdict_of, wilson_interval

EPS = 0.1
SEED = {"random_state": 0}


def test_the_ball_of_a_cascade_is_the_widest_of_its_members(flowers):
    model = LogisticRegression(max_iter=1000).fit(*flowers)
    attack = WorstCase([PGD(eps=0.1), PGD(eps=0.3)], random_state=0)
    report = robustness_report(model, *flowers, attack=attack, output_dict=True)
    assert (report["eps"], report["norm"]) == (0.3, "linf")
    with pytest.raises(ValueError, match=r"balls of several norms, \['l2', 'linf'\]"):
        robustness_report(model, *flowers, attack=WorstCase([PGD(), PGD(norm="l2", eps=1)]))


ATTACKS = {
    "one": (PGD(eps=0.1), ["PGD"]),
    "nearest": (DeepFool(eps=0.2), ["DeepFool"]),
    "cascade": (WorstCase([FGSM(), PGD()], eps=0.1), ["1. FGSM cross_entropy", "2. PGD cross_ent"]),
    "AutoAttack": (
        AutoAttack(eps=0.1, version="custom", attacks=[APGD(max_iter=3), FAB(max_iter=2)]),
        ["1. APGD cross_entropy", "2. FAB"],
    ),
    "default": (None, ["PGD-40 cross_entropy", "PGD-40 margin", "PGD-40 scaled_cross_entropy"]),
}


@pytest.mark.parametrize("case", ATTACKS)
def test_each_attack_is_listed_by_name(case, flowers):
    attack, names = ATTACKS[case]
    model = LogisticRegression(max_iter=1000).fit(*flowers)
    report = robustness_report(model, *flowers, attack=attack, output_dict=True)
    assert len(report["attacks"]) == len(names)
    assert all(found.startswith(name) for found, name in zip(report["attacks"], names, strict=True))


def labelled(model, labels):
    """A fitted model of these labels, iris without its third class, and its labels."""
    X, y = load_iris(return_X_y=True)
    X, y = X[y < 2], np.array(labels)[y[y < 2]]
    return model.fit(X, y), X, y


MODELS = {
    "names": lambda: labelled(LogisticRegression(), ["moss", "ash"]),
    "a frame": lambda: labelled(
        make_pipeline(StandardScaler().set_output(transform="pandas"), LogisticRegression()), [1, 0]
    ),
    "classes in any order": lambda: (
        NaturalNet.from_module(line(), classes=["moss", "ash"]),
        *labelled(LogisticRegression(), ["moss", "ash"])[1:],
    ),
    "a bare module": lambda: (line(), *labelled(LogisticRegression(), [0, 1])[1:]),
}


def line():
    """The two classes of ``labelled``, told apart by the length of a petal."""
    module = nn.Linear(4, 2)
    module.weight.data = torch.tensor([[0, 0, -1.0, 0], [0, 0, 1.0, 0]])
    module.bias.data = torch.tensor([2.5, -2.5])
    return module


@pytest.mark.parametrize("name", MODELS)
def test_any_kind_of_model_and_label_is_reported_on(name):
    model, X, y = MODELS[name]()
    if name == "a frame":
        X = pd.DataFrame(X, columns=list("abcd"))
        model = clone(model).fit(X, y)
    report = robustness_report(model, X, y, attack=PGD(eps=0.3, **SEED), output_dict=True)
    assert report["clean"] > 0.9 and report["trusted"], report["warnings"]
    assert set(report["per_class"]) == set(np.unique(y).tolist())


class Undefined(nn.Module):
    """Logits that are NaN for petals of more than 5.05 cm."""

    def __init__(self):
        super().__init__()
        self.inner = line()

    def forward(self, x):
        return torch.where(x[:, 2:3] > 5.05, torch.nan, self.inner(x))


def test_nan_logits_are_an_error_or_withstood_as_the_user_says():
    """Sample 83 has the longest petal, 5.1 cm; predict takes NaN for the first class."""
    X, y = labelled(LogisticRegression(), [0, 1])[1:]
    y[83] = 0
    net = NaturalNet.from_module(Undefined(), classes=[0, 1])
    with pytest.raises(ValueError, match="NaN for sample 83 .*on_nan='robust'"):
        robustness_report(net, X, y, attack=PGD(eps=0.001, **SEED))
    attack = PGD(eps=0.001, on_nan="robust", **SEED)
    report = robustness_report(net, X, y, attack=attack, output_dict=True)
    assert report["clean"] == report["worst_case"] == np.mean(net.predict(X) == y)


FAULTS = {
    "labels for some": ({"y": np.zeros(5, int)}, ValueError, "X has 150 samples and y has 5 label"),
    "unknown labels": ({"y": np.full(150, 7)}, ValueError, "not fitted on: .7."),
    "features": ({"X": np.zeros((150, 3))}, ValueError, "X has 3 features, but LogisticRegr"),
    "a class": ({"attack": PGD}, TypeError, "give an attack instance"),
    "targets": ({"attack": PGD(targeted=True)}, ValueError, "A targeted attack does not measure"),
    "no radius": (
        {"attack": DeepFool()},
        ValueError,
        r"attack is DeepFool\(\), which has no radius",
    ),
    "no radius for l2": ({"attack": PGD(norm="l2")}, ValueError, "eps must be given for norm='l2'"),
    "long eps": ({"attack": PGD(eps=np.ones(5))}, ValueError, "eps has shape .5,."),
    "long mask": ({"attack": PGD(mask=np.ones(5, bool))}, ValueError, "mask has shape .5,."),
    "outside": ({"attack": PGD(bounds=(0, 1))}, ValueError, "leaves bounds"),
    "unknown loss": ({"attack": PGD(loss="hinge")}, ValueError, "loss is 'hinge'"),
    "unlimited": ({"attack": CarliniWagner()}, ValueError, "robustness_curve"),
    "trees": (
        {"attack": PGD(), "estimator": RandomForestClassifier(2)},
        NotDifferentiableError,
        "no gradient reaches its input.*Square",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_makes_no_sense_is_refused(fault, flowers):
    changed, error, match = FAULTS[fault]
    X, y = flowers
    given = {"estimator": LogisticRegression(max_iter=1000), "X": X, "y": y, **changed}
    given["estimator"] = given["estimator"].fit(X, y)
    with pytest.raises(error, match=match):
        robustness_report(**given)


def test_the_worst_case_is_below_every_attack_and_equals_the_score(digits, natural):
    _, _, X, y = digits
    attack = WorstCase([FGSM(), PGD(loss="margin")], eps=EPS, random_state=0)
    report = robustness_report(natural, X, y, attack=attack, output_dict=True)
    assert report["worst_case"] <= min(report["attacks"].values())
    assert max(report["attacks"].values()) <= report["clean"] == natural.score(X, y)
    assert report["worst_case"] == pytest.approx(
        robust_score(natural, X, y, attack=attack), abs=0.02
    )
    low, high = report["interval"]
    assert low <= report["worst_case"] <= high


def test_classes_add_up_to_the_whole(digits, natural):
    _, _, X, y = digits
    report = robustness_report(natural, X, y, attack=PGD(eps=EPS, random_state=0), output_dict=True)
    rows = report["per_class"].values()
    assert sum(row["support"] for row in rows) == len(y) == report["n_samples"]
    for key in ("clean", "worst_case"):
        total = sum(row[key] * row["support"] for row in rows) / len(y)
        assert total == pytest.approx(report[key])


def test_a_forest_is_reported_exactly(digits):
    X, y, X_test, y_test = digits
    forest = RandomForestClassifier(20, random_state=0).fit(X, y)
    report = robustness_report(forest, X_test[:30], y_test[:30], output_dict=True)
    assert report["trusted"] and report["verdict"] == "exact"
    assert report["attacks"] == {"TreeAttack": report["certified"]}
    text = robustness_report(forest, X_test[:30], y_test[:30])
    assert "\ncertified " in text and "Exact: the accuracy is proven" in text


def test_neighbors_are_reported_between_both_sides(digits):
    X, y, X_test, y_test = digits
    model = KNeighborsClassifier(4).fit(X, y)
    with pytest.warns(BlackBoxWarning):
        report = robustness_report(model, X_test[:10], y_test[:10], output_dict=True)
    assert report["certified"] == 0 and not report["trusted"]
    assert report["verdict"] == f"between 0.00 and {report['worst_case']:.2f}"
    assert "upper bound" in report["warnings"]["black box"]


def test_certification_can_be_left_out(digits, natural):
    _, _, X, y = digits
    report = robustness_report(natural, X[:9], y[:9], output_dict=True, certify=False)
    assert report["certified"] is None and report["verdict"] is None


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(0.5, 0.5, "exact"), (0.492, 0.5, "within 0.8 points"), (0.39, 0.78, "between 0.39 and 0.78")],
)
def test_the_verdict_says_how_far_both_sides_are_apart(low, high, words):
    assert verdict_of(low, high) == words


def test_a_forest_may_be_given_its_own_black_box(digits):
    X, y, X_test, y_test = digits
    forest = RandomForestClassifier(20, random_state=0).fit(X, y)
    attack = Square(eps=0.2, max_iter=20, random_state=0)
    text = robustness_report(forest, X_test[:30], y_test[:30], attack=attack)
    assert "Do not trust this number" in text and "the number is an upper bound" in text


def test_the_text_tells_the_numbers_and_the_verdict(digits, natural):
    _, _, X, y = digits
    text = robustness_report(natural, X, y, attack=PGD(eps=EPS, random_state=0))
    for word in ("clean", "PGD", "worst case", "support", "No sign of gradient masking"):
        assert word in text


# Share, samples, and Wilson's bounds from the closed form, computed by hand.
WILSON = [(0, 10, 0.0, 0.27753), (10, 10, 0.72247, 1.0), (5, 10, 0.23659, 0.76341)]


@pytest.mark.parametrize(("hits", "n", "low", "high"), WILSON)
def test_wilsons_interval(hits, n, low, high):
    assert wilson_interval(hits, n) == pytest.approx((low, high), abs=1e-4)
