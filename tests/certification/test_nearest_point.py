"""Smallest perturbations under linear constraints."""

import numpy as np
import pytest
from scipy.optimize import minimize

from sklearn_robust.certification._nearest_point import NearestPoint


@pytest.mark.parametrize("order", [1, 2, np.inf])
def test_sizes_equal_those_of_a_general_solver(order):
    rng = np.random.default_rng(0)
    for _ in range(5):
        A, b = rng.normal(size=(3, 4)), -rng.random(3) * 0.3
        radius = rng.uniform(0.5, 1.5, 4)
        size, d = NearestPoint(order, radius, -np.ones(4), np.ones(4)).solve(A, b)
        assert (A @ d <= b + 1e-8).all() and np.abs(d).max() <= 1 + 1e-9
        np.testing.assert_allclose(np.linalg.norm(d / radius, order), size, atol=1e-8)
        if order == 2:
            limits = {"type": "ineq", "fun": lambda v, A=A, b=b: b - A @ v}
            other = minimize(
                lambda v, r=radius: np.sum((v / r) ** 2),
                d * 0.5 + 0.1,
                constraints=limits,
                bounds=[(-1, 1)] * 4,
                method="SLSQP",
            )
            np.testing.assert_allclose(size, np.sqrt(other.fun), atol=1e-5)


@pytest.mark.parametrize("order", [1, 2, np.inf])
def test_constraints_that_nothing_meets(order):
    point = NearestPoint(order, np.array([1.0, 0.0]), -np.ones(2), np.ones(2))
    assert point.solve(np.array([[0.0, 1.0]]), np.array([-0.5]))[0] == np.inf
    assert point.solve(np.array([[1.0, 0.0]]), np.array([-2.0]))[0] == np.inf
    assert point.solve(np.array([[1.0, 0.0]]), np.array([-0.5]))[0] == pytest.approx(0.5)
