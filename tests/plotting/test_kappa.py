"""Steps of an attack before it fools a sample, and the plane of the logits."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from sklearn_robust import GAIRATNet
from sklearn_robust.attacks import BIM, PGD
from sklearn_robust.plotting import GeometryDisplay
from tests.cases import blobs, quick

X, Y = blobs(90, labels=("cat", "dog", "owl"))
NET = quick(GAIRATNet, max_epochs=4, attack__eps=0.15, attack__random_state=0, lr=0.02).fit(X, Y)


def withstood(model, X, y, eps, max_iter):
    """Kappa of a linear model, a sample at a time: the attack's path is known step by step."""
    W, found = model.coef_, []
    for x, label in zip(X, np.searchsorted(model.classes_, y), strict=True):
        point, kappa = x.astype(float), 0
        for _ in range(max_iter):
            z = W @ point + model.intercept_
            kappa += z.argmax() == label
            p = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
            slope = W.T @ (p - np.eye(len(z))[label])
            point = np.clip(point + 2.5 * eps / max_iter * np.sign(slope), x - eps, x + eps)
        found.append(kappa)
    return np.array(found)


@pytest.mark.parametrize("max_iter", [1, 6])
def test_kappa_is_that_of_a_slow_reference(max_iter, pyplot):
    model = LogisticRegression(C=0.5).fit(X, Y)
    attack = BIM(eps=0.2, max_iter=max_iter, bounds=None)
    display = GeometryDisplay.from_estimator(model, X, Y, attack=attack, classes=("owl", "cat"))
    rows = Y != "dog"
    wanted = withstood(model, X[rows], Y[rows], 0.2, max_iter)
    assert np.array_equal(display.kappa, wanted)
    assert max_iter == 1 or len(np.unique(wanted)) > 2
    assert np.array_equal(display.labels, Y[rows]) and display.max_iter == max_iter


def test_the_plane_is_that_of_the_first_two_principal_components(pyplot):
    model = LogisticRegression().fit(X, Y)
    display = GeometryDisplay.from_estimator(model, X, Y)
    rows = np.isin(Y, ["cat", "dog"])
    z = model.decision_function(X[rows])
    gaps = z[:, None] - z[None]
    ours = display.points[:, None] - display.points[None]
    distance = np.linalg.norm(gaps, axis=2)  # three logits that add up to zero lie in a plane
    assert np.allclose(np.linalg.norm(ours, axis=2), distance, atol=1e-5)
    assert display.points[display.labels == "cat", 0].mean() < 0
    assert display.points[:, 0].std() > display.points[:, 1].std()


def test_a_net_is_attacked_as_it_was_trained(pyplot):
    own = GeometryDisplay.from_estimator(NET, X, Y)
    with_it = GeometryDisplay.from_estimator(NET, X, Y, attack=PGD(eps=0.15, random_state=0))
    assert own.max_iter == 10 and (own.kappa == with_it.kappa).all()
    weak = GeometryDisplay.from_estimator(NET, X, Y, attack=PGD(eps=0.01, random_state=0))
    assert weak.kappa.mean() > own.kappa.mean()


def test_logits_of_one_direction_lie_on_a_line(pyplot):
    X, y = blobs()
    model = LogisticRegression().fit(X, y)  # two logits that mirror each other
    points = GeometryDisplay.from_estimator(model, X, y).points
    assert points[:, 0].any() and not points[:, 1].any()
