"""Modules that keep computed tensors on themselves are copied, opened, attacked and linearised."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from sklearn_robust import NaturalNet, robust_score
from sklearn_robust.attacks import FGSM
from sklearn_robust.clustering import class_weight_matrix, linearize
from sklearn_robust.differentiable import as_module
from sklearn_robust.differentiable._fast.copying import copy_module
from tests.cases import blobs, quick, same_state, state_of

pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm.*is deprecated")


class Plain(nn.Module):
    """Two layers, and a place for a subclass to keep something."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(4, 8), nn.Linear(8, 3)

    def forward(self, x):
        return self.last(self.keep(self.first(x).relu()))

    def keep(self, h):
        return h


class Keeps(Plain):
    def keep(self, h):
        self.features = h
        return h


class KeepsInside(Plain):
    """In containers of containers, and behind a reference to itself."""

    def keep(self, h):
        self.kept = {"all": [(h, 2 * h)], "self": self}
        return h


class Pruned(Plain):
    def __init__(self):
        super().__init__()
        prune.l1_unstructured(self.first, "weight", 0.4)


class Normed(Plain):
    def __init__(self):
        super().__init__()
        nn.utils.weight_norm(self.first)


class SpectrallyNormed(Plain):
    def __init__(self):
        super().__init__()
        nn.utils.spectral_norm(self.first)


KEEPERS = [Keeps, KeepsInside, Pruned, Normed, SpectrallyNormed]
every_keeper = pytest.mark.parametrize("module", KEEPERS, ids=lambda module: module.__name__)
X, y = blobs(labels=(0, 1, 2))
ATTACK = FGSM(eps=0.1, bounds=None)


def tensors(module):
    """Where the module's own tensors lie in memory, those that it keeps included."""
    kept = [value for part in module.modules() for value in vars(part).values()]
    kept = [value for value in kept if isinstance(value, torch.Tensor)]
    return {t.data_ptr() for t in (*module.parameters(), *module.buffers(), *kept)}


@every_keeper
def test_a_copy_computes_the_same_and_shares_nothing(module):
    network, x = module(), torch.tensor(X)
    network.train()(x).sum().backward()
    network.eval()
    z, before = network(x), state_of(network)
    other = copy_module(network)
    assert torch.equal(other(x), z) and not tensors(other) & tensors(network)
    other(2 * x).sum().backward()
    same_state(network, before)


def test_what_is_kept_is_copied_without_its_graph():
    network = KeepsInside()
    network(torch.tensor(X))
    (h, double) = copy_module(network).kept["all"][0]
    assert h.grad_fn is None and torch.equal(h, network.kept["all"][0][0])
    assert torch.equal(double, 2 * h) and network.kept["all"][0][0].grad_fn is not None


def test_a_memo_stands_for_what_it_names():
    network = nn.Sequential(Keeps(), nn.Linear(3, 3))
    network(torch.tensor(X))
    other = copy_module(network, {id(network[0]): network[0]})
    assert other[0] is network[0] and other[1] is not network[1]


@every_keeper
def test_a_fitted_net_is_attacked_and_linearised_in_any_order(module):
    net = quick(NaturalNet, module=module).fit(X, y)
    W = class_weight_matrix(net)
    score = robust_score(net, X, y, attack=ATTACK)
    assert robust_score(net, X, y, attack=ATTACK) == score <= net.score(X, y)
    assert np.array_equal(class_weight_matrix(net), W)
    with torch.no_grad():
        net.module_(torch.tensor(X))  # pruning and normalisation compute the weights in forward
        wanted = net.module_.last.weight @ net.module_.first.weight
    np.testing.assert_allclose(W, wanted, rtol=0, atol=1e-6)


@every_keeper
def test_every_view_of_a_view_that_was_used_can_be_made(module):
    network = module().eval()
    view, x = as_module(network), torch.tensor(X).requires_grad_(True)
    view(x).sum().backward()
    view(x.double()).sum().backward()
    for other in (view.fused, view.surrogate, view.exact, linearize(view), linearize(view)):
        assert other(x).shape == (len(X), 3)
    torch.testing.assert_close(view.fused(x), network(x))
