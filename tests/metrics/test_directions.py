"""Directions in input space."""

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_robust.metrics import boundary_distance
from tests.metrics.indicator_cases import N_CLASSES, N_FEATURES, Constant, labels, samples

X = samples(30)


def test_a_saturated_cross_entropy_still_has_a_direction():
    torch.manual_seed(0)
    module = nn.Linear(N_FEATURES, N_CLASSES)
    with torch.no_grad():
        module.weight.mul_(3000)
    X32 = X.astype(np.float32)
    y = labels(module.double(), X)
    distance = boundary_distance(module.float(), X32, y, directions=["ce"], max_distance=20)
    assert np.isfinite(distance).all()


def test_a_gradient_of_zero_gives_no_direction():
    with pytest.warns(UserWarning, match="30 gradients are zero.*directions=.'random'"):
        distance = boundary_distance(
            Constant(), X, np.full(30, N_CLASSES - 1), directions=["cw"], max_distance=1
        )
    assert np.isinf(distance).all()
