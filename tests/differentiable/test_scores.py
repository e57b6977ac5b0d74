"""Scores of a model without a gradient."""

import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier

from sklearn_robust.differentiable import open_model
from sklearn_robust.exceptions import NotDifferentiableError
from tests.cases import blobs

X, y = blobs(60, labels=("a", "b", "c"))


def test_a_model_without_a_gradient_has_scores_and_says_why():
    forest = RandomForestClassifier(5, random_state=0).fit(X, y)
    model = open_model(forest)
    assert not model.differentiable and "predicts by trees" in model.reason
    with pytest.raises(NotDifferentiableError, match="predicts by trees"):
        model.logits(torch.tensor(X))
    p = forest.predict_proba(X)
    found = model.scores(torch.tensor(X)).exp()
    np.testing.assert_allclose(found, p.clip(np.finfo(float).tiny), atol=1e-12)
