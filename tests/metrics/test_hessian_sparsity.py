"""Shares of zero eigenvalues against dense matrices and closed forms."""

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_robust.metrics import hessian_eigvals, hessian_sparsity
from tests.metrics.indicator_cases import N_CLASSES, linear, mlp, quadratic, samples

X = samples(6)
Y = np.arange(6) % N_CLASSES


def test_zeros_are_those_of_the_matrix_of_a_quadratic():
    module, X = quadratic(8), samples(6, (8,))
    values = np.array([0, 0, 0, 1e-7, 1e-3, 1.0, -2.0, 50.0])
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(8, 8)))[0]
    module.A.data = torch.tensor((turn * values) @ turn.T)
    y = np.zeros(6, int)
    for threshold, relative, zeros in [(1e-6, True, 4), (1e-4, True, 5), (1e-8, False, 3)]:
        options = {"threshold": threshold, "relative": relative}
        assert np.allclose(hessian_sparsity(module, X, y, **options), zeros / 8)
    assert np.allclose(hessian_sparsity(module, X, y), 4 / 8)


@pytest.mark.parametrize(("activation", "of"), [(nn.Tanh, "margin"), (nn.ReLU, "loss")])
def test_the_hessian_is_chosen_as_by_the_indicator(activation, of):
    module = mlp(activation)
    lam = hessian_eigvals(module, X, Y, of=of)
    zeros = abs(lam) <= 1e-6 * abs(lam).max(1, keepdims=True)
    assert np.allclose(hessian_sparsity(module, X, Y), zeros.mean(1))
    assert np.allclose(hessian_sparsity(module, X, Y, of=of), zeros.mean(1))
    smooth = hessian_eigvals(module, X, Y, of="smooth_margin", tau=0.5)
    share = (abs(smooth) <= 1e-2).mean(1)
    options = {"of": "smooth_margin", "tau": 0.5, "threshold": 1e-2, "relative": False}
    assert np.allclose(hessian_sparsity(module, X, Y, **options), share)


def test_a_hessian_of_zeros_is_all_zeros():
    with pytest.warns(UserWarning, match="piecewise linear"):
        assert (hessian_sparsity(linear(), X, Y, of="margin") == 1).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [({"threshold": -1}, "threshold is -1"), ({"of": "entropy"}, "of is 'entropy'")],
)
def test_bad_options_are_told_what_is_wrong(options, message):
    with pytest.raises(ValueError, match=message):
        hessian_sparsity(linear(), X, Y, **options)
