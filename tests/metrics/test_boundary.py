"""Walks to the boundary against closed forms."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits, load_iris
from sklearn.linear_model import LogisticRegression
from torch import nn

from sklearn_robust.attacks import DeepFool
from sklearn_robust.metrics import boundary_distance, decision_margin, input_jacobian
from tests.metrics.indicator_cases import (
    N_CLASSES,
    N_FEATURES,
    labels,
    linear,
    mlp,
    quadratic,
    samples,
)

X = samples(30)
DUAL = {"linf": 1, "l2": 2, "l1": np.inf}


@pytest.mark.parametrize("norm", DUAL)
def test_a_linear_model_with_two_classes_is_left_at_margin_over_dual_norm(norm):
    torch.manual_seed(0)
    module = nn.Linear(N_FEATURES, 2).double()
    y = labels(module, X)
    S, J = decision_margin(module, X, y), input_jacobian(module, X, y)
    options = {"directions": ["cw", "ce", "ce_ll"], "norm": norm, "max_distance": 50}
    distance = boundary_distance(module, X, y, **options)
    wanted = S / np.linalg.norm(J, DUAL[norm], axis=1)
    # With two classes all three lead the same way.
    assert np.allclose(distance, wanted[:, None], rtol=1e-9)


def test_with_more_classes_the_runner_up_is_reached_first_or_another_class_is():
    module = linear()
    y = labels(module, X)
    S, J = decision_margin(module, X, y), input_jacobian(module, X, y)
    distance = boundary_distance(module, X, y, max_distance=50)[:, 0]
    straight = S / np.linalg.norm(J, axis=1)
    assert (distance <= straight * (1 + 1e-9)).all()
    assert np.median(distance / straight) == pytest.approx(1)


def test_a_circle_is_left_at_its_rim():
    module = quadratic(2)
    with torch.no_grad():
        module.A.copy_(-2 * torch.eye(2))  # S = 1 - |x|^2, a bias of one by a shifted class
        module.b.zero_()
    module.register_forward_hook(lambda m, a, z: z + torch.tensor([1.0, 0.0], dtype=z.dtype))
    X = np.array([[0.1, 0.0], [0.0, -0.5], [0.3, 0.4]])
    options = {"max_distance": 3, "random_state": 0}
    distance = boundary_distance(module, X, np.zeros(3, int), **options)
    assert np.allclose(distance[:, 0], 1 - np.linalg.norm(X, axis=1), rtol=1e-9)


def test_rays_that_are_given_are_walked():
    module = linear()
    y = labels(module, X)
    axis = np.eye(N_FEATURES)[0]
    each = -input_jacobian(module, X, y)
    distance = boundary_distance(
        module, X, y, directions=[axis, 5 * axis, each, "cw"], max_distance=20
    )
    assert np.array_equal(distance[:, 0], distance[:, 1])
    assert np.allclose(distance[:, 2], distance[:, 3])
    alone = boundary_distance(module, X, y, directions=axis, max_distance=20)
    assert np.array_equal(alone[:, 0], distance[:, 0])
    reached = np.isfinite(distance[:, 0])
    at = X[reached] + distance[reached, :1] * axis
    assert abs(decision_margin(module, at, y[reached])).max() < 1e-9


def test_errors_are_at_distance_zero_and_far_boundaries_at_infinity():
    module = linear()
    y = labels(module, X)
    assert not boundary_distance(module, X, (y + 1) % N_CLASSES, max_distance=1).any()
    near = boundary_distance(module, X, y, max_distance=50)
    few = boundary_distance(module, X, y, max_distance=0.3)
    assert np.array_equal(np.isinf(few), near > 0.3)
    assert np.allclose(few[np.isfinite(few)], near[np.isfinite(few)], rtol=1e-9)


def test_a_box_bends_the_rays():
    module = linear()
    inside = np.random.default_rng(0).random((30, N_FEATURES))
    y = labels(module, inside)
    options = {"directions": ["cw", "random"], "max_distance": 20, "random_state": 0}
    free = boundary_distance(module, inside, y, **options)
    boxed = boundary_distance(module, inside, y, bounds="auto", **options)
    assert np.isinf(boxed).sum() > np.isinf(free).sum()
    assert np.isfinite(boxed).any()
    longest = np.sqrt(N_FEATURES)
    assert (boxed[np.isfinite(boxed)] <= longest).all()


def test_random_rays_belong_to_their_rows():
    module = mlp(nn.Tanh)
    y = labels(module, X)
    options = {"directions": ["random", "random"], "max_distance": 20, "random_state": 4}
    whole = boundary_distance(module, X, y, **options)
    assert not np.array_equal(whole[:, 0], whole[:, 1])
    assert np.allclose(boundary_distance(module, X, y, batch_size=7, **options), whole)
    flipped = boundary_distance(module, X[::-1], y[::-1], **options)
    assert np.allclose(flipped[::-1], whole)
    assert not np.array_equal(
        boundary_distance(module, X, y, **{**options, "random_state": 5}), whole
    )


@pytest.mark.parametrize("norm", DUAL)
def test_attack_directions_meet_the_boundary_before_random_ones(norm):
    X, y = load_digits(return_X_y=True)
    X = X / 16
    model = LogisticRegression(max_iter=1000).fit(X, y)
    X, y = X[:100], y[:100]
    directions = ["cw", "ce", "ce_ll", "random"]
    options = {"directions": directions, "norm": norm, "max_distance": 60, "random_state": 0}
    cw, ce, ce_ll, random = np.median(boundary_distance(model, X, y, **options), axis=0)
    assert max(cw, ce) < ce_ll < random


BAD = [
    ({"max_distance": 0}, "max_distance is 0; give a number above 0"),
    ({"max_distance": 1, "directions": ["pgd"]}, "direction is 'pgd'; choose one of"),
    ({"max_distance": 1, "directions": [np.ones(3)]}, r"A direction has shape \(3,\)"),
    ({"max_distance": 1, "directions": [np.zeros(N_FEATURES)]}, "zeros only"),
    ({"max_distance": 1, "n_scan": 0}, "n_scan is 0"),
    ({"max_distance": 1, "norm": 3}, "norm is 3"),
    ({"max_distance": 1, "bounds": (0, 1)}, "leaves bounds"),
]


@pytest.mark.parametrize(("options", "message"), BAD, ids=[case[1] for case in BAD])
def test_bad_options_are_told_what_is_wrong(options, message):
    with pytest.raises(ValueError, match=message):
        boundary_distance(linear(), X, np.arange(30) % N_CLASSES, **options)


def test_an_attack_finds_the_nearest_point_of_all_directions():
    """Its column stands where the attack stands; beyond the greatest distance nothing counts."""
    X, y = load_iris(return_X_y=True)
    X, y = X[:100], y[:100]
    model = LogisticRegression().fit(X, y)
    exact = np.maximum(decision_margin(model, X, y), 0) / np.linalg.norm(model.coef_)
    both = boundary_distance(model, X, y, directions=[DeepFool(), "random"], max_distance=50)
    np.testing.assert_allclose(both[:, 0], exact, rtol=1e-3)
    assert (both[:, 0] <= both[:, 1] * (1 + 1e-3)).all()
    limit = float(np.median(exact))
    alone = boundary_distance(model, X, y, directions=DeepFool(), max_distance=limit)
    assert np.array_equal(np.isfinite(alone[:, 0]), both[:, 0] <= limit)
