"""Linear bounds through max-pooling hold, and are exact where the maximum is certain."""

import pytest
import torch
from torch import nn

from sklearn_robust.certification._relaxation.graph import record
from sklearn_robust.certification._relaxation.pooling import pooling_of

POOLINGS = [
    nn.MaxPool2d(2),
    nn.MaxPool2d(3, 2, 1),
    nn.MaxPool2d(2, 1, dilation=2),
    nn.MaxPool2d((1, 3), (2, 1), (0, 1)),
    nn.MaxPool2d(2, ceil_mode=True),
    nn.AdaptiveMaxPool2d(2),
]


def opened(pooling, size=5):
    x = torch.rand(2, 3, size, size, dtype=torch.float64)
    graph = record(pooling, x)
    rule = pooling_of(graph, graph.nodes[-1])
    assert rule is not None
    return x, rule


@pytest.mark.parametrize("pooling", POOLINGS, ids=str)
@pytest.mark.parametrize("radius", [0.0, 0.02, 0.3])
def test_bounds_through_max_pooling_hold(pooling, radius):
    x, rule = opened(pooling)
    low, high = x - radius * torch.rand_like(x), x + radius
    a = torch.randn(4, *pooling(x).shape, dtype=x.dtype)
    back, offset = rule.pull_back(a, low, high)
    least, most = rule.range(low, high)
    undecided = rule.undecided(low, high)
    assert radius or not undecided.any()
    for _ in range(50):
        point = low + torch.rand_like(x) * (high - low)
        pooled = pooling(point)
        bound = (back * point).flatten(2).sum(2) + offset
        value = (a * pooled).flatten(2).sum(2)
        assert (bound <= value + 1e-12).all()
        assert radius or isinstance(pooling, nn.AdaptiveMaxPool2d) or torch.allclose(bound, value)
        assert ((least <= pooled) & (pooled <= most)).all()


def test_other_operations_and_flat_data_are_not_pooling():
    graph = record(nn.ReLU(), torch.rand(2, 3))
    assert pooling_of(graph, graph.nodes[-1]) is None
    graph = record(nn.MaxPool2d(2), torch.rand(3, 4, 4))
    assert all(pooling_of(graph, node) is None for node in graph.nodes if node.op != "input")
