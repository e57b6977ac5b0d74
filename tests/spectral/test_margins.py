"""Margins of a batch against closed forms of linear models."""

import math

import pytest
import torch
from torch import nn

from sklearn_robust.differentiable import as_module
from sklearn_robust.spectral._margins import Geometry, feature_margin, linear_margin
from tests.spectral.margins import DUAL


def linear():
    torch.manual_seed(0)
    return as_module(nn.Linear(4, 3).double()), torch.randn(6, 4).double()


@pytest.mark.parametrize("norm", DUAL)
def test_the_linearised_margin_divides_by_the_dual_norm(norm):
    model, x = linear()
    z, W = model(x), next(model.parameters())
    margin = linear_margin(model, x, norm)
    for row, top in enumerate(z.argmax(1)):
        others = [j for j in range(3) if j != top]
        far = [(z[row, top] - z[row, j]) / (W[top] - W[j]).norm(DUAL[norm]) for j in others]
        assert float(margin[row]) == pytest.approx(float(min(far)))


def test_the_feature_margin_of_a_linear_model_is_the_linearised_one():
    model, x = linear()
    margin = feature_margin(model(x), next(model.parameters()))
    torch.testing.assert_close(margin, linear_margin(model, x))


def test_geometry_holds_the_last_matrix_and_the_constants_before_it():
    model, x = linear()
    geometry = Geometry(model, x)
    W = next(model.parameters())
    assert geometry.to_features == 1 and geometry.unknown == []
    assert geometry.lipschitz == pytest.approx(float(torch.linalg.matrix_norm(W, 2)))
    lower = geometry.lower_bound(model(x), 4, "linf")
    torch.testing.assert_close(lower, linear_margin(model, x) / math.sqrt(4))
