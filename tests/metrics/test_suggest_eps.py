"""What a radius means in the units of the data."""

import itertools
import math

import numpy as np
import pytest
from sklearn.datasets import load_iris

from sklearn_robust.metrics import suggest_eps
from sklearn_robust.metrics._suggest_eps import describe_eps, is_image

RNG = np.random.default_rng(0)
ORDERS = {"linf": np.inf, "l2": 2, "l1": 1}


@pytest.mark.parametrize(
    ("X", "eps", "levels"),
    [
        (RNG.random((5, 3, 4, 4)), 8 / 255, 8),
        (RNG.random((5, 1, 4, 4)), 0.1, 25.5),
        (RNG.random((5, 4, 4)), 0.1, 25.5),
        (RNG.random((5, 3, 4, 4)) * 200, 8, 8),
    ],
)
def test_images_get_the_usual_radii(X, eps, levels):
    found = suggest_eps(X)
    assert found.eps == pytest.approx(eps) and found.grey_levels == pytest.approx(levels)
    assert f"{levels:.3g} of 255 grey levels" in repr(found)


def test_tables_get_a_tenth_of_the_spread_of_each_feature():
    X = RNG.normal(size=(200, 3)) * [1, 1000, 0]
    found = suggest_eps(X)
    np.testing.assert_allclose(found.eps, 0.1 * X.std(axis=0))
    np.testing.assert_allclose(found.share, [0.1, 0.1, 0], rtol=1e-9)
    assert found.grey_levels is None and found.nearest is None
    assert "0.1 times the standard deviation" in repr(found)


@pytest.mark.parametrize("norm", ORDERS)
def test_distances_to_other_classes_are_those_of_all_pairs(norm):
    X, y = RNG.normal(size=(40, 3)), np.arange(40) % 3
    found = suggest_eps(X, y, eps=0.25, norm=norm)
    want = [
        min(np.linalg.norm(X[i] - X[j], ORDERS[norm]) for j in range(40) if y[i] != y[j])
        for i in range(40)
    ]
    np.testing.assert_allclose(found.nearest * 0.25, want, rtol=1e-12)
    assert found.ceiling == pytest.approx(min(want) / 2)


def test_radii_by_feature_scale_the_distances():
    X, y, eps = RNG.normal(size=(30, 4)), np.arange(30) % 2, np.array([0.1, 1, 0.5, 2])
    found, scaled = suggest_eps(X, y, eps=eps), suggest_eps(X / eps, y, eps=1.0)
    np.testing.assert_allclose(found.nearest, scaled.nearest)
    np.testing.assert_allclose(found.ceiling, eps * scaled.ceiling)


def test_no_classifier_beats_the_best_possible():
    """On a line the best labelling of the cells between ball ends is found by trying all."""
    X, y = np.array([0.0, 0.3, 0.5, 0.55, 1.2, 1.3])[:, None], np.array([0, 1, 0, 1, 1, 0])
    eps = 0.12
    cells = np.sort([*(X[:, 0] - eps), *(X[:, 0] + eps)])
    middles = (cells[1:] + cells[:-1]) / 2
    covers = [[k for k, m in enumerate(middles) if abs(m - x) <= eps] for x in X[:, 0]]
    best = max(
        np.mean([all(labels[k] == y[i] for k in covers[i]) for i in range(6)])
        for labels in itertools.product((0, 1), repeat=len(middles))
    )
    assert best <= suggest_eps(X, y, eps=eps).best_possible < 1
    assert suggest_eps(X, y, eps=0.02).best_possible == 1


@pytest.mark.parametrize(("norm", "n"), [("l2", 2), ("l2", 3), ("l1", 2), ("l1", 3)])
def test_balls_of_other_norms_have_the_volume_of_the_cube(norm, n):
    X = RNG.random((50, n))
    volume = {("l2", 2): math.pi, ("l2", 3): 4 / 3 * math.pi, ("l1", 2): 2, ("l1", 3): 4 / 3}
    ratio = suggest_eps(X, norm=norm).eps / suggest_eps(X).eps
    np.testing.assert_allclose(volume[norm, n] * ratio**n, 2**n)


def test_many_samples_are_compared_in_part():
    X = np.arange(2500.0)[:, None]
    found = suggest_eps(X, np.arange(2500) % 2, eps=1.0)
    assert found.n_compared == 2000 and found.nearest.min() >= 1


@pytest.mark.parametrize(
    ("X", "given", "words"),
    [
        (np.ones((4, 2)), {}, "no feature of X varies"),
        (np.eye(2), {"eps": 0}, "eps is 0; give a radius above 0"),
        (np.eye(2), {"eps": [1, 2, 3]}, "eps has shape"),
        (np.eye(2), {"norm": "l7"}, "norm is 'l7'"),
        (np.eye(2), {"y": [0, 1, 2]}, "X has 2 samples and y has"),
    ],
)
def test_what_makes_no_sense_is_refused(X, given, words):
    with pytest.raises(ValueError, match=words):
        suggest_eps(X, **given)


def test_one_class_has_no_ceiling():
    assert suggest_eps(load_iris().data, np.zeros(150)).ceiling is None


def test_helpers():
    assert describe_eps(0.1) == "0.1" and describe_eps([0.1, 0.2]) == "0.1 to 0.2, by feature"
    assert is_image((8, 8)) and is_image((3, 8, 8)) and not is_image((5, 8, 8))
