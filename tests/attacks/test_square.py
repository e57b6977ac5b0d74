"""Square: any classifier with scores, on images and on rows."""

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KBinsDiscretizer
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from sklearn_robust import _functional as F
from sklearn_robust.attacks import PGD, Square, WorstCase
from sklearn_robust.exceptions import NotDifferentiableError
from tests.attacks.models import NORMS, curved, lengths, linear, predicted, samples
from tests.cases import blobs

EPS = {"linf": 0.15, "l2": 0.4, "l1": 0.8}
X, Y = blobs(60, (4,), ("left", "right", "up"))
WITHOUT_GRADIENT = [
    RandomForestClassifier(10, random_state=0),
    DecisionTreeClassifier(random_state=0),
    KNeighborsClassifier(3),
    make_pipeline(KBinsDiscretizer(4, encode="ordinal", strategy="uniform"), LogisticRegression()),
]


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("model", WITHOUT_GRADIENT, ids=lambda m: type(m).__name__)
def test_models_without_a_gradient_are_attacked_by_their_scores(model, norm):
    model = model.fit(X, Y)
    attack = Square(eps=2 * EPS[norm], norm=norm, max_iter=60, random_state=0)
    result = attack.evaluate(model, X, Y)
    assert np.array_equal(result.fooled, model.predict(result.X_adv) != Y)
    assert result.fooled.mean() > (model.predict(X) != Y).mean() + 0.1
    with pytest.raises(NotDifferentiableError):
        PGD(eps=EPS[norm], norm=norm).evaluate(model, X, Y)


def test_a_cascade_of_black_boxes_attacks_them_too():
    forest = WITHOUT_GRADIENT[0].fit(X, Y)
    one, two = Square(max_iter=20), Square(max_iter=20, p_init=0.3)
    cascade = WorstCase([one, two], eps=0.2, random_state=0).evaluate(forest, X, Y)
    alone = Square(eps=0.2, max_iter=20, random_state=0).evaluate(forest, X, Y)
    assert cascade.fooled.sum() >= alone.fooled.sum()
    with pytest.raises(NotDifferentiableError):
        WorstCase([one, PGD()], eps=0.2).evaluate(forest, X, Y)


class Scores(ClassifierMixin, BaseEstimator):
    """A classifier with the methods that are asked for, and no view."""

    def __init__(self, method=None):
        self.method = method

    def fit(self, X, y):
        self.inner_ = LogisticRegression().fit(X, y)
        self.classes_ = self.inner_.classes_
        return self

    def predict(self, X):
        return self.inner_.predict(X)

    def __getattr__(self, name):
        if name == self.__dict__.get("method"):
            return getattr(self.inner_, name)
        raise AttributeError(name)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("method", ["decision_function", "predict_proba"])
def test_either_kind_of_score_will_do(method, n_classes):
    X, y = blobs(60, (4,), np.arange(n_classes))
    attack = Square(eps=0.3, max_iter=60, random_state=0)
    seen = attack.evaluate(Scores(method).fit(X, y), X, y).fooled
    differentiable = attack.evaluate(LogisticRegression().fit(X, y), X, y).fooled
    assert np.array_equal(seen, differentiable) and seen.any()


class Wrapped(ClassifierMixin, BaseEstimator):
    """Hands on the decision function of a model, and has no view."""

    def __init__(self, inner):
        self.inner = inner
        self.classes_ = inner.classes_

    def fit(self, X, y):
        return self

    def predict(self, X):
        return self.inner.predict(X)

    def decision_function(self, X):
        return self.inner.decision_function(X)


def test_no_scores_are_an_error_that_says_what_to_do():
    with pytest.raises(TypeError, match="needs predict_proba or decision_function.*Calibrated"):
        Square(eps=0.1).evaluate(Scores().fit(X, Y), X, Y)
    duels = SVC(decision_function_shape="ovo").fit(*blobs(60, (4,), np.arange(4)))
    with pytest.raises(TypeError, match="gives no score for each of its 4 classes"):
        Square(eps=0.1).evaluate(Wrapped(duels), *blobs(60, (4,), np.arange(4)))


@pytest.mark.parametrize("shape", [(6,), (8, 8), (3, 6, 9)], ids=repr)
@pytest.mark.parametrize("norm", NORMS)
def test_the_loss_rises_with_the_queries(norm, shape):
    model, x = curved(3, shape, width=24), samples(30, shape)
    y = predicted(model, x)
    eps = 0.2 * EPS[norm]  # nobody is fooled: the whole budget is spent
    clean = F.margin_loss(model(x), y).mean()
    losses = []
    for max_iter in (1, 20, 200):
        attack = Square(eps=eps, norm=norm, max_iter=max_iter, random_state=0)
        x_adv = attack.perturb(model, x, y)
        assert lengths(x_adv, x, norm).max() <= eps * (1 + 1e-12)
        losses.append(F.margin_loss(model(x_adv), y).mean())
    assert clean < losses[1] < losses[2]
    assert losses[0] < losses[1]


def test_linear_models_fall_to_the_corner_of_the_ball():
    """On rows every feature ends at the edge that PGD finds too."""
    model, x = linear(2), samples(40)
    y = predicted(model, x)
    eps = 0.08
    attack = Square(eps=eps, max_iter=600, random_state=0, bounds=None)
    withstood = attack.robust_mask(model, x, y)
    slope = (model.weight[1 - y] - model.weight[y]).abs().sum(1)
    assert torch.equal(withstood, F.margin(model(x), y) > eps * slope)


def test_queries_are_counted_and_end_early():
    model, X = linear(2), samples(40).float().numpy()
    y = predicted(model, torch.as_tensor(X).double()).numpy()
    result = Square(eps=0.1, max_iter=2000, random_state=0).evaluate(model, X, y)
    assert result.n_queries.max() < 1000  # no feature of a linear model has anything to give
    assert result.n_queries[result.fooled].mean() < result.n_queries[~result.fooled].mean()


def test_restarts_find_more():
    model, x = curved(4, width=60, seed=4), samples(100)
    y = predicted(model, x)
    one, many = (
        Square(eps=0.25, max_iter=4, n_restarts=n, random_state=0).robust_mask(model, x, y)
        for n in (1, 8)
    )
    assert (many <= one).all() and many.sum() < one.sum()


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("channel", [0, 2])
def test_any_channel_alone_may_move(norm, channel):
    model, x = linear(shape=(3, 4, 4)), samples(shape=(3, 4, 4))
    mask = np.zeros((3, 4, 4), bool)
    mask[channel] = True
    attack = Square(eps=1.0, norm=norm, bounds=None, mask=mask, max_iter=30, random_state=0)
    moved = (attack.perturb(model, x, predicted(model, x)) - x).abs().amax((0, 2, 3))
    assert [bool(size > 0) for size in moved] == mask.any((1, 2)).tolist()
