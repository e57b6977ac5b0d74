"""Checks that tell masked models from honest ones."""

import re

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from torch import nn

from sklearn_robust import JacobianRegNet, MinMaxNet, NaturalNet
from sklearn_robust.attacks import APGD, FAB, PGD, Square, ThreatModel, WorstCase
from sklearn_robust.differentiable import open_model, register
from sklearn_robust.metrics import robust_score, robustness_report
from sklearn_robust.metrics._masking import CHECKS, MaskingProbe, StepsAlone

EPS = 0.1
SEED = {"random_state": 0}
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


# What must trip on each; together they prove every check.
MASKED = {
    "logit scaling": {"zero gradient", "losses"},
    "quantised input": {"zero gradient", "gradient", "random noise", "black box", "large eps"},
    "random noise": {"randomness"},
    "saturated sigmoid": {"one step", "black box"},
}

# Proved by what members and restarts find, whatever the model.
BY_YIELD = {"nearest", "restarts"}


def test_each_check_is_proved_on_a_masked_model():
    assert set().union(*MASKED.values()) == CHECKS.keys() - {"view"} - BY_YIELD


class Told(MaskingProbe):
    """Probe whose own attacks find what they are told: every fifth sample, or nothing."""

    finds = False

    def robust(self, attack_class, rows=slice(None), **params):
        n = len(np.arange(len(self.X))[rows])
        return (
            np.arange(n) % 5 > 0 if self.finds and params.get("random_start") else np.ones(n, bool)
        )


def probe_of(digits, natural, members):
    _, _, X, y = digits
    model = open_model(natural)
    right = model.predict_codes(X) == y
    threat = ThreatModel(EPS).on(X[right])
    masks = [(attack, np.arange(right.sum()) % 10 >= lost) for attack, lost in members]
    return Told(model, X[right], y[right], threat, masks)


def test_a_search_for_the_nearest_point_that_beats_ascent_is_told(digits, natural):
    members = [(APGD(eps=EPS), 0), (FAB(eps=EPS), 2)]
    told = CHECKS["nearest"](probe_of(digits, natural, members))
    assert re.match("FAB, which looks for the nearest point, fools .* samples", told)
    for honest in (members[:1], members[1:], [(APGD(eps=EPS), 2), (FAB(eps=EPS), 2)]):
        assert CHECKS["nearest"](probe_of(digits, natural, honest)) is None


def test_restarts_that_keep_finding_are_told(digits, natural):
    probe = probe_of(digits, natural, [(APGD(eps=EPS), 0)])
    assert CHECKS["restarts"](probe) is None
    probe.finds = True
    assert re.match("a second restart of PGD still fools .* samples", CHECKS["restarts"](probe))


def test_what_the_black_box_of_a_cascade_took_alone_is_told(digits, natural):
    probe = probe_of(digits, natural, [(APGD(eps=EPS), 1), (Square(eps=EPS), 3)])
    assert "a search that sees scores alone fools" in CHECKS["black box"](probe)
    probe = probe_of(digits, natural, [(APGD(eps=EPS), 3), (Square(eps=EPS), 3)])
    assert CHECKS["black box"](probe) is None


@pytest.mark.parametrize("kind", MASKED)
def test_a_masked_model_is_not_trusted(kind, digits, natural):
    _, _, X, y = digits
    net = NaturalNet.from_module(Front(natural.module_, kind), classes=np.arange(10))
    report = robustness_report(net, X, y, attack=ATTACK, output_dict=True)
    assert not report["trusted"]
    assert MASKED[kind] <= set(report["warnings"])


def test_a_linear_model_on_which_one_step_finds_a_few_more_is_trusted():
    X, y = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=500).fit(X, y)
    report = robustness_report(model, X, y, attack=PGD(eps=0.5, **SEED), output_dict=True)
    assert report["trusted"], report["warnings"]


def test_a_net_whose_losses_disagree_is_told_both_figures(digits):
    """Jacobian regularisation flattens the margin, and an attack on the margin goes astray."""
    X, y, X_test, y_test = digits
    net = JacobianRegNet(lam=0.1, lr=0.01, max_epochs=20, random_state=0).fit(X, y)
    correct = net.predict(X_test) == y_test
    X_test, y_test = X_test[correct], y_test[correct]
    figures = [
        robust_score(
            net, X_test, y_test, attack=StepsAlone(eps=0.2, max_iter=40, loss=loss, **SEED)
        )
        for loss in ("margin", "cross_entropy")
    ]
    assert figures[0] > figures[1] + 0.2
    text = robustness_report(net, X_test, y_test, attack=PGD(eps=0.2, **SEED))
    told = re.search("losses: PGD on margin leaves (.*)% robust, on cross_entropy (.*)%:", text)
    assert [float(share) for share in told.groups()] == pytest.approx(
        [100 * figure for figure in figures], abs=0.06
    )
    assert "Do not trust this number" in text


class Mirror(TransformerMixin, BaseEstimator):
    """A step whose registered module forgets to mirror."""

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        return -X


register(Mirror, lambda fitted: nn.Identity())


def test_a_view_that_is_anothers_is_not_trusted(flowers):
    """Its gradient leads astray, and an attack that fools nobody would flatter the model."""
    model = make_pipeline(Mirror(), LogisticRegression()).fit(*flowers)
    report = robustness_report(model, *flowers, attack=PGD(eps=0.3, **SEED), output_dict=True)
    assert "names another class than predict" in report["warnings"]["view"]


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


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_model_of_data_without_a_box_trips_nothing(name, flowers):
    """A ball that holds every input is wide there, and most of it is far from all data."""
    X, y = flowers
    model = clone(HONEST[name])
    if isinstance(model, SVC):
        model = make_pipeline(StandardScaler(), model)
    report = robustness_report(
        model.fit(X, y), X, y, attack=WorstCase(eps=0.2, random_state=0), output_dict=True
    )
    assert report["trusted"], report["warnings"]


THREATS = {
    "l2": {"eps": 0.4, "norm": "l2"},
    "l1": {"eps": 0.6, "norm": "l1"},
    "mask": {"eps": 0.6, "mask": np.array([True, False, False, False])},
    "one eps a feature": {"eps": np.array([0.8, 0.01, 0.0, 0.01])},
    "integers": {"eps": 2.0, "integer": [0, 1]},
    "all": {"eps": np.array([2, 1, 0.1, 3]), "integer": [0], "mask": [0, 2], "bounds": (-90, 90)},
}


@pytest.mark.parametrize("threat", THREATS)
def test_the_checks_move_samples_as_the_attack_may(threat, flowers):
    """With a larger ball than that of the attack they would find what it cannot."""
    X, y = flowers
    X = np.where([True, True, False, False], (10 * X).round(), X)
    model = LogisticRegression(max_iter=5000).fit(X, y)
    attack = WorstCase([PGD(**THREATS[threat])], bounds=THREATS[threat].get("bounds"), **SEED)
    report = robustness_report(model, X, y, attack=attack, output_dict=True)
    assert report["trusted"], report["warnings"]
    assert report["worst_case"] == robust_score(model, X, y, attack=attack) <= report["clean"]
    assert report["eps"] == np.max(THREATS[threat]["eps"])


def test_noise_keeps_integers_whole():
    """Half-way to the next integer lies the boundary: nothing within nine tenths crosses it."""
    module = nn.Linear(1, 2)
    module.weight.data = torch.tensor([[0.0], [1.0]])
    module.bias.data = torch.tensor([0.0, -0.5])
    X, y = np.repeat([[0.0], [1.0]], 30, axis=0), np.repeat([0, 1], 30)
    net = NaturalNet.from_module(module, classes=[0, 1])
    attack = PGD(eps=0.9, integer=[True], bounds=(-9, 9), **SEED)
    report = robustness_report(net, X, y, attack=attack, output_dict=True)
    assert report["worst_case"] == 1 and report["trusted"], report["warnings"]
