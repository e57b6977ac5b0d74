"""The record replays what a module computes, and refuses what it could misread."""

import pytest
import torch
from torch import nn

from sklearn_robust.certification._relaxation.graph import Ref, record
from sklearn_robust.exceptions import NotBoundableError
from sklearn_robust.modules import CIFARConvNet, MNISTConvNet, PreActResNet18


class Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def doubled(module):
    return module.double().eval().requires_grad_(False)


def in_place_on_a_view(x):
    flat = (x + 1).flatten(1)
    flat[:, :2].relu_()
    return flat


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (MNISTConvNet((8, 8), 3, (2, 4), 3, 8), (8, 8)),
        (CIFARConvNet((3, 8, 8), 3), (3, 8, 8)),
        (PreActResNet18((3, 8, 8), 3), (3, 8, 8)),
        (nn.Sequential(nn.Linear(4, 5), nn.ReLU(inplace=True), nn.Linear(5, 3)), (4,)),
        (Function(lambda x: torch.cat(x.chunk(2, 1)[::-1], 1).add_(1)), (4,)),
        (Function(lambda x: (x + 0).view(-1, 4).relu_() * 2), (2, 2)),
    ],
)
def test_a_record_replays_the_module(module, shape):
    module = doubled(module)
    x, other = torch.rand(2, 3, *shape, dtype=torch.float64)
    graph = record(module, x)
    assert torch.equal(graph.replay(other), module(other))
    assert graph.nodes[0].op == "input" and graph.nodes[graph.output.node].moving


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        (lambda x: x * float(x.sum()), "_local_scalar_dense (a number read out of a tensor)"),
        (in_place_on_a_view, "in place that another view"),
        (lambda x: torch.zeros_like(x.detach()[:1]), "do not depend on the input"),
        (lambda x: torch.zeros(3, 4, dtype=x.dtype).copy_(x), "a tensor that is not of the input"),
    ],
)
def test_what_could_be_misread_is_refused(function, sentence):
    with pytest.raises(NotBoundableError) as raised:
        record(Function(function), torch.rand(3, 4, dtype=torch.float64))
    assert sentence in str(raised.value)


def test_a_record_leaves_input_and_module_alone():
    module = doubled(nn.Sequential(nn.ReLU(inplace=True), nn.Linear(4, 2)))
    x = -torch.ones(2, 4, dtype=torch.float64)
    record(module, x)
    assert torch.equal(x, -torch.ones_like(x))


def test_operations_on_weights_are_recorded_on_demand():
    layer = nn.Linear(4, 2)
    graph = record(layer, torch.rand(3, 4), layer.parameters())
    assert [node.moving for node in graph.nodes[:3]] == [True, False, False]
    assert graph.ancestors(graph.output) == {0, graph.output.node}
    assert Ref(0) in graph.nodes[graph.output.node].moving_refs(graph)
