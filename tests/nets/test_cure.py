"""CURENet: its penalty against gradients of one sample at a time, and exact Hessians."""

import pytest
import torch
from torch import nn
from torch.autograd.functional import hessian, jacobian
from torch.nn.functional import cross_entropy

from sklearn_robust import CURENet, NaturalNet
from tests.cases import Linear, blobs, in_training, quick, same_weights

X, Y = blobs(9, labels=(0, 1, 2))
x64, y64 = torch.tensor(X, dtype=torch.float64), torch.tensor(Y)


def smooth():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 9), nn.Tanh(), nn.Linear(9, 3))


def losses(module):
    """The loss of each sample as a function of its input."""
    return [lambda v, y=y: cross_entropy(module(v[None]), y[None]) for y in y64]


def penalty_of(net):
    return net.batch_loss(x64, y64)[0] - cross_entropy(net.module_(x64), y64)


def test_the_penalty_and_its_gradient_are_those_of_a_slow_reference():
    net = in_training(CURENet, smooth(), x64, y64, lam=0.7, eps=0.2)
    changes = []
    for loss, x in zip(losses(net.module_), x64, strict=True):
        here = jacobian(loss, x, create_graph=True)
        ahead = jacobian(loss, x + 0.2 * here.detach().sign(), create_graph=True)
        changes.append((ahead - here).square().sum())
    wanted = 0.7 * torch.stack(changes).mean()
    torch.testing.assert_close(penalty_of(net), wanted, rtol=1e-9, atol=0)
    weights = list(net.module_.parameters())
    for found, exact in zip(
        *(torch.autograd.grad(v, weights, allow_unused=True) for v in (penalty_of(net), wanted)),
        strict=True,
    ):
        assert (found is None) == (exact is None)
        torch.testing.assert_close(found, exact, rtol=1e-8, atol=1e-12)


def test_a_small_step_measures_the_hessian():
    net = in_training(CURENet, smooth(), x64, y64, lam=1, eps=1e-5)
    sizes = [
        (hessian(loss, x) @ jacobian(loss, x).sign()).square().sum()
        for loss, x in zip(losses(net.module_), x64, strict=True)
    ]
    assert penalty_of(net).item() / 1e-10 == pytest.approx(float(sum(sizes) / 9), rel=1e-3)


def test_the_step_warms_up():
    def at(epoch, warm_up):
        params = {"lam": 1, "eps": 0.2, "warm_up": warm_up, "epoch": epoch}
        return penalty_of(in_training(CURENet, smooth(), x64, y64, **params)).item()

    half = penalty_of(in_training(CURENet, smooth(), x64, y64, lam=1, eps=0.1)).item()
    assert at(1, 1) == pytest.approx(half)
    assert at(2, 1) == at(9, 1) == at(1, 0)


def test_without_strength_training_is_natural_bit_for_bit():
    params = {"module": Linear, "module__n_classes": 3}
    natural = quick(NaturalNet, **params).fit(X, Y)
    assert same_weights(natural, quick(CURENet, lam=0, **params).fit(X, Y))
