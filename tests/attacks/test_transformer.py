"""Attacks as transformers."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_robust.attacks import PGD


def test_transform_has_no_classes_to_reach():
    X, y = np.random.default_rng(0).random((20, 4)), [0, 1] * 10
    with pytest.raises(ValueError, match=r"generate\(estimator, X, y\)"):
        PGD(targeted=True).fit(X, y).transform(X)


def test_the_estimator_is_fitted_on_the_columns_of_a_frame():
    X = pd.DataFrame(np.random.default_rng(0).random((20, 2)), columns=["a", "b"])
    model = make_pipeline(ColumnTransformer([("b", StandardScaler(), ["b"])]), LogisticRegression())
    attack = PGD(model, eps=0.2, random_state=0).fit(X, [0, 1] * 10)
    moved = (attack.transform(X) != X.to_numpy(np.float32)).any(0)
    assert moved.tolist()[1] and list(attack.estimator_.feature_names_in_) == ["a", "b"]
