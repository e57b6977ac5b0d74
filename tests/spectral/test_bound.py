"""The terms of the generalisation bound against their formulas."""

import math

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

from sklearn_robust import NaturalNet
from sklearn_robust.datasets import load_digits_images
from sklearn_robust.spectral import generalization_bound_terms
from tests.spectral.margins import closed_form
from tests.spectral.models import Shortcut, randomized


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    X = X.astype(np.float32).astype(np.float64)  # attacks work in float32
    return X, y, LogisticRegression(max_iter=1000).fit(X, y)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits_images()
    net = NaturalNet(max_epochs=2, random_state=0).fit(X[:600], y[:600])
    return X[600:700], y[600:700], net


def test_the_terms_of_the_bound_are_the_formulas(iris):
    X, y, model = iris
    terms = generalization_bound_terms(model, X, y, eps=0.3, gamma=0.5, eta=0.1)
    right = model.predict(X) == y
    smallest = closed_form(model, X, "l2")[right].min()
    rows = model.coef_
    nearest = min(np.linalg.norm(rows[i] - rows[j]) for i in range(3) for j in range(i))
    assert terms.class_distance == pytest.approx(nearest)
    assert terms.sigma_min_product == 1  # no layer before the last
    assert terms.input_margin_min == pytest.approx(smallest, rel=1e-2)
    assert terms.u_min == pytest.approx(nearest * terms.input_margin_min)
    assert terms.margin_term == max(0, 1 - terms.u_min / 0.5)
    assert terms.covering_number == pytest.approx((terms.constant / 0.3) ** terms.dimension)
    square = 2 * math.log(2) * terms.covering_number / 150 + 2 * math.log(10) / 150
    assert terms.covering_term == pytest.approx(math.sqrt(square))
    assert terms.bound == terms.margin_term + terms.covering_term
    assert terms.vacuous == (terms.bound >= 1)


def test_the_dimension_grows_with_that_of_the_data_and_a_larger_eps_helps():
    rng = np.random.default_rng(0)
    dimensions = []
    for d in (1, 2, 5):
        X = rng.random((400, d)) @ rng.normal(size=(d, 10))
        y = (X[:, 0] > np.median(X[:, 0])).astype(int)
        model = LogisticRegression().fit(X, y)
        small, large = (generalization_bound_terms(model, X, y, eps=e) for e in (0.1, 0.5))
        assert large.covering_term < small.covering_term
        assert large.margin_term == small.margin_term
        dimensions.append(small.dimension)
    assert 0.7 < dimensions[0] < 1.1 < dimensions[1] < 2.1 < dimensions[2] < 5


def test_the_bound_of_a_network_is_vacuous_and_shortcuts_are_noted(digits):
    X, y, net = digits
    terms = generalization_bound_terms(net, X, y, eps=0.5)
    assert terms.vacuous and terms.note == ""
    X = np.random.default_rng(0).random((20, 2, 4, 4))
    terms = generalization_bound_terms(randomized(Shortcut()), X, np.zeros(20, int), eps=0.5)
    assert "shortcuts" in terms.note


def test_the_bound_needs_a_last_linear_layer_and_different_samples(iris):
    X, y, model = iris
    with pytest.raises(ValueError, match="does not end in a linear layer"):
        generalization_bound_terms(GaussianNB().fit(X, y), X, y, eps=0.1)
    with pytest.raises(ValueError, match="eps is 0"):
        generalization_bound_terms(model, X, y, eps=0)
    with pytest.raises(ValueError, match="1 points in different places"):
        generalization_bound_terms(model, np.repeat(X[:1], 30, 0), np.repeat(y[:1], 30), eps=0.1)
