"""Parsed trees are compared with the classifier on every call."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from sklearn_robust._trees import TreeSearcher
from sklearn_robust.certification import robust_bounds
from sklearn_robust.differentiable import open_model

X, Y = load_iris(return_X_y=True)
X = X.astype(np.float32)


class Contrary(RandomForestClassifier):
    """A forest that votes as its trees do, but predicts otherwise where sepals are long."""

    def predict(self, X):
        labels = super().predict(X)
        return np.where(np.asarray(X)[:, 0] > 7, (labels + 1) % 3, labels)


class Shifted(RandomForestClassifier):
    """A forest whose probabilities are not those of its trees."""

    def predict_proba(self, X):
        return super().predict_proba(np.asarray(X) + 0.01)


def test_the_first_row_that_disagrees_is_named():
    model = Contrary(5, random_state=0).fit(X, Y)
    row = int(np.flatnonzero(X[:, 0] > 7)[0])
    with pytest.raises(ValueError, match=f"disagree with its predictions at sample {row} of X"):
        TreeSearcher(open_model(model), X)


def test_points_at_thresholds_are_compared_too():
    model = Shifted(5, random_state=0).fit(X, Y)
    with pytest.raises(ValueError, match="at a point at a threshold, so nothing is certified"):
        TreeSearcher(open_model(model), X[:3])


def test_boosting_that_begins_with_another_model_is_not_certified():
    model = GradientBoostingClassifier(n_estimators=2, init=LogisticRegression(max_iter=500))
    model.fit(X, Y)
    result = robust_bounds(model, X[::10], Y[::10], eps=0.1)
    assert result.lower == 0 and result.note.startswith("Nothing is proven: The trees read from")
