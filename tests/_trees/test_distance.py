"""Exact distances of trees, against all cells and a mixed-integer programme."""

import numpy as np
import pytest

from sklearn_robust._trees import TreeSearcher
from sklearn_robust.certification import certified_radius, minimal_distance
from sklearn_robust.differentiable import open_model
from tests._trees.oracles import NORMS, brute_distances, milp_distance, random_forest


def check_forest(seed, n_samples, *, programme):
    """Compare radii of a random forest with both oracles."""
    model, X, y = random_forest(seed)
    X, y = X[:n_samples], y[:n_samples]
    levels = TreeSearcher(open_model(model), X).levels
    right = model.predict(X) == y
    codes = np.searchsorted(model.classes_, y)
    for norm, order in NORMS.items():
        expected = np.where(right, brute_distances(model, levels, X, codes, order), 0)
        options = {"norm": norm, "bounds": (0, 1), "time_limit": 60}
        np.testing.assert_allclose(
            minimal_distance(model, X, y, **options), expected, atol=1e-6, err_msg=f"{seed} {norm}"
        )
        np.testing.assert_array_equal(
            certified_radius(model, X, y, **options), minimal_distance(model, X, y, **options)
        )
        if norm == "linf" and programme:
            ensemble = TreeSearcher(open_model(model), X).ensemble
            for i in np.flatnonzero(right)[:2]:
                found = milp_distance(ensemble, levels, X[i].astype(float), codes[i])
                np.testing.assert_allclose(expected[i], found, atol=1e-6, err_msg=f"{seed} {i}")


@pytest.mark.parametrize("seed", range(6))
def test_distances_equal_brute_force_and_milp(seed):
    check_forest(seed, 8, programme=True)


@pytest.mark.slow
def test_distances_of_200_forests_equal_brute_force_and_milp():
    for seed in range(100, 300):
        check_forest(seed, 6, programme=True)
