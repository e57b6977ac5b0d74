"""Votes between pairs of classes, and the smooth surrogate that an attack climbs."""

import numpy as np
import pytest
import torch
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits
from sklearn.ensemble import StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.svm import SVC, LinearSVC, NuSVC

from sklearn_robust.attacks import PGD
from sklearn_robust.differentiable import as_module


@pytest.mark.parametrize("kind", [SVC, NuSVC])
def test_pairwise_svc_has_the_logits_of_its_votes(flowers, kind):
    X, y = flowers()
    nu = {"nu": 0.3} if kind is NuSVC else {}
    paired = kind(decision_function_shape="ovo", **nu).fit(X, y)
    voting = kind(decision_function_shape="ovr", **nu).fit(X, y)
    view = as_module(paired)
    np.testing.assert_allclose(
        view(torch.tensor(X)).numpy(), voting.decision_function(X), atol=1e-8
    )
    np.testing.assert_allclose(
        view.body.decision(torch.tensor(X)).numpy(), paired.decision_function(X), atol=1e-8
    )


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_votes_and_surrogate_name_the_predicted_class_of_many(kernel):
    X, y = load_digits(return_X_y=True)
    model = SVC(kernel=kernel).fit(X[::2], y[::2])
    ties_broken = SVC(kernel=kernel, break_ties=True).fit(X[::2], y[::2])
    view = as_module(model)
    x = torch.tensor(X[1::2])
    with torch.no_grad():
        votes, smooth = (module(x).argmax(1).numpy() for module in (view, view.surrogate))
    np.testing.assert_array_equal(votes, ties_broken.predict(X[1::2]))
    assert np.mean(votes == model.predict(X[1::2])) > 0.98
    assert np.mean(smooth == model.predict(X[1::2])) > 0.98


VOTERS = {
    "svc": SVC(kernel="linear"),
    "svc-pairs": SVC(decision_function_shape="ovo"),
    "nu-svc": make_pipeline(MinMaxScaler(), NuSVC(nu=0.1)),
    "one-against-one": OneVsOneClassifier(LinearSVC()),
    "calibrated": CalibratedClassifierCV(SVC(kernel="linear"), cv=2),
    "stacked": StackingClassifier(
        [("svc", SVC(kernel="linear"))], LogisticRegression(max_iter=500), cv=2
    ),
}


@pytest.mark.parametrize("name", VOTERS)
def test_the_surrogate_fools_a_voting_classifier_more_than_its_votes_do(name):
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    model = VOTERS[name].fit(X[::3], y[::3])
    view = as_module(model)
    x, codes = torch.tensor(X[1:301:3]), torch.tensor(y[1:301:3])
    with torch.no_grad():
        same = view.surrogate(x).argmax(1) == view(x).argmax(1)
    assert same.double().mean() >= 0.95
    attack = PGD(eps=0.15, max_iter=10, loss="margin", random_state=0)

    def accuracy(followed):
        return np.mean(model.predict(attack.perturb(followed, x, codes).numpy()) == codes.numpy())

    assert accuracy(view.surrogate) < accuracy(view) - 0.05
    assert view.surrogate.input_shape == (64,)
    np.testing.assert_array_equal(view.surrogate.classes_, view.classes_)


@pytest.mark.parametrize("model", [SVC(), LinearSVC(), OneVsRestClassifier(LinearSVC())], ids=str)
def test_logits_that_do_not_jump_are_their_own_surrogate(flowers, model):
    view = as_module(model.fit(*flowers(2)))
    assert view.surrogate is view
