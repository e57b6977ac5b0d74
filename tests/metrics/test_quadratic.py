"""What a quadratic can do inside a ball."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from sklearn_robust.metrics import taylor_bound
from sklearn_robust.metrics._quadratic import worst_drop
from tests.metrics.indicator_cases import N_FEATURES, quadratic, samples

X = samples(8)


@pytest.mark.parametrize("sign", [1, -1, 0])
def test_the_exact_worst_case_is_that_of_an_optimiser(sign):
    module, y, eps = quadratic(), np.zeros(8, int), 0.7
    if sign:  # definite: all of one sign
        with torch.no_grad():
            module.A.copy_(sign * module.A @ module.A / 3)
    A, b = module.A.detach().numpy(), module.b.detach().numpy()
    options = {"eps": eps, "norm": "l2", "order": 2}
    exact = taylor_bound(module, X, y, curvature="exact", **options)
    for x, drop in zip(X[:4], exact[:4], strict=True):
        J = A @ x + b
        runs = [
            minimize(
                lambda d, J=J: J @ d + d @ A @ d / 2,
                start,
                jac=lambda d, J=J: J + A @ d,
                constraints={
                    "type": "ineq",
                    "fun": lambda d: eps**2 - d @ d,
                    "jac": lambda d: -2 * d,
                },
                method="SLSQP",
            ).fun
            for start in np.random.default_rng(0).normal(size=(8, N_FEATURES)) * 0.1
        ]
        assert drop == pytest.approx(-min(runs), rel=1e-6)
    assert (exact <= taylor_bound(module, X, y, **options) + 1e-9).all()
    both = taylor_bound(module, X, y, curvature="exact", one_sided=False, **options)
    assert (both >= exact).all()


@given(st.integers(1, 6), st.integers(0, 1000), st.booleans())
def test_the_worst_drop_of_any_quadratic_beats_sampling(d, seed, hard):
    rng = np.random.default_rng(seed)
    H = rng.normal(size=(1, d, d)).round(1)
    H = H + H.transpose(0, 2, 1)
    J = rng.normal(size=(1, d)).round(1)
    if hard:  # the gradient misses the lowest eigenvector
        Q = np.linalg.eigh(H)[1][0]
        J = J - (J @ Q[:, :1]) @ Q[:, :1].T
    drop = worst_drop(torch.tensor(J), torch.tensor(H)).item()
    v = rng.normal(size=(4000, d))
    v *= (rng.random((4000, 1)) ** (1 / d)) / np.linalg.norm(v, axis=1, keepdims=True)
    v = np.concatenate([v, v / np.linalg.norm(v, axis=1, keepdims=True)])
    seen = (-(v @ J[0]) - np.einsum("ni,ij,nj->n", v, H[0], v) / 2).max()
    assert drop >= seen - 1e-7
    assert drop <= np.linalg.norm(J) + max(0, -np.linalg.eigvalsh(H[0])[0]) / 2 + 1e-7
