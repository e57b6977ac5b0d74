"""Data and a net that the tests of the report and of its checks share."""

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris
from sklearn.preprocessing import StandardScaler

from sklearn_robust import NaturalNet


@pytest.fixture(scope="session")
def digits():
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)
    return X[:1000], y[:1000], X[1200:1350], y[1200:1350]


@pytest.fixture(scope="session")
def natural(digits):
    X, y, _, _ = digits
    return NaturalNet(max_epochs=20, random_state=0).fit(X, y)


@pytest.fixture(scope="session")
def flowers():
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X).astype(np.float32), y
