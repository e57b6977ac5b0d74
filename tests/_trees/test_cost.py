"""Distances of boxes of ranks."""

import numpy as np
import pytest

from sklearn_robust._trees._cost import BallCost

LEVELS = [np.array([0.25, 0.75]), np.array([0.5])]
BOXES = np.array([[1, 0], [0, 0], [2, 1], [0, 1]])


@pytest.mark.parametrize(("order", "both"), [(np.inf, 0.5), (2, np.hypot(0.25, 0.5)), (1, 0.75)])
def test_distances_are_those_of_the_nearest_corners(order, both):
    x, rank = np.array([0.5, 0.0]), np.array([1, 0])
    cost = BallCost(LEVELS, x, rank, np.ones(2), order, slack=0.0)
    np.testing.assert_allclose(cost.distance(BOXES, BOXES), [0, 0.25, both, both])
    wide = cost.distance(np.zeros((1, 2), dtype=int), np.array([[2, 1]]))
    assert wide.tolist() == [0]
    np.testing.assert_allclose(cost.within(0.5).distance(BOXES[1:2], BOXES[1:2]), 0.5, rtol=1e-6)


def test_features_that_cannot_move_are_out_of_reach():
    x, rank = np.array([0.5, 0.0]), np.array([1, 0])
    cost = BallCost(LEVELS, x, rank, np.array([0.5, 0.0]), 2, slack=0.0)
    assert cost.distance(BOXES, BOXES).tolist() == [0, pytest.approx(0.5), np.inf, np.inf]


def test_slack_makes_distances_shorter_or_longer():
    x, rank = np.array([0.5, 0.0]), np.array([1, 0])
    gaps = [
        BallCost(LEVELS, x, rank, np.ones(2), 2, slack=s).distance(BOXES, BOXES)[1]
        for s in (0.01, 0.0, -0.01)
    ]
    assert gaps[0] < gaps[1] < gaps[2]
