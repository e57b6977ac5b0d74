"""Gaussian naive Bayes."""

import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_robust.attacks import PGD
from sklearn_robust.certification import certified_radius, robust_bounds
from tests._trees.oracles import data


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("bounds", [None, (0, 1)])
def test_both_sides_are_equal_in_linf(scaled, bounds):
    X, y = data(1, n_classes=3)
    model = make_pipeline(StandardScaler(), GaussianNB()) if scaled else GaussianNB()
    result = robust_bounds(model.fit(X, y), X, y, eps=0.1, bounds=bounds)
    assert result.lower == result.upper < model.score(X, y)


@pytest.mark.parametrize("norm", ["l2", "l1"])
def test_other_norms_are_certified_from_below(norm):
    X, y = data(2)
    model = GaussianNB().fit(X, y)
    result = robust_bounds(model, X, y, eps=0.1, norm=norm)
    assert result.upper - 0.1 <= result.lower <= result.upper
    box = robust_bounds(model, X, y, eps=0.1)
    assert (result.certified >= box.certified).all()
    attack = PGD(eps=0.1, norm=norm, n_restarts=3, random_state=0, random_start=True)
    assert not attack.evaluate(model, X, y).fooled[result.certified].any()


def test_radii_are_bisected():
    X, y = data(2)
    model = GaussianNB().fit(X, y)
    radius = certified_radius(model, X, y)
    for eps in (0.05, 0.1):
        wanted = robust_bounds(model, X, y, eps=eps).certified
        np.testing.assert_array_equal(radius > eps, wanted)
