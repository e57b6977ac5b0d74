"""A display opens each estimator once."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from sklearn_robust import NaturalNet
from sklearn_robust.attacks import PGD
from sklearn_robust.differentiable import _model
from sklearn_robust.plotting import (
    DecisionSurfaceDisplay,
    GeometryDisplay,
    HessianSpectrumDisplay,
    JacobianDisplay,
    JacobianHistogramDisplay,
    LossSurfaceDisplay,
    RobustnessCurveDisplay,
)

X, Y = load_digits(n_class=3, return_X_y=True)
X, Y = X[:30] / 16, Y[:30]
MODEL = LogisticRegression(max_iter=1000).fit(X, Y)
NET = NaturalNet(max_epochs=1, random_state=0).fit(X.astype(np.float32), Y)
ATTACK = PGD(max_iter=2, random_state=0)

CASES = {
    DecisionSurfaceDisplay: (MODEL, {"grid_resolution": 5, "trajectory": ATTACK}),
    GeometryDisplay: (MODEL, {}),
    HessianSpectrumDisplay: (MODEL, {"of": "loss"}),
    JacobianHistogramDisplay: (MODEL, {}),
    JacobianDisplay: (MODEL, {"image_shape": (8, 8)}),
    LossSurfaceDisplay: (NET, {"grid_resolution": 3}),
    RobustnessCurveDisplay: (MODEL, {"eps": [0, 0.1, 0.2], "attack": ATTACK}),
}


@pytest.mark.parametrize("cls", CASES, ids=lambda cls: cls.__name__)
def test_the_model_is_opened_once(cls, monkeypatch, pyplot):
    opened = []
    original = _model.as_module
    monkeypatch.setattr(_model, "as_module", lambda model: opened.append(model) or original(model))
    model, options = CASES[cls]
    cls.from_estimator(model, X, Y, **options)
    assert opened == [model]
