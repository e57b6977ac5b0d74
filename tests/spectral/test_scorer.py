"""The scorer of a sweep against the single measures."""

import pickle

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from sklearn_robust import NaturalNet
from sklearn_robust.attacks import PGD
from sklearn_robust.metrics import robust_score
from sklearn_robust.spectral import (
    layer_spectra,
    make_regularization_scorer,
)

ATTACK = PGD(eps=0.3, max_iter=3, random_state=0)


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


def test_the_scorer_says_what_the_single_measures_say(iris):
    X, y = iris
    model = LogisticRegression(max_iter=2000).fit(X, y)
    scores = make_regularization_scorer(ATTACK)(model, X, y)
    p = model.predict_proba(X)
    assert scores["accuracy"] == pytest.approx(model.score(X, y))
    assert scores["neg_cross_entropy"] == pytest.approx(-log_loss(y, p), rel=1e-9)
    assert scores["robust_accuracy"] == pytest.approx(robust_score(model, X, y, attack=ATTACK))
    assert scores["confidence"] == pytest.approx(p.max(1).mean())
    f = np.sort(model.decision_function(X), 1)
    assert scores["margin_mean"] <= (f[:, -1] - f[:, -2]).mean()
    values = np.linalg.svd(model.coef_, compute_uv=False)
    assert scores["spectrum_std"] == scores["spectrum_std/matrix"] == pytest.approx(values.std())


def test_near_the_boundary_is_near_on_either_side(iris):
    X, y = iris
    model = LogisticRegression(max_iter=2000).fit(X, y)
    wrong = np.where(np.arange(len(y)) % 2, y, (y + 1) % 3)
    p = model.predict_proba(X)
    own = p[np.arange(len(y)), wrong]
    p[np.arange(len(y)), wrong] = -1
    margin = own - p.max(1)
    assert (margin < -0.3).sum() > 50
    scores = make_regularization_scorer(ATTACK, tau=0.3)(model, X, wrong)
    assert scores["boundary_mass"] == pytest.approx((abs(margin) <= 0.3).mean())
    assert scores["softmax_margin_mean"] == pytest.approx(margin.mean())
    assert scores["softmax_margin_std"] == pytest.approx(margin.std())


def test_the_spectrum_of_a_network_is_the_mean_over_its_layers(iris):
    net = NaturalNet(max_epochs=1, random_state=0).fit(*iris)
    scores = make_regularization_scorer(ATTACK)(net, *iris)
    report = layer_spectra(net)
    assert scores["spectrum_std"] == pytest.approx(report["std"].mean())
    assert scores["spectrum_cv"] == pytest.approx(report.cv.mean())
    for name, std in zip(report.name, report["std"], strict=True):
        assert scores[f"spectrum_std/{name}"] == pytest.approx(std)


def test_the_number_of_attacked_samples_can_be_capped(iris):
    X, y = iris
    model = LogisticRegression(max_iter=2000).fit(X, y)
    some = make_regularization_scorer(ATTACK, max_samples=3)(model, X, y)
    rows = [0, 74, 149]
    expected = robust_score(model, X[rows], y[rows], attack=ATTACK)
    assert some["robust_accuracy"] == pytest.approx(expected)
    assert some["accuracy"] == model.score(X, y)


def test_the_scorer_is_an_object_that_travels(iris):
    scorer = make_regularization_scorer(ATTACK, max_samples=20, spectra=False)
    assert "max_samples=20" in repr(scorer) and "spectra=False" in repr(scorer)
    again = pickle.loads(pickle.dumps(scorer))
    model = LogisticRegression(max_iter=2000).fit(*iris)
    assert again(model, *iris) == scorer(model, *iris)
    assert repr(make_regularization_scorer()) == "make_regularization_scorer()"
    with pytest.raises(TypeError, match="attack instance"):
        make_regularization_scorer(PGD)
    with pytest.raises(ValueError, match="max_samples is 0"):
        make_regularization_scorer(max_samples=0)
