"""The terms of the generalisation bound against their formulas."""

import math

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from sklearn_robust import NaturalNet
from sklearn_robust.datasets import load_digits_images
from sklearn_robust.spectral import generalization_bound_terms
from tests.spectral.margins import closed_form
from tests.spectral.models import Attention, Shortcut, randomized


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


def test_the_bound_of_a_network_is_vacuous(digits):
    X, y, net = digits
    terms = generalization_bound_terms(net, X, y, eps=0.5)
    assert terms.vacuous and terms.sigma_min_product == math.prod(terms.sigma_min.values())


def test_the_scaler_of_a_pipeline_counts(iris):
    """Without it the lower bound of the logits' gap exceeded the gap itself."""
    X, y, _ = iris
    X = X * 300
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(X, y)
    terms = generalization_bound_terms(model, X, y, eps=0.3)
    assert terms.sigma_min == {"standardscaler": pytest.approx(1 / model[0].scale_.max())}
    right = model.predict(X) == y
    top = np.sort(model.decision_function(X)[right], axis=1)
    gap = (top[:, -1] - top[:, -2]).min()
    assert terms.u_min <= gap < terms.class_distance * terms.input_margin_min / 100
    exact = closed_form(model[-1], model[0].transform(X), "l2")[right].min()
    assert terms.u_min <= terms.class_distance * exact * (1 + 1e-6)


def test_steps_with_unknown_values_are_refused(iris):
    X = np.random.default_rng(0).random((20, 2, 4, 4))
    with pytest.raises(ValueError, match="smallest singular value is known of add in model of Sho"):
        generalization_bound_terms(randomized(Shortcut()), X, np.zeros(20, int), eps=0.5)
    tokens = np.random.default_rng(0).random((20, 3, 4))
    for module, words in [
        (Attention(), "LayerNorm|layer_norm"),
        (FunctionalAttention(), "bmm|dot"),
    ]:
        with pytest.raises(ValueError, match=f"is known of .*({words})"):
            generalization_bound_terms(randomized(module), tokens, np.zeros(20, int), eps=0.5)
    large = nn.Sequential(
        nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 784, 3)
    )
    images = np.random.default_rng(0).random((20, 8, 28, 28))
    with pytest.raises(ValueError, match="12544 x 6272 entries, too large"):
        generalization_bound_terms(large, images, np.zeros(20, int), eps=0.5)
    same = nn.Linear(4, 3)
    nn.init.zeros_(same.weight)
    with pytest.raises(ValueError, match="No attack found a boundary of Linear"):
        X, y, _ = iris
        generalization_bound_terms(same, X, np.full(150, int(same.bias.argmax())), eps=0.1)


class FunctionalAttention(nn.Module):
    """Attention without a module of its own."""

    def __init__(self):
        super().__init__()
        self.last = nn.Linear(4, 3)

    def forward(self, x):
        return self.last(nn.functional.scaled_dot_product_attention(x, x, x).mean(1))


def test_the_bound_needs_a_last_linear_layer_and_different_samples(iris):
    X, y, model = iris
    with pytest.raises(ValueError, match="does not end in a linear layer"):
        generalization_bound_terms(GaussianNB().fit(X, y), X, y, eps=0.1)
    with pytest.raises(ValueError, match="eps is 0"):
        generalization_bound_terms(model, X, y, eps=0)
    with pytest.raises(ValueError, match="1 points in different places"):
        generalization_bound_terms(model, np.repeat(X[:1], 30, 0), np.repeat(y[:1], 30), eps=0.1)
