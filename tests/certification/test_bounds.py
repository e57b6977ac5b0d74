"""Both sides of robust accuracy."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_robust.attacks import PGD, Square
from sklearn_robust.certification import (
    Certificate,
    certified_radius,
    certified_score,
    make_certified_scorer,
    minimal_distance,
    register_certifier,
    robust_bounds,
)

X = np.array([[0.1], [0.3], [0.45], [0.9]])
Y = np.array([0, 0, 0, 1])


class Threshold(ClassifierMixin, BaseEstimator):
    """Class 1 from 0.5 on, of an unknown kind."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.n_features_in_ = 1
        return self

    def predict_proba(self, X):
        p = np.clip(np.asarray(X)[:, 0], 0, 1)
        return np.stack([1 - p, p], 1)

    def predict(self, X):
        return self.classes_[(np.asarray(X)[:, 0] >= 0.5).astype(int)]


class Known(Threshold):
    """The same, with a certifier."""


@register_certifier(Known)
def certify_known(problem):
    low, high = problem.limits
    return np.where(problem.codes == 1, low[:, 0] >= 0.5, high[:, 0] < 0.5)


def test_an_unknown_model_is_proven_nothing_of_with_a_note():
    square = Square(max_iter=50, random_state=0)
    result = robust_bounds(Threshold().fit(X, Y), X, Y, eps=0.1, attack=square)
    assert result.lower == 0 and result.upper == 0.75
    assert result.note.startswith("Nothing is proven of Threshold: no certifier knows it.")


def test_a_registered_certifier_gives_the_lower_side():
    result = robust_bounds(Known().fit(X, Y), X, Y, eps=0.1)
    assert (result.lower, result.upper, result.note) == (0.75, 0.75, None)
    assert result.certified.tolist() == [True, True, False, True]
    assert certified_score(Known().fit(X, Y), X, Y, eps=0.1) == 0.75
    assert make_certified_scorer(0.1)(FrozenEstimator(Known().fit(X, Y)), X, Y) == 0.75


def test_radii_are_bisected_for_each_sample():
    radius = certified_radius(Known().fit(X, Y), X, Y, tol=1e-6)
    np.testing.assert_allclose(radius, [0.4, 0.2, 0.05, 0.4], rtol=2e-6)
    assert certified_radius(Known().fit(X, Y), X, Y[::-1])[[0, 3]].tolist() == [0, 0]


def test_without_a_direct_method_there_is_no_exact_distance():
    with pytest.raises(TypeError, match="Known has no exact distances: ask certified_radius"):
        minimal_distance(Known().fit(X, Y), X, Y)


def test_a_counter_example_counts_only_if_predict_confirms_it_inside_the_ball():
    class Liar(Known):
        pass

    @register_certifier(Liar)
    def certify_liar(problem):
        points = problem.X.astype(np.float32).copy()
        points[:] = [[0.2], [0.6], [0.5], [np.nan]]
        return Certificate(np.zeros(4, dtype=bool), points, "It lies.")

    result = robust_bounds(Liar().fit(X, Y), X, Y, eps=0.1)
    assert result.attacked.tolist() == [True, True, False, True]
    assert result.note == "It lies."


def test_a_certifier_must_answer_for_each_sample():
    class Short(Known):
        pass

    register_certifier(Short, lambda problem: np.ones(2, dtype=bool))
    with pytest.raises(ValueError, match=r"certifier of Short returned an array of shape \(2,\)"):
        robust_bounds(Short().fit(X, Y), X, Y, eps=0.1)


def test_an_attack_is_run_in_the_threat_model_of_the_call():
    pipe = make_pipeline(StandardScaler(), Known()).fit(X, Y)
    with pytest.raises(TypeError, match="Known has no differentiable model"):
        robust_bounds(pipe, X, Y, eps=0.1, attack=PGD(eps=9))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"eps": -1}, "eps is -1; give a finite radius"),
        ({"eps": 0.1, "norm": "l9"}, "norm is 'l9'"),
        ({"eps": 0.1, "attack": PGD}, "give an attack instance"),
        ({"eps": [0.1, 0.2]}, "eps has shape"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises((ValueError, TypeError), match=message):
        robust_bounds(Known().fit(X, Y), X, Y, **arguments)
