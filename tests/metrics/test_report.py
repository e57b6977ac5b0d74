"""The report's numbers add up, and its checks tell masked models from honest ones."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC
from torch import nn

from sklearn_robust import MinMaxNet, NaturalNet
from sklearn_robust.attacks import FGSM, PGD, WorstCase
from sklearn_robust.exceptions import BlackBoxWarning
from sklearn_robust.metrics import robust_score, robustness_report
from sklearn_robust.metrics._report import wilson_interval

EPS = 0.1
ATTACK = WorstCase(eps=EPS, random_state=0)


class Front(nn.Module):
    """A module behind something that hides its gradient."""

    def __init__(self, net, kind):
        super().__init__()
        self.net, self.kind = net, kind

    def forward(self, x):
        if self.kind == "logit scaling":
            return self.net(x) * 1e4
        if self.kind == "quantised input":
            return self.net((x * 4).round() / 4)
        if self.kind == "random noise":
            return self.net(x + 0.3 * torch.randn_like(x))
        return self.net(torch.sigmoid(200 * (x - 0.5)))


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    return X[:1000], y[:1000], X[1200:1350], y[1200:1350]


@pytest.fixture(scope="module")
def natural(digits):
    X, y, _, _ = digits
    return NaturalNet(max_epochs=20, random_state=0).fit(X, y)


MASKED = {
    "logit scaling": {"zero gradient", "losses"},
    "quantised input": {"zero gradient", "black box", "large eps"},
    "random noise": {"randomness"},
    "saturated sigmoid": {"one step", "black box"},
}


@pytest.mark.parametrize("kind", MASKED)
def test_a_masked_model_is_not_trusted(kind, digits, natural):
    _, _, X, y = digits
    net = NaturalNet.from_module(Front(natural.module_, kind), classes=np.arange(10))
    report = robustness_report(net, X, y, attack=ATTACK, output_dict=True)
    assert not report["trusted"]
    assert set(report["warnings"]) & MASKED[kind]


HONEST = {
    "LogisticRegression": LogisticRegression(max_iter=1000),
    "SVC": SVC(),
    "MLPClassifier": MLPClassifier(max_iter=1000, random_state=0),
    "NaturalNet": NaturalNet(max_epochs=20, random_state=0),
    "MinMaxNet": MinMaxNet(attack__eps=EPS, max_epochs=8, random_state=0),
}


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_model_trips_nothing(name, digits):
    X, y, X_test, y_test = digits
    model = HONEST[name].fit(X, y)
    report = robustness_report(model, X_test, y_test, attack=ATTACK, output_dict=True)
    assert report["trusted"], report["warnings"]


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


def test_a_forest_is_reported_as_an_upper_bound(digits):
    X, y, X_test, y_test = digits
    forest = RandomForestClassifier(20, random_state=0).fit(X, y)
    with pytest.warns(BlackBoxWarning):
        report = robustness_report(forest, X_test[:30], y_test[:30], output_dict=True)
    assert not report["trusted"]
    assert list(report["attacks"]) == ["Square"]
    assert "upper bound" in report["warnings"]["black box"]


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
