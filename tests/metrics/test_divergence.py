"""Divergence of predictions against closed forms."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

from sklearn_robust import NaturalNet
from sklearn_robust import _functional as F
from sklearn_robust.datasets import load_moons
from sklearn_robust.differentiable import as_module
from sklearn_robust.metrics import hessian_eigvals, prediction_divergence
from tests.metrics.indicator_cases import Constant, Scaled, linear, mlp, quadratic, samples

X = samples(15)
DIVERGENCES = ["kl", "js", "tv"]


def test_in_a_small_ball_it_is_half_the_largest_eigenvalue_of_the_fisher_matrix():
    for module in (mlp(nn.Tanh), linear()):
        eps, y = 1e-3, np.zeros(15, int)
        options = {"eps": eps, "norm": "l2", "max_iter": 30, "random_state": 0}
        found = prediction_divergence(module, X, bounds=None, **options)
        fisher = hessian_eigvals(module, X, y, of="loss", method="gauss_newton", k=1)[:, 0]
        assert np.allclose(found, eps**2 * fisher / 2, rtol=0.02)


def test_two_logits_move_to_the_corner_of_the_box():
    module = quadratic()
    with torch.no_grad():
        module.A.zero_()
    b, eps = module.b.detach().numpy(), 0.2
    f = X @ b
    both = []
    for side in (eps, -eps):
        z, moved = (np.stack([v, 0 * v], 1) for v in (f, f + side * abs(b).sum()))
        both.append(F.kl(torch.tensor(moved), torch.tensor(z)).numpy())
    options = {"eps": eps, "bounds": None, "max_iter": 20, "n_restarts": 8, "random_state": 0}
    found = prediction_divergence(module, X, **options)
    assert np.allclose(found, np.max(both, axis=0), rtol=1e-6)


def test_one_start_on_the_wrong_side_does_not_hide_the_boundary():
    """A sure prediction hardly changes on one side of x, and wholly on the other."""
    model = LogisticRegression().fit(X[:, :4], X[:, 0] > 0)
    model.coef_, model.intercept_ = 20 * model.coef_, 20 * model.intercept_
    z = model.decision_function(X[:, :4])
    moved = z - np.sign(z) * 0.5 * abs(model.coef_).sum()
    z, moved = (torch.tensor(np.stack([-v, v], 1) / 2) for v in (z, moved))
    found = prediction_divergence(model, X[:, :4], eps=0.5, bounds=None, random_state=0)
    assert (found >= F.kl(moved, z).numpy() * (1 - 1e-4)).all()


def test_the_default_finds_the_summit_around_every_sample():
    """A grid of 101 x 101 points around each of 60 samples is the oracle."""
    X, y = load_moons(300, random_state=0)
    X, net = X.astype(np.float64), NaturalNet(max_epochs=30, lr=0.01, random_state=0).fit(X, y)
    model, side = as_module(net), np.linspace(-0.15, 0.15, 101)
    grid = np.stack(np.meshgrid(side, side), -1).reshape(1, -1, 2)
    ball = np.clip(X[:60, None] + grid, 0, 1)
    with torch.no_grad():
        z = model(torch.tensor(ball.reshape(-1, 2))).reshape(60, -1, 2)
        still = model(torch.tensor(X[:60]))
    summit = np.array([F.kl(around, z0[None]).max() for around, z0 in zip(z, still, strict=True)])
    share = prediction_divergence(net, X[:60], eps=0.15, random_state=2) / summit
    alone = prediction_divergence(net, X[:60], eps=0.15, random_state=2, n_restarts=1) / summit
    assert share.min() > 0.99 and alone.min() < 0.05


@pytest.mark.parametrize("divergence", DIVERGENCES)
def test_it_is_positive_bounded_and_grows_with_the_ball(divergence):
    module = mlp(nn.Tanh)
    options = {"divergence": divergence, "bounds": None, "random_state": 0, "max_iter": 20}
    curve = np.stack(
        [prediction_divergence(module, X, eps=e, **options) for e in (0.0, 0.01, 0.05, 0.2)]
    )
    assert np.allclose(curve[0], 0, atol=1e-15)
    assert (np.diff(curve.mean(1)) > 0).all()
    assert curve[-1].max() <= {"kl": np.inf, "js": np.log(2), "tv": 1}[divergence]


@pytest.mark.parametrize("divergence", DIVERGENCES)
def test_a_constant_model_never_changes_its_mind(divergence):
    assert not prediction_divergence(
        Constant(), X, eps=0.5, divergence=divergence, bounds=None, logit_normalization="std"
    ).any()


def test_more_restarts_find_more_and_labels_play_no_part():
    module = mlp(nn.ReLU)
    options = {"eps": 0.3, "bounds": None, "random_state": 0}
    one = prediction_divergence(module, X, n_restarts=1, **options)
    assert (prediction_divergence(module, X, n_restarts=4, **options) >= one).all()
    options["n_restarts"] = 1
    assert np.array_equal(prediction_divergence(module, X, np.arange(15), **options), one)
    assert np.allclose(prediction_divergence(module, X, batch_size=4, **options), one)


def test_normalised_logits_know_no_scale():
    module = mlp(nn.Tanh)
    options = {"eps": 0.1, "bounds": None, "logit_normalization": "std", "random_state": 0}
    found = prediction_divergence(module, X, **options)
    assert np.allclose(prediction_divergence(Scaled(module, logits=9), X, **options), found)


BAD = [
    ({"divergence": "chi2"}, "divergence is 'chi2'"),
    ({"logit_normalization": "max"}, "logit_normalization is 'max'"),
    ({"eps": -1}, "eps is -1"),
    ({"norm": "l2"}, "eps must be given for norm='l2'"),
    ({"max_iter": 0}, "max_iter is 0"),
]


@pytest.mark.parametrize(("options", "message"), BAD, ids=[case[1] for case in BAD])
def test_bad_options_are_told_what_is_wrong(options, message):
    with pytest.raises(ValueError, match=message):
        prediction_divergence(linear(), X, **options)
