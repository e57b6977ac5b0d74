"""Transformers that expand features, as modules."""

import numpy as np
import pytest
from sklearn.preprocessing import QuantileTransformer, SplineTransformer

from sklearn_robust.differentiable._meta import transformer
from sklearn_robust.exceptions import NotDifferentiableError


def test_tied_quantiles_and_flat_splines_are_refused_by_feature():
    X = np.random.default_rng(0).normal(size=(30, 3))
    X[:20, 1] = 0
    with pytest.raises(NotDifferentiableError, match="1 features .first feature 1.*jumps"):
        transformer(QuantileTransformer(n_quantiles=30).fit(X))
    X[:, 2] = 5
    with pytest.raises(NotDifferentiableError, match="number 2.*VarianceThreshold"):
        transformer(SplineTransformer().fit(X))
