"""HopSkipJump: it asks for labels alone, and comes near the boundary."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import NearestCentroid
from sklearn.svm import LinearSVC

from sklearn_robust import robust_score
from sklearn_robust.attacks import HopSkipJump
from tests.attacks.models import boundary_distance, curved, distances, linear, predicted, samples


class OnlyLabels:
    """A classifier that predicts labels and gives no scores."""

    def __init__(self, model):
        self.model, self.classes_, self.n_asked = model, model.classes_, 0

    def predict(self, X):
        self.n_asked += len(X)
        return self.model.predict(X)


@pytest.mark.parametrize("shape", [(6,), (1, 4, 4)], ids=repr)
@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_it_comes_near_the_boundary_of_linear_models(norm, shape):
    model, x = linear(3, shape), samples(20, shape)
    y = predicted(model, x)
    found = distances(HopSkipJump(norm=norm, max_iter=10, bounds=None, random_state=0), model, x, y)
    exact = torch.as_tensor(boundary_distance(model, x, y, norm))
    assert (found >= exact * (1 - 1e-6)).all()
    assert (found / exact).median() < 1.03 and (found <= 1.3 * exact).double().mean() > 0.9


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_a_classifier_without_scores_is_attacked_by_its_labels(norm):
    X, y = load_iris(return_X_y=True)
    svm = LinearSVC().fit(X, y)
    labels = OnlyLabels(svm)
    attack = HopSkipJump(norm=norm, max_iter=10, bounds=None, random_state=0)
    result = attack.evaluate(labels, X[::5], y[::5])
    assert result.fooled.all() and (svm.predict(result.X_adv) != y[::5]).all()
    gaps = svm.decision_function(X[::5])
    own = np.argmax(gaps, axis=1)
    slope = svm.coef_[:, None] - svm.coef_[None]
    length = np.linalg.norm(slope, ord={"l2": 2, "linf": 1}[norm], axis=2)
    away = (gaps.max(1)[:, None] - gaps) / np.maximum(length[own], 1e-30)
    exact = np.where(np.arange(3) == own[:, None], np.inf, away).min(1) * (own == y[::5])
    assert (result.distance >= exact * (1 - 1e-5)).all()
    assert np.median(result.distance[exact > 0] / exact[exact > 0]) < 1.03


def test_queries_are_counted_one_by_one():
    X, y = load_iris(return_X_y=True)
    labels = OnlyLabels(LinearSVC().fit(X, y))
    attack = HopSkipJump(max_iter=2, n_directions=10, bounds=None, random_state=0)
    result = attack.evaluate(labels, X[::10], y[::10])
    # The confirmation and the look at the model before the attack ask a few times more.
    assert result.n_queries.sum() <= labels.n_asked <= result.n_queries.sum() + 4 * len(X[::10])


def test_more_jumps_end_nearer():
    model, x = curved(4, width=40, steep=2.0), samples(15)
    y = predicted(model, x)
    few, many = (distances(HopSkipJump(max_iter=n, random_state=0), model, x, y) for n in (1, 8))
    assert many.median() < few.median() and (many <= few).all()


def test_robust_accuracy_by_labels_alone():
    X, y = load_iris(return_X_y=True)
    model = NearestCentroid().fit(X, y)
    attack = HopSkipJump(eps=0.3, norm="linf", max_iter=5, bounds=None, random_state=0)
    assert robust_score(OnlyLabels(model), X, y, attack=attack) < model.score(X, y)


def test_a_regressor_is_refused():
    X, y = load_iris(return_X_y=True)
    model = LinearRegression().fit(X, y)
    with pytest.raises((TypeError, ValueError), match="LinearRegression"):
        HopSkipJump(random_state=0).evaluate(model, X, y)


def test_other_norms_are_refused():
    with pytest.raises(ValueError, match="norm is 'l1', which HopSkipJump does not support"):
        HopSkipJump(norm="l1").perturb(linear(), samples(), torch.zeros(12).long())
