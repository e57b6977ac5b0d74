"""LLRNet: its penalties by hand, and its search against a grid."""

import pytest
import torch
from torch import nn
from torch.autograd.functional import jacobian
from torch.nn.functional import cross_entropy

from sklearn_robust import LLRNet, NaturalNet
from tests.cases import Linear, Normalised, blobs, in_training, quick, same_weights

X, Y = blobs(12, labels=(0, 1, 2))
x64, y64 = torch.tensor(X, dtype=torch.float64), torch.tensor(Y)


def smooth(n_features=4):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(n_features, 9), nn.Tanh(), nn.Linear(9, 3))


def distance(module, x, delta, y):
    """Distance to the tangent, and slope, of one sample."""

    def loss(v):
        return cross_entropy(module(v[None]), y[None])

    slope = (jacobian(loss, x, create_graph=True) * delta).sum()
    return (loss(x + delta) - loss(x) - slope).abs(), slope.abs()


@pytest.mark.parametrize(("lam", "mu"), [(0.7, 0.0), (0.0, 0.4), (0.7, 0.4)])
def test_the_penalties_are_those_of_a_slow_reference(lam, mu):
    params = {"lam": lam, "mu": mu, "eps": 0.2, "random_state": 3}
    net = in_training(LLRNet, smooth(), x64, y64, **params)
    delta = net.search(x64, y64)  # of the same seed and rows as inside the loss
    loss, z = net.batch_loss(x64, y64)
    rows = [distance(net.module_, *row) for row in zip(x64, delta, y64, strict=True)]
    distances, slopes = (torch.stack(part).mean() for part in zip(*rows, strict=True))
    wanted = cross_entropy(net.module_(x64), y64) + lam * distances + mu * slopes
    torch.testing.assert_close(loss, wanted, rtol=1e-10, atol=0)
    weights = list(net.module_.parameters())
    found, exact = (torch.autograd.grad(v, weights) for v in (loss, wanted))
    for one, other in zip(found, exact, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-12)


def test_the_search_stays_in_the_ball_and_comes_near_the_maximum_of_a_grid():
    x, eps = x64[:, :2], 0.3
    net = in_training(LLRNet, smooth(2), x, y64, eps=eps, n_steps=10, random_state=0)
    delta = net.search(x, y64)
    assert delta.abs().max() <= eps
    axis = torch.linspace(-eps, eps, 21, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    found, best = 0.0, 0.0
    for row, step, y in zip(x, delta, y64, strict=True):
        z, here = net.module_(row + grid).detach(), row.clone().requires_grad_(True)
        loss = cross_entropy(net.module_(here[None]), y[None])
        (grad,) = torch.autograd.grad(loss, here)
        gaps = (cross_entropy(z, y.expand(len(grid)), reduction="none") - loss - grid @ grad).abs()
        best += gaps.max().item()
        found += distance(net.module_, row, step, y)[0].item()
    assert 0.8 * best < found <= 1.001 * best


def test_the_search_moves_no_statistics_and_training_repeats():
    params = {"module": Normalised, "module__n_classes": 3}
    net = quick(LLRNet, **params).fit(X, Y)
    before = {name: value.clone() for name, value in net.module_.state_dict().items()}
    net.search(torch.tensor(X), torch.tensor(Y))
    assert all(torch.equal(before[name], v) for name, v in net.module_.state_dict().items())
    assert same_weights(net, quick(LLRNet, **params).fit(X, Y))


def test_without_strength_training_is_natural_bit_for_bit():
    params = {"module": Linear, "module__n_classes": 3}
    natural = quick(NaturalNet, **params).fit(X, Y)
    assert same_weights(natural, quick(LLRNet, lam=0, mu=0, **params).fit(X, Y))
