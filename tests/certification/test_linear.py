"""Linear classifiers: the margin over the dual norm, box included."""

import numpy as np
import pytest
from scipy.optimize import linprog
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression, Perceptron, RidgeClassifier, SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, PolynomialFeatures, StandardScaler
from sklearn.svm import SVC, LinearSVC, NuSVC

from sklearn_robust.attacks import PGD
from sklearn_robust.certification import certified_radius, minimal_distance, robust_bounds

X, Y = load_iris(return_X_y=True)
X = ((X - X.min(0)) / np.ptp(X, axis=0)).astype(np.float32)
DUAL = {"linf": 1, "l2": 2, "l1": np.inf}
NORMS = list(DUAL)

MODELS = [
    LogisticRegression(),
    RidgeClassifier(),
    SGDClassifier(random_state=0),
    Perceptron(random_state=0),
    LinearSVC(),
    LinearDiscriminantAnalysis(),
    make_pipeline(StandardScaler(), LogisticRegression()),
    make_pipeline(MinMaxScaler((-1, 1)), PCA(3, whiten=True), LinearSVC()),
]


@pytest.mark.parametrize("norm", NORMS)
def test_without_a_box_the_distance_is_the_margin_over_the_dual_norm(norm):
    model = LogisticRegression(C=10).fit(X.astype(float), Y)
    z = model.decision_function(X)
    right = z.argmax(1) == Y
    expected = np.full(len(X), np.inf)
    for j in range(3):
        gap = z[np.arange(len(X)), Y] - z[:, j]
        size = np.linalg.norm(model.coef_[Y] - model.coef_[j], DUAL[norm], axis=1)
        rows = right & (j != Y)
        expected[rows] = np.minimum(expected[rows], (gap[rows] / size[rows]))
    expected[~right] = 0
    found = minimal_distance(model, X, Y, norm=norm, bounds=None)
    np.testing.assert_allclose(found, expected, rtol=1e-8)
    np.testing.assert_array_equal(certified_radius(model, X, Y, norm=norm, bounds=None), found)


def programme(w, margin, x, norm):
    """Smallest perturbation in the unit cube by which ``w @ d`` reaches ``-margin``."""
    n = len(x)
    eye = np.eye(n)
    sizes = np.ones((n, 1)) if norm == "linf" else eye
    k = sizes.shape[1]
    rows = [np.r_[w, np.zeros(k)][None], np.hstack([eye, -sizes]), np.hstack([-eye, -sizes])]
    right = np.r_[-margin, np.zeros(2 * n)]
    bounds = [*zip(-x, 1 - x, strict=True), *[(0, None)] * k]
    done = linprog(np.r_[np.zeros(n), np.ones(k)], np.vstack(rows), right, bounds=bounds)
    return done.fun if done.success else np.inf


@pytest.mark.parametrize("norm", ["linf", "l1"])
def test_in_a_box_the_distance_is_that_of_a_linear_programme(norm):
    labels = (Y == 2).astype(int)
    model = LogisticRegression(C=5).fit(X.astype(float), labels)
    side = 2 * labels - 1
    expected = [
        programme(s * model.coef_[0], s * f, x, norm) if s * f > 0 else 0.0
        for x, f, s in zip(X.astype(float), model.decision_function(X), side, strict=True)
    ]
    found = minimal_distance(model, X, labels, norm=norm, bounds=(0, 1))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_both_sides_are_equal(model, norm):
    model = model.fit(X, Y)
    result = robust_bounds(model, X, Y, eps=0.1, norm=norm)
    assert result.lower == result.upper < model.score(X, Y)


@pytest.mark.parametrize("params", [{"mask": [2]}, {"eps": [0.0, 0.3, 0.05, 0.1]}])
def test_masks_and_uneven_radii(params):
    model = LogisticRegression(C=10).fit(X, Y)
    options = {"eps": 0.1, **params}
    result = robust_bounds(model, X, Y, **options)
    assert result.lower == result.upper
    attack = PGD(**options, random_state=0)
    assert not attack.evaluate(model, X, Y).fooled[result.certified].any()


@pytest.mark.parametrize("kind", [SVC, NuSVC])
def test_linear_support_vectors(kind):
    model = kind(kernel="linear").fit(X, Y)
    result = robust_bounds(model, X, Y, eps=0.1)
    assert result.upper - 0.02 <= result.lower <= result.upper
    two = kind(kernel="linear").fit(X, Y == 2)
    assert minimal_distance(two, X, Y == 2, bounds=None).max() < 1
    result = robust_bounds(two, X, Y == 2, eps=0.1)
    assert result.lower == result.upper


def test_what_is_not_linear_is_named():
    result = robust_bounds(SVC().fit(X, Y), X[:5], Y[:5], eps=0.1)
    assert "SVC(kernel='rbf'): it is not linear" in result.note or result.lower > 0
    pipe = make_pipeline(PolynomialFeatures(2), LogisticRegression()).fit(X, Y)
    result = robust_bounds(pipe, X[:5], Y[:5], eps=0.1)
    assert "PolynomialFeatures is not an affine map" in result.note or result.lower > 0
