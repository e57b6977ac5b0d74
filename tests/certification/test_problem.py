"""The question that a certifier answers."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from sklearn_robust._threat_model import ThreatModel
from sklearn_robust.certification._registry import make_problem
from sklearn_robust.differentiable import open_model

X = np.array([[0.0, 0.5, 0.25], [1.0, 0.75, 0.5]])
Y = np.array([0, 1])


def problem_of(**params):
    model = open_model(LogisticRegression().fit(X, Y))
    return make_problem(model, X.astype(np.float32), Y, ThreatModel(**params).on(X))


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_limits_are_ball_and_box(norm):
    low, high = problem_of(eps=0.25, norm=norm, mask=[True, True, False]).limits
    np.testing.assert_array_equal(low, [[0, 0.25, 0.25], [0.75, 0.5, 0.5]])
    np.testing.assert_array_equal(high, [[0.25, 0.75, 0.25], [1, 1, 0.5]])


def test_limits_of_integer_features_are_on_the_grid():
    low, high = problem_of(eps=0.5, integer=[0], bounds=None).limits
    np.testing.assert_array_equal(low[:, 0], [0, 1])
    np.testing.assert_array_equal(high[:, 0], [0, 1])


def test_each_sample_may_have_a_radius_of_its_own():
    problem = problem_of(eps=0.5, mask=[True, False, True]).scaled(np.array([2.0, np.inf]))
    np.testing.assert_array_equal(problem.radius, [[1, 0, 1], [np.inf, 0, np.inf]])
    low, high = problem.part([1]).limits
    np.testing.assert_array_equal(low, [[0, 0.75, 0]])
    np.testing.assert_array_equal(high, [[1, 0.75, 1]])
