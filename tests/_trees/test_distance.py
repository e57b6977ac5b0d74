"""Exact distances of trees, against all cells and a mixed-integer programme."""

import numpy as np
import pytest

from sklearn_robust._trees import TreeSearcher
from sklearn_robust.certification import certified_radius, minimal_distance
from sklearn_robust.differentiable import open_model
from tests._trees.oracles import NORMS, brute_distances, milp_distance, random_forest


def check_forest(seed, n_samples, *, programme):
    """Compare radii of a random forest with both oracles; return the share of ties."""
    ties = []
    model, X, y = random_forest(seed)
    X, y = X[:n_samples], y[:n_samples]
    levels = TreeSearcher(open_model(model), X).levels
    right = model.predict(X) == y
    codes = np.searchsorted(model.classes_, y)
    for norm, order in NORMS.items():
        expected = np.where(right, brute_distances(model, levels, X, codes, order), 0)
        options = {"norm": norm, "bounds": (0, 1), "time_limit": 60}
        radius = certified_radius(model, X, y, **options)
        exact = minimal_distance(model, X, y, **options)
        known = np.isfinite(exact) | np.isinf(exact)
        name = f"{seed} {norm}"
        np.testing.assert_allclose(exact[known], expected[known], atol=1e-6, err_msg=name)
        np.testing.assert_array_equal(exact[known], radius[known])
        assert (radius <= expected + 1e-6).all(), name
        ties.append((~known).mean())  # there predict decides a tie, by the rounding of its sums
        if norm == "linf" and programme:
            ensemble = TreeSearcher(open_model(model), X).ensemble
            for i in np.flatnonzero(right)[:2]:
                found = milp_distance(ensemble, levels, X[i].astype(float), codes[i])
                np.testing.assert_allclose(radius[i], found, atol=1e-6, err_msg=f"{seed} {i}")
    return np.mean(ties)


@pytest.mark.parametrize("seed", range(6))
def test_distances_equal_brute_force_and_milp(seed):
    assert check_forest(seed, 8, programme=True) == 0


@pytest.mark.slow
def test_distances_of_200_forests_equal_brute_force_and_milp():
    ties = [check_forest(seed, 6, programme=True) for seed in range(100, 300)]
    print(f"{np.mean(ties):.3f} of the distances end at a tie")
    assert np.mean(ties) < 0.05
