"""Lines lie below and above each activation on every interval, and CROWN's are CROWN's."""

import pytest
import torch
from torch import nn

from sklearn_robust.certification._relaxation.activations import activation_of
from sklearn_robust.certification._relaxation.graph import Ref, record
from sklearn_robust.differentiable._layers.blocks import confine

ACTIVATIONS = [
    nn.ReLU(),
    nn.LeakyReLU(0.2),
    nn.LeakyReLU(-0.5),
    nn.LeakyReLU(1.5),
    nn.PReLU(3).double(),
    nn.GELU(),
    nn.GELU("tanh"),
    nn.Tanh(),
    nn.Sigmoid(),
    nn.Softplus(),
    nn.Softplus(beta=3, threshold=5),
    nn.SiLU(),
    nn.Mish(),
    nn.ELU(0.5),
    nn.CELU(0.7),
    nn.SELU(),
    nn.Hardtanh(-0.5, 2),
    nn.ReLU6(),
    nn.Hardswish(),
    nn.Hardsigmoid(),
    nn.Softshrink(0.3),
    nn.LogSigmoid(),
    torch.abs,
    torch.atan,
    torch.cos,
    torch.erf,
    torch.exp,
    torch.sin,
    torch.square,
    lambda x: x**2,
    lambda x: x.clamp(min=0.3),
    lambda x: confine(x, -1.1, 0.3),
]


def opened(function, width=3):
    x = torch.randn(2, width, dtype=torch.float64)
    graph = record(function, x)
    return [a for node in graph.nodes if (a := activation_of(graph, node)) is not None]


def some_intervals():
    generator = torch.Generator().manual_seed(0)
    low = 6 * torch.randn(80, 3, dtype=torch.float64, generator=generator)
    width = torch.rand(80, 3, dtype=torch.float64, generator=generator) ** 4 * 12
    low[0], width[0] = 0, 0
    low[1], width[1] = -1e-9, 2e-9
    return low, low + width


@pytest.mark.parametrize("function", ACTIVATIONS, ids=range(len(ACTIVATIONS)))
def test_lines_and_ranges_hold_on_every_interval(function):
    low, high = some_intervals()
    found = opened(function)
    assert found
    for activation in found:
        lines = activation.lines(low, high)
        least, most = activation.range(low, high)
        t = low + torch.linspace(0, 1, 203, dtype=torch.float64)[:, None, None] * (high - low)
        value = activation.f(t)
        slack = 1e-9 * (1 + value.abs())
        assert (lines.low_slope * t + lines.low_offset <= value + slack).all()
        assert (lines.high_slope * t + lines.high_offset >= value - slack).all()
        assert ((least <= value + slack) & (value <= most + slack)).all()


@pytest.mark.parametrize("function", ACTIVATIONS[5:12], ids=str)
def test_lines_of_smooth_functions_are_tight(function):
    (activation,) = opened(function)
    low = torch.linspace(-4, 3, 100, dtype=torch.float64)[:, None].expand(-1, 3)
    lines = activation.lines(low, low + 0.5)
    gap = (lines.high_slope - lines.low_slope) * (low + 0.25)
    gap += lines.high_offset - lines.low_offset
    # Between a chord and a parallel tangent lies at most max |f''| h^2 / 8.
    assert float(gap.max()) < 1.5 * activation.curvature * 0.5**2 / 8


def test_relu_has_the_lines_of_crown():
    (activation,) = opened(nn.ReLU())
    low, high = torch.tensor([[-1.0, -3.0, 1.0], [-2.0, -1.0, -1.0]]).double().chunk(2)
    high = torch.tensor([[3.0, 1.0, 2.0]]).double()
    lines = activation.lines(low, high)
    assert lines.low_slope.tolist() == [[1, 0, 1]]
    assert lines.high_slope.tolist() == [[0.75, 0.25, 1]]
    assert lines.high_offset.tolist() == [[0.75, 0.75, 0]]
    given = activation.lines(low, high, torch.full_like(low, 0.3))
    assert given.low_slope.tolist() == [[0.3, 0.3, 1]]


def test_bounds_of_curvature_hold():
    t = torch.linspace(-8, 8, 20001, dtype=torch.float64)[:, None].expand(-1, 3)
    for function in (*ACTIVATIONS[5:15], nn.Hardswish(), torch.atan, torch.erf):
        for activation in opened(function):
            values, step = activation.f(t)[:, 0], t[1, 0] - t[0, 0]
            second = (values[2:] - 2 * values[1:-1] + values[:-2]) / step**2
            near = [((t[1:-1, 0] - k).abs() < 2 * step) for k in activation.kinks]
            second[torch.stack(near).any(0) if near else []] = 0
            assert float(second.abs().max()) <= activation.curvature * (1 + 1e-3), function


@pytest.mark.parametrize(
    "function",
    [
        torch.floor,
        lambda x: torch.where(x > 0.0, 0.5, x),
        lambda x: torch.where(x > 0.0, x, 2 * x),
        lambda x: torch.where(x < 1.0, x, 1.0),
        nn.Threshold(0.1, 20),
        nn.Hardshrink(),
        lambda x: x**3,
    ],
)
def test_other_functions_are_no_known_activation(function):
    assert opened(function) == []


def test_the_input_is_named():
    (activation,) = opened(nn.ReLU())
    assert activation.ref == Ref(0)
