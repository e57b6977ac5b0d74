"""Scalers as modules: zeros, ends of the data, and samples far from zero."""

from copy import copy
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import (
    MinMaxScaler,
    Normalizer,
    PowerTransformer,
    QuantileTransformer,
    SplineTransformer,
    StandardScaler,
)

from sklearn_robust.differentiable._meta import transformer


def test_standardising_far_from_zero_keeps_float32_digits():
    X = np.random.default_rng(0).normal(1000, 0.1, (50, 2)).astype(np.float32)
    scaler = StandardScaler().fit(X)
    out = transformer(scaler)(torch.tensor(X)).numpy()
    np.testing.assert_allclose(out, scaler.transform(X), atol=2e-3)


@pytest.mark.parametrize("norm", ["l1", "l2", "max"])
def test_a_sample_of_zeros_stays_and_has_finite_slopes(norm):
    module = transformer(Normalizer(norm).fit(np.ones((2, 3))))
    x = torch.zeros(1, 3, requires_grad=True)
    out = module(x)
    out.sum().backward()
    assert torch.equal(out, torch.zeros(1, 3))
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize(
    "fitted",
    [
        PowerTransformer(standardize=False),
        MinMaxScaler(clip=True),
        QuantileTransformer(n_quantiles=20),
        SplineTransformer(include_bias=False, extrapolation="constant"),
    ],
    ids=lambda fitted: type(fitted).__name__,
)
@pytest.mark.parametrize("end", [0.0, 1.0])
def test_the_ends_of_the_data_have_the_slope_inside(fitted, end):
    """Pixels of 0 and 1 are common: no gradient may be lost there."""
    module = transformer(fitted.fit(np.linspace(0, 1, 20)[:, None] ** 2))

    def slope(value):
        x = torch.full((1, 1), value, dtype=torch.float64, requires_grad=True)
        out = module(x)
        (grad,) = torch.autograd.grad((out * torch.arange(1, 1 + out.shape[1])).sum(), x)
        return float(grad)

    assert slope(end) == pytest.approx(slope(abs(end - 1e-9)), abs=1e-6) != 0


@cache
def bent(method):
    return PowerTransformer(method, standardize=False).fit(np.arange(1.0, 5)[:, None])


def bends_alike(method, lam, value):
    fitted = copy(bent(method))
    fitted.lambdas_ = np.array([lam])
    out = transformer(fitted)(torch.tensor([[value]], dtype=torch.float64)).numpy()
    np.testing.assert_allclose(out, fitted.transform([[value]]), rtol=1e-7, atol=1e-9)


@given(
    lam=st.sampled_from([-1.5, -1e-3, 0.0, 1e-12, 0.5, 1.0, 2.0, 2 - 1e-12, 3.0]),
    value=st.floats(-20, 20),
)
def test_yeo_johnson_holds_for_any_exponent(lam, value):
    bends_alike("yeo-johnson", lam, value)


@given(lam=st.sampled_from([-1.5, 0.0, 1e-12, 0.5, 2.0]), value=st.floats(1e-3, 20))
def test_box_cox_holds_for_any_exponent(lam, value):
    bends_alike("box-cox", lam, value)
