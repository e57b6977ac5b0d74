"""Taylor bounds against closed forms and sampling."""

import numpy as np
import pytest
from torch import nn

from sklearn_robust.metrics import (
    decision_margin,
    hessian_eigvals,
    input_jacobian,
    taylor_bound,
    taylor_radius,
)
from tests.metrics.indicator_cases import (
    KINDS,
    N_CLASSES,
    N_FEATURES,
    labels,
    linear,
    mlp,
    points,
    quadratic,
    samples,
)

X = samples(8)
NORMS = ["linf", "l2", "l1"]
DUAL = {"linf": 1, "l2": 2, "l1": np.inf}


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
