"""The radius at which the Taylor bound meets the margin."""

import numpy as np
import pytest
from torch import nn

from sklearn_robust.metrics import decision_margin, taylor_bound, taylor_radius
from tests.metrics.indicator_cases import (
    KINDS,
    N_CLASSES,
    Constant,
    Scaled,
    labels,
    linear,
    mlp,
    points,
    quadratic,
    samples,
)

X = samples(8)
NORMS = ["linf", "l2", "l1"]


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
