"""A small table of people, pipelines over it, and their exact robust accuracy."""

import warnings

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

RNG = np.random.RandomState(0)
N = 100
NUMBERS, KIND = RNG.randn(N, 2), RNG.randint(0, 4, N)
Y = (NUMBERS[:, 0] + 2 * (KIND == 2) > 0.5).astype(int)
TOWNS = np.array(list("wxyz"))[KIND]
NUMERIC = ["age", "income"]
FRAME = pd.DataFrame({"age": NUMBERS[:, 0], "income": NUMBERS[:, 1], "town": TOWNS})
CODED = np.c_[NUMBERS, KIND]


def pipeline(X=FRAME, encoder=None, coded=("town",), numeric=NUMERIC, scaler=None, **options):
    """Fit a linear model behind a scaler of numbers and an encoder of categories."""
    steps = make_column_transformer(
        (StandardScaler() if scaler is None else scaler, list(numeric)),
        (OneHotEncoder() if encoder is None else encoder, list(coded)),
        **options,
    )
    with warnings.catch_warnings():  # TargetEncoder changes its parameters
        warnings.simplefilter("ignore", FutureWarning)
        return make_pipeline(steps, LogisticRegression()).fit(X, Y)


def exact(model, X, eps):
    """Share of rows that keep their class when both numbers move by up to ``eps``."""
    f = model.decision_function(X)
    w = model[-1].coef_[0, :2] / model[0].transformers_[0][1].scale_
    return np.mean(np.where(Y == 1, f, -f) > eps * np.abs(w).sum())
