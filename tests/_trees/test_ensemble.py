"""Ensembles over ranks."""

import numpy as np
from sklearn.tree import DecisionTreeClassifier

from sklearn_robust._trees import TreeSearcher
from sklearn_robust.differentiable import open_model
from tests._trees.oracles import random_forest

ONE = np.array([[0.0], [0.1], [0.2], [0.3]], dtype=np.float32)


def searcher_of(model, X):
    return TreeSearcher(open_model(model), X)


def test_values_are_rounded_to_float32_before_they_are_compared():
    model = DecisionTreeClassifier().fit(ONE, [0, 0, 1, 1])
    ensemble = searcher_of(model, ONE).ensemble
    threshold = ensemble.thresholds[0][0]
    below = float(np.nextafter(np.float32(threshold), np.float32(0)))
    near = [threshold - 1e-6, below, np.nextafter(below, 1), threshold, threshold + 1e-6]
    near = np.array(near)[:, None]
    np.testing.assert_array_equal(ensemble.ranks(near)[:, 0], model.predict(near))
    assert ensemble.ranks(near)[[0, 1, 2, -1], 0].tolist() == [0, 0, 0, 1]


def test_a_box_reaches_the_leaves_that_its_points_fall_into():
    model, X, _ = random_forest(3)
    ensemble = searcher_of(model, X).ensemble
    low, high = ensemble.ranks(X - 0.1), ensemble.ranks(X + 0.1)
    reached = ensemble.reached(low, high)
    boxes = ensemble.leaf_boxes
    for i in range(len(X)):
        meets = ((boxes[0] <= high[i]) & (boxes[1] >= low[i])).all(1)
        np.testing.assert_array_equal(reached[i], meets)


def test_the_bound_of_tree_by_tree_is_never_too_low():
    model, X, _ = random_forest(4)
    ensemble = searcher_of(model, X).ensemble
    low, high = ensemble.ranks(X - 0.2), ensemble.ranks(X + 0.2)
    bound = ensemble.at_most(ensemble.reached(low, high), ensemble.gains(0, 1))
    rng = np.random.default_rng(0)
    for _ in range(20):
        sums = ensemble.sums(rng.integers(low, high + 1))
        assert (sums[:, 1] - sums[:, 0] <= bound + 1e-12).all()


def test_ties_of_votes_go_to_the_first_class():
    model, X, _ = random_forest(0)
    ensemble = searcher_of(model, X).ensemble
    ensemble.tol = 0.0
    assert ensemble.needed(1, 0) == -0.5 and ensemble.needed(0, 1) == 0.5
    ensemble.tol = 0.1
    assert ensemble.needed(0, 1) == -0.1 and ensemble.needed(0, 1, surely=True) == 0.1
