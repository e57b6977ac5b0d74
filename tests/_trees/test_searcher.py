"""Decisions about samples: proofs and adversarial examples, in every norm."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_robust._trees import TreeSearcher
from sklearn_robust.certification import robust_bounds
from sklearn_robust.differentiable import open_model
from tests._trees.oracles import NORMS, brute_distances, data, random_forest


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("seed", range(3))
def test_both_sides_equal_brute_force(seed, norm):
    model, X, y = random_forest(seed)
    levels = TreeSearcher(open_model(model), X).levels
    codes = np.searchsorted(model.classes_, y)
    distance = brute_distances(model, levels, X.astype(float), codes, NORMS[norm])
    right = model.predict(X) == y
    for eps in (0.03, 0.1):
        result = robust_bounds(model, X, y, eps=eps, norm=norm, bounds=(0, 1), time_limit=60)
        clear = np.abs(distance - eps) > 1e-5
        wanted = right & (distance > eps)
        np.testing.assert_array_equal(result.certified[clear], wanted[clear])
        np.testing.assert_array_equal(result.attacked[clear], wanted[clear])


@pytest.mark.parametrize("params", [{"mask": [0]}, {"eps": [0.2, 0.02, 0.0]}])
def test_masks_and_uneven_radii_are_followed_behind_scalers(params):
    X, y = data(0)
    options = {"eps": 0.1, "bounds": (0, 1), **params}
    forest = RandomForestClassifier(3, max_depth=3, random_state=0)
    pipe = make_pipeline(StandardScaler(), forest).fit(X.astype(float), y)
    result = robust_bounds(pipe, X, y, **options)
    assert result.lower == result.upper < pipe.score(X, y)
    radius = np.broadcast_to(options["eps"], 3) * (np.arange(3) == 0 if "mask" in params else 1)
    rng = np.random.default_rng(0)
    for _ in range(200):
        moved = X + radius * rng.choice([-1, -0.5, 0, 0.5, 1], X.shape)
        moved = np.clip(moved, 0, 1).astype(np.float32)
        assert (pipe.predict(moved) == y)[result.certified].all()


def test_integer_features_are_searched_in_a_larger_set_and_rounded():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 6, (60, 3)).astype(np.float32)
    y = (X.sum(1) > 7).astype(int)
    model = RandomForestClassifier(3, max_depth=3, random_state=0).fit(X, y)
    result = robust_bounds(model, X, y, eps=1, bounds=None, integer=[0, 1, 2])
    steps = np.array(np.meshgrid(*[[-1, 0, 1]] * 3)).reshape(3, -1).T
    truth = np.all([model.predict(X + step) == y for step in steps], axis=0)
    np.testing.assert_array_equal(result.certified, truth)
    np.testing.assert_array_equal(result.attacked, truth)
