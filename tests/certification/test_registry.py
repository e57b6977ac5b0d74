"""The registry of certifiers."""

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_robust._threat_model import ThreatModel
from sklearn_robust.certification import register_certifier
from sklearn_robust.certification._registry import make_problem
from sklearn_robust.differentiable import open_model

X = np.random.default_rng(0).random((30, 3))
Y = (X[:, 0] > 0.5).astype(int)


def test_the_classifier_inside_wrappers_is_found():
    inner = make_pipeline(StandardScaler(), "passthrough", LogisticRegression())
    search = GridSearchCV(inner, {"logisticregression__C": [1.0]}).fit(X, Y)
    model = open_model(FrozenEstimator(search))
    problem = make_problem(model, X.astype(np.float32), Y, ThreatModel(0.1).on(X))
    assert type(problem.classifier) is LogisticRegression
    assert [type(step) for step in problem.steps] == [StandardScaler]
    assert problem.X.dtype == np.float64


def test_what_is_registered_is_checked():
    with pytest.raises(TypeError, match="cls is 3; give a class of classifiers"):
        register_certifier(3)
    with pytest.raises(TypeError, match="function is 3; give a function of one Problem"):
        register_certifier(LogisticRegression, 3)
