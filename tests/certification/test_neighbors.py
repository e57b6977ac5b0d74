"""Nearest neighbours."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_robust.attacks import Square
from sklearn_robust.certification import minimal_distance, robust_bounds
from tests._trees.oracles import NORMS, data

QUICK = Square(max_iter=20, random_state=0)


def grid_distance(model, x, y, order, n=160):
    """Distance of the nearest point of another class on a fine grid of the unit square."""
    axis = np.linspace(0, 1, n + 1)
    points = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    other = model.predict(points) != y
    return np.linalg.norm(points[other] - x, order, axis=1).min()


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("scaled", [False, True])
def test_distances_of_one_neighbour_equal_those_on_a_grid(norm, scaled):
    X, y = data(0, n_features=2)
    model = KNeighborsClassifier(1).fit(X[:40], y[:40])
    if scaled:
        model = make_pipeline(StandardScaler(), model).fit(X[:40], y[:40])
    X, y = X[40:50], y[40:50]
    found = minimal_distance(model, X, y, norm=norm, bounds=(0, 1))
    for x, label, distance in zip(X, y, found, strict=True):
        if model.predict(x[None])[0] == label:
            grid = grid_distance(model, x, label, NORMS[norm])
            assert distance <= grid <= distance + 0.05
        else:
            assert distance == 0


@pytest.mark.parametrize("norm", NORMS)
def test_both_sides_of_one_neighbour_are_equal(norm):
    X, y = data(1, n_classes=3)
    model = KNeighborsClassifier(1).fit(X[:40], y[:40])
    result = robust_bounds(model, X[40:], y[40:], eps=0.08, norm=norm, attack=QUICK)
    assert result.lower == result.upper and result.note is None
    wanted = minimal_distance(model, X[40:], y[40:], norm=norm) > 0.08
    np.testing.assert_array_equal(result.certified, wanted)


@pytest.mark.parametrize("k", [3, 5])
def test_several_neighbours_are_certified_from_below(k):
    X, y = data(2, n_classes=3)
    model = KNeighborsClassifier(k).fit(X[:40], y[:40])
    result = robust_bounds(model, X[40:52], y[40:52], eps=0.05, attack=QUICK)
    assert 0.1 < result.lower <= result.upper
    rng = np.random.default_rng(0)
    for _ in range(300):
        moved = np.clip(X[40:52] + rng.choice([-0.05, 0, 0.05], X[40:52].shape), 0, 1)
        assert (model.predict(moved) == y[40:52])[result.certified].all()


def test_what_is_not_followed_is_named():
    X, y = data(0)
    for model, words in (
        (KNeighborsClassifier(1, metric="manhattan"), "metric='manhattan'"),
        (KNeighborsClassifier(2), "use an odd number and weights='uniform'"),
        (KNeighborsClassifier(3, weights="distance"), "weights='distance'"),
    ):
        result = robust_bounds(model.fit(X, y), X[:3], y[:3], eps=0.1, attack=QUICK)
        assert result.lower == 0 and words in result.note


def test_principal_components_are_followed():
    X, y = data(3)
    model = make_pipeline(PCA(2), KNeighborsClassifier(1)).fit(X[:40], y[:40])
    result = robust_bounds(model, X[40:], y[40:], eps=0.1, attack=QUICK)
    assert result.lower == result.upper


@pytest.mark.slow
def test_one_neighbour_on_digits_is_exact():
    X, y = load_digits(return_X_y=True)
    parts = train_test_split(X / 16, y, random_state=0, test_size=0.3)
    model = KNeighborsClassifier(1).fit(parts[0], parts[2])
    for eps in (0.05, 0.1):
        result = robust_bounds(model, parts[1][:100], parts[3][:100], eps=eps)
        assert result.lower == result.upper
