"""Transformers of columns as modules."""

import numpy as np
import pytest
import torch
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import SplineTransformer, StandardScaler

from sklearn_robust.differentiable import as_module
from sklearn_robust.differentiable._meta import transformer
from tests.differentiable.estimators import LINEAR, columns

FRAME_COLUMNS = {
    "names": [(StandardScaler(), ["b", "d"]), ("passthrough", ["a"])],
    "name-slice": [(StandardScaler(), slice("b", "c")), ("drop", ["a"])],
    "open-slice": [(StandardScaler(), slice("c", None))],
    "positions": [(StandardScaler(), [0, 3]), ("passthrough", slice(1, 2))],
    "selector": [(StandardScaler(), make_column_selector(pattern="[ac]"))],
}


@pytest.mark.parametrize("remainder", ["passthrough", "drop", PCA(1)], ids=str)
@pytest.mark.parametrize("name", FRAME_COLUMNS)
def test_frames_are_viewed_by_position(flowers, name, remainder):
    pandas = pytest.importorskip("pandas")
    X, y = flowers()
    frame = pandas.DataFrame(X, columns=list("abcd"))
    model = make_pipeline(columns(*FRAME_COLUMNS[name], remainder=remainder), LINEAR)
    model.fit(frame, y)
    z = as_module(model)(torch.tensor(X)).numpy()
    np.testing.assert_allclose(z, model.decision_function(frame), atol=1e-8)


def test_sparse_output_of_a_column_transformer_does_not_matter(agrees, flowers):
    X, y = flowers()
    mixed = make_column_transformer(
        (SplineTransformer(sparse_output=True), [0, 1]), (StandardScaler(), [2]), sparse_threshold=1
    )
    agrees(make_pipeline(mixed, LINEAR).fit(X, y), X)


@pytest.mark.filterwarnings("ignore:Skipping features without any observed values")
@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("flags", [True, False])
@pytest.mark.parametrize("strategy", ["median", "constant"])
def test_imputers_keep_drop_and_flag_the_same_columns(strategy, flags, keep):
    X = np.random.default_rng(0).normal(size=(20, 4))
    X[3, 0] = X[5, 2] = np.nan
    X[:, 1] = np.nan
    imputer = SimpleImputer(strategy=strategy, add_indicator=flags, keep_empty_features=keep)
    imputer.fit(X)
    full = np.random.default_rng(1).normal(size=(6, 4))
    out = transformer(imputer)(torch.tensor(full)).numpy()
    np.testing.assert_allclose(out, imputer.transform(full))
