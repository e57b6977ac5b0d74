"""Affine maps of transformers."""

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.preprocessing import MinMaxScaler, QuantileTransformer, RobustScaler, StandardScaler

from sklearn_robust.certification._affine import affine_map

X = np.random.default_rng(0).normal(size=(40, 4))


def test_maps_are_composed():
    first = ColumnTransformer([("a", StandardScaler(), [0, 1]), ("b", RobustScaler(), [3])]).fit(X)
    second = PCA(2, whiten=True).fit(first.transform(X))
    found = affine_map([first, second], 4)
    wanted = second.transform(first.transform(X))
    np.testing.assert_allclose(X @ found.weight + found.bias, wanted, atol=1e-12)
    size = np.abs(X) @ found.weight_size + found.bias_size
    assert (size >= np.abs(wanted) - 1e-12).all()


def test_what_is_not_affine_is_named():
    clipped = MinMaxScaler(clip=True).fit(X)
    assert affine_map([clipped], 4) == "MinMaxScaler is not an affine map of the features"
    bent = QuantileTransformer(n_quantiles=10).fit(X)
    assert affine_map([bent], 4) == "QuantileTransformer is not an affine map of the features"
