"""Attacks for the nearest point against the exact distances of linear models."""

import numpy as np
import pytest
import torch
from sklearn import datasets
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import MinMaxScaler
from torch import nn

from sklearn_robust.attacks import FAB, FMN, PGD, CarliniWagner, DeepFool, WorstCase
from tests.attacks.models import (
    NEAREST,
    NORMS,
    ORDER,
    boundary_distance,
    brief,
    coded,
    curved,
    distances,
    lengths,
    linear,
    pairs,
    predicted,
    samples,
)

# HopSkipJump estimates its gradient from labels; its own tests say how near it comes.
BY_GRADIENT = [name for name in NEAREST if name != "HopSkipJump"]

# How far above the exact distance of a linear model each may end.
SLACK = dict.fromkeys(BY_GRADIENT, 0.01)

# Median of the distance on curved boundaries, as a multiple of the nearest known.
NEAR = {"DeepFool": 1.15, "FAB": 1.02, "CarliniWagner": 1.02, "DDN": 1.02, "FMN": 1.02}
NEAR |= {"ALMA": 1.02, "MinimumNorm": 1.02}

FULL = {
    "FAB": {"max_iter": 20},
    "CarliniWagner": {"max_iter": 60, "n_searches": 5},
    "ALMA": {"max_iter": 100},
    "DDN": {"max_iter": 60},
    "MinimumNorm": {"attacks": [FMN(max_iter=40), FAB(max_iter=20)]},
    "FMN": {"max_iter": 60},
}


def fine(name, norm, **params):
    """An attack with enough steps to come close."""
    return brief(name, norm=norm, **FULL.get(name, {}), **params)


@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize(("name", "norm"), pairs(BY_GRADIENT))
def test_the_distance_of_a_linear_model_is_margin_over_dual_norm(name, norm, n_classes):
    model, x = linear(n_classes, shape=(8,)), samples(40, shape=(8,))
    y = predicted(model, x)
    x_adv = fine(name, norm, bounds=None).perturb(model, x, y)
    assert (predicted(model, x_adv) != y).all()
    found, exact = lengths(x_adv, x, norm).numpy(), boundary_distance(model, x, y, norm)
    assert np.all(found >= exact * (1 - 1e-9))
    assert np.all(found <= exact * (1 + SLACK[name]))


@pytest.mark.parametrize("norm", NORMS)
def test_a_verdict_pulls_back_what_oversteps_the_radius(norm):
    """However far a step goes beyond the boundary, success is a point within eps."""
    model, x = linear(3), samples(40)
    y = predicted(model, x)
    exact = boundary_distance(model, x, y, norm)
    for row in range(8):
        for share, robust in ((0.98, True), (1.02, False)):
            eps = float(exact[row]) * share
            attack = DeepFool(norm=norm, eps=eps, overshoot=0.2, bounds=None)
            one = slice(row, row + 1)
            assert attack.robust_mask(model, x[one], y[one]).item() == robust


@pytest.mark.parametrize(("name", "norm"), pairs(BY_GRADIENT))
@pytest.mark.parametrize("shape", [(6,), (1, 4, 4)], ids=repr)
def test_curved_boundaries_are_found_in_the_box(name, norm, shape):
    """No attack ends farther than twice the nearest that the older ones found."""
    model, x = curved(4, shape, width=24), samples(30, shape)
    y = predicted(model, x)
    best = torch.full((len(x),), torch.inf).double()
    for other in ("DeepFool", "FAB", "CarliniWagner"):
        if (other, norm) in pairs(BY_GRADIENT):
            best = distances(fine(other, norm), model, x, y).minimum(best)
    x_adv = fine(name, norm).perturb(model, x, y)
    found = predicted(model, x_adv) != y
    assert torch.equal(found, best < torch.inf)
    assert x_adv.min() >= 0 and x_adv.max() <= 1
    ratio = lengths(x_adv, x, norm)[found] / best[found]
    assert ratio.median() < NEAR[name] and ratio.max() < 2


@pytest.mark.parametrize(("name", "norm"), [pair for pair in pairs(BY_GRADIENT) if pair[1] != "l1"])
def test_saturated_pixels_move(name, norm):
    """All features lie on a bound of the box, and the way to the boundary leads inside."""
    model = linear(2, (16,), seed=3)
    slope = model.weight[1] - model.weight[0]
    x = (slope < 0).double()[None].repeat(5, 1)  # every feature can go the way that matters
    bias = model[1].bias.data
    bias[0] += (model(x)[0, 1] - model(x)[0, 0]).item() + 0.5  # class 0, by a gap of one half
    y = predicted(model, x)
    x_adv = fine(name, norm, bounds=(0, 1)).perturb(model, x, y)
    assert (y == 0).all() and (predicted(model, x_adv) == 1).all()
    assert ((x_adv - x).abs() > 1e-6).all()
    exact = boundary_distance(model, x, y, norm)
    np.testing.assert_allclose(lengths(x_adv, x, norm), exact, rtol=0.02)


@pytest.mark.parametrize(("name", "norm"), pairs(BY_GRADIENT))
def test_no_success_is_an_infinite_distance_and_the_clean_sample(name, norm):
    """A constant model cannot be fooled; nothing found is not a distance of 0."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(6, 2))
    nn.init.zeros_(model[1].weight)
    model[1].bias.data = torch.tensor([1.0, 0.0])
    X, y = samples().float().numpy(), np.zeros(12, dtype=int)
    attack = brief(name, norm=norm)
    result = attack.evaluate(model, X, y)
    assert not result.fooled.any()
    assert np.isposinf(result.distance).all() and np.isneginf(result.loss).all()
    assert np.array_equal(attack.generate(model, X, y), X)
    assert np.array_equal(result.X_adv, X)


@pytest.mark.parametrize(("name", "norm"), pairs(BY_GRADIENT))
def test_with_eps_success_is_success_within_eps(name, norm):
    model, x = linear(3), samples(60)
    y = predicted(model, x)
    exact = boundary_distance(model, x, y, norm)
    eps = float(np.median(exact))
    result = fine(name, norm, eps=eps, bounds=None).evaluate(model, x.float().numpy(), y.numpy())
    assert np.all(result.fooled[exact < 0.95 * eps]) and not np.any(result.fooled[exact > eps])
    assert np.all(result.distance[result.fooled] <= eps)
    assert np.isposinf(result.distance[~result.fooled]).all()


@pytest.mark.parametrize(("name", "norm"), pairs(BY_GRADIENT))
def test_distances_make_a_robustness_curve_without_a_sweep(name, norm):
    """Accuracy at each eps is the share of distances beyond it; no worse than with that eps."""
    model, x = curved(3, width=24), samples(60)
    y = predicted(model, x)
    X = x.float().numpy()
    distance = fine(name, norm).evaluate(model, X, y.numpy()).distance
    for eps in np.quantile(distance[np.isfinite(distance)], [0.2, 0.5, 0.8]):
        fixed = PGD(eps=eps, norm=norm, loss="margin", max_iter=40, random_state=0)
        assert (distance > eps).mean() <= (
            ~fixed.evaluate(model, X, y.numpy()).fooled
        ).mean() + 0.05


@pytest.mark.parametrize(("name", "norm"), pairs(BY_GRADIENT))
def test_clean_errors_have_distance_zero(name, norm):
    model, x = linear(3), samples(20)
    y = predicted(model, x)
    y[::2] = (y[::2] + 1) % 3
    result = brief(name, norm=norm).evaluate(model, x.float().numpy(), y.numpy())
    assert (result.distance[::2] == 0).all() and (result.distance[1::2] > 0).all()
    assert result.fooled[::2].all()


@pytest.mark.parametrize(("name", "norm"), pairs(BY_GRADIENT))
@pytest.mark.parametrize("n_classes", [2, 4])
def test_targeted_success_is_the_target(name, norm, n_classes):
    model, x = linear(n_classes), samples(30)
    target = (predicted(model, x) + 1) % n_classes
    attack = fine(name, norm, targeted=True, bounds=None)
    result = attack.evaluate(model, x.float().numpy(), target.numpy())
    assert np.array_equal(result.fooled, coded(model, result.X_adv) == target.numpy())
    assert result.fooled.mean() > 0.9


@pytest.mark.parametrize(("name", "norm"), pairs(BY_GRADIENT))
def test_scales_of_logits_and_data_do_not_matter(name, norm):
    model, x = curved(), samples(20)
    y = predicted(model, x)
    attack = fine(name, norm, bounds=None)
    found = lengths(attack.perturb(model, x, y), x, norm)
    louder = lengths(attack.perturb(lambda v: 1000 * model(v), x, y), x, norm)
    wider = lengths(attack.perturb(lambda v: model(v / 50), 50 * x, y), 50 * x, norm) / 50
    torch.testing.assert_close(louder, found, rtol=1e-4, atol=0)
    torch.testing.assert_close(wider, found, rtol=1e-4, atol=0)


@pytest.mark.parametrize(("name", "norm"), pairs(BY_GRADIENT))
def test_an_uneven_radius_stretches_the_norm(name, norm):
    """Distances in units of the radius are those of the model in these units."""
    radius = torch.tensor([0.2, 1.0, 0.5, 2.0, 1.0, 0.3], dtype=torch.float64)
    model, x = linear(2), samples(30)
    y = predicted(model, x)
    scaled = type(model)(model.weight * radius, model.bias)
    exact = boundary_distance(scaled, x / radius, y, norm)
    eps = radius.numpy() * float(np.median(exact))
    attack = fine(name, norm, eps=eps, bounds=None)
    result = attack.evaluate(model, x.float().numpy(), y.numpy())
    share = exact / np.median(exact)
    assert result.fooled[share < 0.95].all() and not result.fooled[share > 1].any()
    gap = (result.X_adv.astype(float) - x.float().numpy()) / eps
    assert np.linalg.norm(gap, ORDER[norm], axis=1).max() <= 1 + 1e-9


def test_an_unlimited_search_has_no_place_in_a_cascade():
    with pytest.raises(ValueError, match="DeepFool in a cascade needs a radius"):
        WorstCase([PGD(), DeepFool()]).perturb(linear(), samples(), torch.zeros(12).long())


@pytest.mark.parametrize("name", ["breast_cancer", "digits", "iris", "wine"])
def test_carlini_wagner_is_exact_for_linear_models_that_predict_in_another_dtype(name):
    """Points on the boundary itself are denied by predict, whose sums round otherwise."""
    X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    X = MinMaxScaler().fit_transform(X).astype(np.float32)
    model = LogisticRegression(max_iter=1000).fit(X[::2], y[::2])
    X, y = X[1::2][-40:], y[1::2][-40:]
    correct = model.predict(X) == y
    X, y = X[correct], y[correct]
    W, b = model.coef_, model.intercept_
    if len(W) == 1:
        W, b = np.vstack([0 * W, W]), np.append(0, b)
    z, rows = X.astype(float) @ W.T + b, np.arange(len(X))
    gaps = z[rows, y][:, None] - z
    lengths = np.linalg.norm(W[y][:, None] - W, axis=2)
    gaps[rows, y], lengths[rows, y] = np.inf, 1
    exact = (gaps / lengths).min(axis=1)
    attack = CarliniWagner(max_iter=40, bounds=None)
    found = attack.evaluate(model, X, y).distance
    np.testing.assert_allclose(found, exact, rtol=0.01)
    assert not (model.predict(attack.generate(model, X, y)) == y).any()
