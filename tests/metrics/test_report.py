"""The report's numbers add up, and its checks tell masked models from honest ones."""

import re

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.datasets import load_digits, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from torch import nn

from sklearn_robust import JacobianRegNet, MinMaxNet, NaturalNet
from sklearn_robust.attacks import (
    APGD,
    FAB,
    FGSM,
    PGD,
    AutoAttack,
    CarliniWagner,
    DeepFool,
    Square,
    ThreatModel,
    WorstCase,
)
from sklearn_robust.differentiable import open_model, register
from sklearn_robust.exceptions import BlackBoxWarning, NotDifferentiableError
from sklearn_robust.metrics import robust_score, robustness_report
from sklearn_robust.metrics._masking import CHECKS, MaskingProbe
from sklearn_robust.metrics._report import wilson_interval

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


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    return X[:1000], y[:1000], X[1200:1350], y[1200:1350]


@pytest.fixture(scope="module")
def natural(digits):
    X, y, _, _ = digits
    return NaturalNet(max_epochs=20, random_state=0).fit(X, y)


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


def test_a_net_whose_losses_disagree_is_told_both_figures(digits):
    """Jacobian regularisation flattens the margin, and an attack on the margin goes astray."""
    X, y, X_test, y_test = digits
    net = JacobianRegNet(lam=0.1, lr=0.01, max_epochs=20, random_state=0).fit(X, y)
    correct = net.predict(X_test) == y_test
    X_test, y_test = X_test[correct], y_test[correct]
    figures = [
        robust_score(net, X_test, y_test, attack=PGD(eps=0.2, max_iter=40, loss=loss, **SEED))
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


@pytest.fixture(scope="module")
def flowers():
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X).astype(np.float32), y


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


def test_a_forest_is_reported_as_an_upper_bound(digits):
    X, y, X_test, y_test = digits
    forest = RandomForestClassifier(20, random_state=0).fit(X, y)
    with pytest.warns(BlackBoxWarning):
        report = robustness_report(forest, X_test[:30], y_test[:30], output_dict=True)
    assert not report["trusted"]
    assert list(report["attacks"]) == ["Square"]
    assert "upper bound" in report["warnings"]["black box"]


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
