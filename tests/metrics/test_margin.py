"""The smooth margin bounds the margin."""

import numpy as np
from torch import nn

from sklearn_robust.metrics import decision_margin
from tests.metrics.indicator_cases import N_CLASSES, mlp, samples, some_labels

X = samples()


def test_the_smooth_margin_bounds_the_margin():
    module, y = mlp(nn.ReLU), some_labels()
    S = decision_margin(module, X, y)
    for tau in (0.01, 0.3, 2.0):
        smooth = decision_margin(module, X, y, tau=tau)
        assert (smooth <= S + 1e-12).all()
        assert (S <= smooth + tau * np.log(N_CLASSES - 1) + 1e-12).all()
