"""Radii; the bisection is tested in test_bounds."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from sklearn_robust.certification import certified_radius


def test_the_precision_is_checked():
    X = np.random.default_rng(0).random((10, 2))
    y = (X[:, 0] > 0.5).astype(int)
    with pytest.raises(ValueError, match="tol is 0; give a number above 0 and at most 1"):
        certified_radius(LogisticRegression().fit(X, y), X, y, tol=0)
