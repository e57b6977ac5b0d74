"""Affine operations: exact intervals, and coefficients that equal those of autograd."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from sklearn_robust.certification._relaxation.affine import (
    constant_part,
    interval_through,
    is_affine,
    pull_back,
)
from sklearn_robust.certification._relaxation.bounds import Bounds
from sklearn_robust.certification._relaxation.graph import Ref, record
from sklearn_robust.certification._relaxation.intervals import intervals
from sklearn_robust.certification._relaxation.region import Region

torch.manual_seed(0)
W = torch.randn(12, 5, dtype=torch.float64)
KERNEL = torch.randn(4, 3, 3, 2, dtype=torch.float64)
NORM = nn.BatchNorm2d(3).double().eval()
NORM.running_var.uniform_(0.5, 2)
NORM.running_mean.normal_()
nn.init.normal_(NORM.weight)
FUNCTIONS = {
    "linear": lambda x: F.linear(x.flatten(1), W.T, W[0]),
    "matmul": lambda x: x.flatten(1) @ W,
    "conv": lambda x: F.conv2d(x, KERNEL, W[0, :4], stride=(1, 2), padding=1),
    "conv transpose": lambda x: F.conv_transpose2d(x, KERNEL.transpose(0, 1), stride=2),
    "batch norm": NORM,
    "average": lambda x: F.avg_pool2d(x, 2, 1),
    "adaptive": lambda x: F.adaptive_avg_pool2d(x, 1),
    "mean": lambda x: x.mean((2, 3)),
    "sum and difference": lambda x: 2 - torch.sub(x, x.flip(3), alpha=3) + 1.5 * x,
    "parts": lambda x: torch.stack(x.unbind(2)[::-1], 1) - x.split(1, 1)[1].transpose(1, 2),
    "index": lambda x: x.flatten(1)[:, torch.tensor([3, 0, 3])],
    "scale": lambda x: -x * torch.tensor([[1.0], [-2.0]], dtype=x.dtype) / -3 + 1,
    "pad": lambda x: F.pad(x, (1, 0, 2, 1)),
    "upsample": lambda x: F.interpolate(x, scale_factor=2),
}


@pytest.fixture(params=FUNCTIONS)
def graph(request):
    x = torch.rand(2, 3, 2, 2, dtype=torch.float64)
    return record(FUNCTIONS[request.param], x)


def jacobian(graph):
    """Matrix of one sample's outputs by its inputs, found entry by entry."""
    zero = torch.zeros(2, 3, 2, 2, dtype=torch.float64)
    constant = graph.replay(zero)[0].flatten()
    columns = []
    for i in range(12):
        unit = zero.clone()
        unit[0].view(-1)[i] = 1
        columns.append(graph.replay(unit)[0].flatten() - constant)
    return torch.stack(columns, 1), constant


def test_operations_are_known_as_affine(graph):
    assert all(node.op == "input" or is_affine(graph, node) for node in graph.nodes)


def test_coefficients_and_bounds_are_those_of_the_matrix(graph):
    matrix, constant = jacobian(graph)
    x = torch.rand(2, 3, 2, 2, dtype=torch.float64)
    radius = torch.rand(2, 3, 2, 2, dtype=torch.float64)
    bounds = Bounds(graph, Region(x, x - radius, x + radius), graph.output)
    shape = graph.value(graph.output).shape[1:]
    a = torch.eye(len(constant), dtype=torch.float64).reshape(-1, 1, *shape)
    lower = bounds.lower(graph.output, a.expand(-1, 2, *shape))
    wanted = matrix @ x.flatten(1).T - matrix.abs() @ radius.flatten(1).T + constant[:, None]
    assert torch.allclose(lower, wanted)


def test_a_box_through_one_layer_is_exact(graph):
    layers = [node for node in graph.nodes if node.op != "input"]
    if len(layers) > 2:
        pytest.skip("a chain of several operations")
    matrix, constant = jacobian(graph)
    x, radius = torch.rand(2, 2, 3, 2, 2, dtype=torch.float64)
    low, high = intervals(graph, x - radius, x + radius, graph.output)[graph.output]
    middle = (matrix @ x.flatten(1).T).T + constant
    width = (matrix.abs() @ radius.flatten(1).T).T
    assert torch.allclose(low.flatten(1), middle - width)
    assert torch.allclose(high.flatten(1), middle + width)


def test_products_of_two_moving_tensors_are_not_affine():
    graph = record(lambda x: x * x, torch.rand(2, 3))
    assert not is_affine(graph, graph.nodes[-1])
    trains = nn.BatchNorm1d(3)
    graph = record(trains, torch.rand(4, 3))
    assert not is_affine(graph, graph.nodes[graph.output.node])


def test_one_of_several_outputs():
    graph = record(lambda x: x.split(2, 1)[1], torch.rand(2, 4))
    ((ref, back),) = pull_back(graph, graph.nodes[1], torch.ones(1, 2, 2), 1)
    assert ref == Ref(0) and back.tolist() == [[[0, 0, 1, 1]] * 2]
    assert constant_part(graph, graph.nodes[1], 1).abs().sum() == 0
    given = {Ref(0): (torch.zeros(2, 4), torch.arange(8.0).reshape(2, 4))}
    assert interval_through(graph, graph.nodes[1], given, 1)[1].tolist() == [[2, 3], [6, 7]]
