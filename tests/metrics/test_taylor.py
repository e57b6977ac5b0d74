"""Taylor bounds and radii against closed forms, sampling and the exact worst case."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from torch import nn

from sklearn_robust.metrics import (
    decision_margin,
    hessian_eigvals,
    input_jacobian,
    taylor_bound,
    taylor_radius,
)
from sklearn_robust.metrics._quadratic import worst_drop
from tests.metrics.indicator_cases import (
    N_CLASSES,
    N_FEATURES,
    Constant,
    Scaled,
    labels,
    linear,
    mlp,
    quadratic,
    samples,
)

X = samples(8)
NORMS = ["linf", "l2", "l1"]
KINDS = ["auto", "spectral", "entrywise", "eigen"]
DUAL = {"linf": 1, "l2": 2, "l1": np.inf}


def points(norm, n=3000):
    """Random perturbations of length 1, corners of the ball among them."""
    rng = np.random.default_rng(0)
    v = rng.normal(size=(n, N_FEATURES))
    if norm == "linf":
        return np.sign(v)
    if norm == "l1":
        corners = np.concatenate([np.eye(N_FEATURES), -np.eye(N_FEATURES)])
        return np.concatenate([v / abs(v).sum(1, keepdims=True), corners])
    return v / np.linalg.norm(v, axis=1, keepdims=True)


@pytest.mark.parametrize("norm", NORMS)
def test_the_first_order_is_the_worst_drop_of_a_linear_model(norm):
    module = linear()
    y, eps = labels(module, X), 1e-3  # the runner-up stays
    J = input_jacobian(module, X, y)
    bound = taylor_bound(module, X, y, eps=eps, norm=norm)
    assert np.allclose(bound, eps * np.linalg.norm(J, DUAL[norm], axis=1), rtol=1e-12)
    worst = {
        "linf": np.sign(J),
        "l2": J / np.linalg.norm(J, axis=1, keepdims=True),
        "l1": np.sign(J) * (abs(J) == abs(J).max(1, keepdims=True)),
    }[norm]
    drop = decision_margin(module, X, y) - decision_margin(module, X - eps * worst, y)
    assert np.allclose(drop, bound, rtol=1e-9)


@pytest.mark.parametrize("one_sided", [True, False])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("norm", NORMS)
def test_the_second_order_bounds_a_quadratic(norm, kind, one_sided):
    module, y = quadratic(), np.zeros(8, int)
    options = {"norm": norm, "order": 2, "one_sided": one_sided}
    eps = 0.7
    bound = taylor_bound(module, X, y, eps=eps, curvature=kind, **options)
    steps = eps * points(norm)
    moved = np.stack([decision_margin(module, x + steps, np.zeros(len(steps), int)) for x in X])
    change = decision_margin(module, X, y)[:, None] - moved
    worst = change.max(1) if one_sided else abs(change).max(1)
    assert (bound >= worst - 1e-9).all()
    assert (taylor_bound(module, X, y, eps=eps, **options) <= bound + 1e-9).all()


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


@pytest.mark.parametrize("norm", NORMS)
def test_one_eps_a_feature_is_a_rescaling_of_the_features(norm):
    module, y = quadratic(), np.zeros(8, int)
    eps = np.linspace(0, 1, N_FEATURES)
    A, b = module.A.detach().numpy(), module.b.detach().numpy()
    J, H = (X @ A + b) * eps, eps[:, None] * A * eps
    first = np.linalg.norm(J, DUAL[norm], axis=1)
    assert np.allclose(taylor_bound(module, X, y, eps=eps, norm=norm), first)
    second = taylor_bound(module, X, y, eps=eps, norm=norm, order=2, curvature="spectral")
    bend = max(0, -np.linalg.eigvalsh(H)[0]) * (N_FEATURES if norm == "linf" else 1)
    assert np.allclose(second, first + bend / 2)


def test_lanczos_gives_the_spectral_bound_of_the_dense_matrix(monkeypatch):
    module, y = mlp(nn.Tanh), np.arange(8) % N_CLASSES
    lam = hessian_eigvals(module, X, y)
    first = taylor_bound(module, X, y, eps=0.1, norm="l2")
    for one_sided, bend in ((True, np.maximum(-lam[:, 0], 0)), (False, abs(lam).max(1))):
        options = {"norm": "l2", "order": 2, "one_sided": one_sided, "curvature": "spectral"}
        bound = taylor_bound(module, X, y, eps=0.1, **options)
        assert np.allclose(bound, first + 0.005 * bend, rtol=1e-9)


def test_a_relu_net_has_no_second_order():
    module, y = mlp(nn.ReLU), np.arange(8) % N_CLASSES
    with pytest.warns(UserWarning, match="piecewise linear"):
        second = taylor_bound(module, X, y, eps=0.1, order=2)
    assert np.array_equal(second, taylor_bound(module, X, y, eps=0.1))


# -- radii --------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", NORMS)
def test_the_radius_is_where_the_bound_meets_the_margin(norm):
    module = mlp(nn.Softplus)
    y = labels(module, X)
    S = decision_margin(module, X, y)
    for order in (1, 2):
        for kind in KINDS if order == 2 else KINDS[:1]:
            r = taylor_radius(module, X, y, norm=norm, order=order, curvature=kind)
            reach = [
                taylor_bound(
                    module, x[None], c[None], eps=e, norm=norm, order=order, curvature=kind
                )
                for x, c, e in zip(X, y, r, strict=True)
            ]
            assert np.allclose(np.ravel(reach), S, rtol=1e-6)


def test_the_radius_of_a_quadratic_never_exceeds_the_distance():
    module = quadratic()
    y = labels(module, X)
    A, b = module.A.detach().numpy(), module.b.detach().numpy()
    r = taylor_radius(module, X, y, norm="l2", order=2)
    S = decision_margin(module, X, y)
    sign = np.where(y == 0, 1, -1)
    for x, s, radius, margin in zip(X, sign, r, S, strict=True):
        steps = radius * points("l2")
        values = s * (((x + steps) @ A * (x + steps)).sum(1) / 2 + (x + steps) @ b)
        assert margin > 0 and (values >= -1e-9).all()


def test_without_curvature_the_second_order_is_the_first():
    module = linear()
    y = labels(module, X)
    with pytest.warns(UserWarning, match="piecewise linear"):
        second = taylor_radius(module, X, y, order=2)
    assert np.allclose(second, taylor_radius(module, X, y))


def test_the_nearest_class_is_not_always_the_runner_up():
    module = linear()
    X = samples(200)
    y = labels(module, X)
    W, b = module.weight.detach().numpy(), module.bias.detach().numpy()
    z = X @ W.T + b
    with np.errstate(invalid="ignore"):
        lead = (z[np.arange(200), y][:, None] - z) / np.linalg.norm(W[y][:, None] - W, axis=2)
    lead[np.arange(200), y] = np.inf
    nearest = taylor_radius(module, X, y, norm="l2", all_classes=True)
    assert np.allclose(nearest, lead.min(1))
    to_runner_up = taylor_radius(module, X, y, norm="l2")
    assert (nearest <= to_runner_up + 1e-12).all() and (nearest < to_runner_up - 1e-6).any()


def test_the_radius_ignores_the_scale_of_the_logits():
    module = mlp(nn.Tanh)
    y = labels(module, X)
    for options in ({}, {"order": 2}, {"all_classes": True}):
        r = taylor_radius(module, X, y, **options)
        assert np.allclose(taylor_radius(Scaled(module, logits=7), X, y, **options), r)


def test_errors_have_radius_zero_and_constants_an_endless_one():
    module = linear()
    wrong = (labels(module, X) + 1) % N_CLASSES
    assert not taylor_radius(module, X, wrong).any()
    assert not taylor_radius(module, X, wrong, all_classes=True).any()
    assert np.isinf(taylor_radius(Constant(), X, np.full(8, N_CLASSES - 1))).all()


def test_a_neighborhood_makes_the_radius_smaller_and_no_larger_than_itself():
    module = mlp(nn.Tanh)
    y = labels(module, X)
    r = taylor_radius(module, X, y, norm="l2")
    for all_classes in (False, True):
        options = {"norm": "l2", "all_classes": all_classes, "random_state": 0}
        near = taylor_radius(module, X, y, neighborhood=(0.05, 20), **options)
        assert (near <= np.minimum(r, 0.05)).all()
        fewer = taylor_radius(module, X, y, neighborhood=(0.05, 5), **options)
        assert (near <= fewer).all()
        split = taylor_radius(module, X, y, neighborhood=(0.05, 20), batch_size=3, **options)
        assert np.allclose(split, near)


Y = np.arange(8) % N_CLASSES
BAD = [
    (taylor_bound, {"eps": -1}, "eps is -1"),
    (taylor_bound, {"eps": 0.1, "norm": "l7"}, "norm is 'l7'"),
    (taylor_bound, {"eps": 0.1, "order": 3}, "order is 3; give 1"),
    (taylor_bound, {"eps": 0.1, "order": 2, "curvature": "best"}, "curvature is 'best'"),
    (taylor_bound, {"eps": 0.1, "order": 2, "curvature": "exact"}, "norm is 'linf' and order is 2"),
    (taylor_bound, {"eps": np.ones(3)}, r"eps has shape \(3,\)"),
    (taylor_radius, {"order": 2, "all_classes": True}, "order=2 looks at the runner-up"),
    (taylor_radius, {"neighborhood": 0.1}, "give a radius and a number of points"),
    (taylor_radius, {"neighborhood": (0, 5)}, "the radius of neighborhood is 0"),
    (taylor_radius, {"neighborhood": (0.1, 0)}, "the number of points of neighborhood is 0"),
]


@pytest.mark.parametrize(("function", "options", "message"), BAD, ids=[case[2] for case in BAD])
def test_bad_options_are_told_what_is_wrong(function, options, message):
    with pytest.raises(ValueError, match=message):
        function(linear(), X, Y, **options)
