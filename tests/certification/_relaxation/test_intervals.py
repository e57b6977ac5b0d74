"""Interval arithmetic against numbers by hand, autograd, and points of the box."""

import pytest
import torch
from torch import nn

from sklearn_robust.certification._relaxation.graph import Ref, record
from sklearn_robust.certification._relaxation.intervals import (
    intervals,
    node_intervals,
    plan_of,
    rule_of,
    worst_logits,
)
from sklearn_robust.exceptions import NotBoundableError


def mlp(*widths, seed=0):
    torch.manual_seed(seed)
    layers = []
    for n_in, n_out in zip(widths, widths[1:], strict=False):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1]).double().requires_grad_(False)


def test_interval_arithmetic_by_hand():
    layer = nn.Linear(2, 2, dtype=torch.float64)
    layer.weight.data = torch.tensor([[1.0, -2.0], [0.5, 1.0]]).double()
    layer.bias.data = torch.tensor([0.0, -1.0]).double()
    x = torch.tensor([[1.0, 0.5]], dtype=torch.float64)
    graph = record(nn.Sequential(layer, nn.ReLU()), x)
    low, high = intervals(graph, x - 0.2, x + 0.2, graph.output)[graph.output]
    assert torch.allclose(low, torch.zeros(1, 2).double())
    assert torch.allclose(high, torch.tensor([[0.6, 0.3]]).double())


@pytest.mark.parametrize("last", [True, False])
def test_worst_logits_are_above_all_differences(last):
    module = mlp(5, 12, 8, 3)
    module = module if last else nn.Sequential(module, nn.Tanh())
    x, codes = torch.rand(4, 5, dtype=torch.float64), torch.tensor([0, 1, 2, 1])
    graph = record(module, x)
    found = intervals(graph, x - 0.1, x + 0.1, graph.output)
    worst = worst_logits(graph, found, graph.output, codes)
    assert (worst.gather(1, codes[:, None]) == 0).all()
    low, high = found[graph.output]
    loose = (high - low.gather(1, codes[:, None])).scatter(1, codes[:, None], 0.0)
    assert (worst <= loose + 1e-12).all() and last == bool((worst < loose - 1e-6).any())
    for _ in range(100):
        z = module(x + 0.1 * (2 * torch.rand_like(x) - 1))
        assert (z - z.gather(1, codes[:, None]) <= worst + 1e-12).all()


def test_intervals_have_the_gradient_of_the_weights():
    module = mlp(5, 6, 3).requires_grad_(True)
    x = torch.rand(4, 5, dtype=torch.float64)
    graph = record(module, x, module.parameters())
    graph.renew_constants()
    codes = torch.tensor([0, 1, 2, 1])
    found = intervals(graph, x, x, graph.output)
    worst_logits(graph, found, graph.output, codes).logsumexp(1).sum().backward()
    got = [p.grad.clone() for p in module.parameters()]
    module.zero_grad()
    nn.functional.cross_entropy(module(x), codes, reduction="sum").backward()
    for a, weight in zip(got, module.parameters(), strict=True):
        assert torch.allclose(a, weight.grad)


def test_only_what_the_output_depends_on_is_bounded():
    def floors(x):
        torch.floor(x)
        return x + 1

    graph = record(floors, torch.rand(2, 3))
    assert [graph.nodes[n].op for n in plan_of(graph, graph.output)] == ["input", "add"]
    assert rule_of(graph, graph.output.node) is None
    with pytest.raises(NotBoundableError, match="floor"):
        plan_of(graph, Ref(1))
    start = torch.zeros(2, 3), torch.ones(2, 3)
    assert node_intervals(graph, 0, None, {}, start) == {Ref(0): start}
