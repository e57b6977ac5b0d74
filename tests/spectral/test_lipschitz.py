"""Lipschitz bounds: never below what the model does, exact where that is known."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from sklearn_robust.differentiable import open_model
from sklearn_robust.modules import CIFARConvNet, MNISTConvNet, PreActResNet18
from sklearn_robust.spectral._lipschitz import lipschitz_bounds
from sklearn_robust.spectral._modules import example_for
from sklearn_robust.spectral._trace import trace_of
from tests.spectral.models import Functional, Shortcut, Twice, randomized


class Head(nn.Module):
    """A function of images (2, 6, 6) before a random linear layer."""

    def __init__(self, function, width):
        super().__init__()
        self.function, self.last = function, nn.Linear(width, 3)

    def forward(self, x):
        return self.last(self.function(x).flatten(1))


def partial_write(x):
    y = x.clone()
    y[:, 0] *= 0.001
    return y


def filled(x):
    y = torch.zeros_like(x)
    y[:, :, 1:] = x[:, :, :-1]
    return y


def bound_of(module, shape):
    model = open_model(module)
    trace = trace_of(model.module, example_for(model, input_shape=shape))
    bounds, unknown = lipschitz_bounds(trace)
    return bounds[trace.output], unknown


def steepest(module, shape, n=64):
    """Largest gain seen: the spectral norm of the Jacobian, over random points."""
    x = (3 * torch.randn(n, *shape, dtype=torch.float64)).requires_grad_(True)
    columns = [torch.autograd.grad(z.sum(), x, retain_graph=True)[0] for z in module(x).T]
    return float(torch.linalg.matrix_norm(torch.stack(columns, 1).flatten(2), 2).max())


FUNCTIONS = {
    "relu": F.relu,
    "leaky": lambda x: F.leaky_relu(x, -1.5),
    "elu": lambda x: F.elu(x, 2.0),
    "celu": lambda x: F.celu(x, 0.5),
    "selu": F.selu,
    "gelu": F.gelu,
    "silu": F.silu,
    "mish": F.mish,
    "hardswish": F.hardswish,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "softplus": lambda x: F.softplus(x, 3.0),
    "softmax": lambda x: x.flatten(1).softmax(1),
    "log softmax": lambda x: x.flatten(1).log_softmax(1),
    "shift and scale": lambda x: 3 - 2 * (x + 1) / 0.7,
    "difference": lambda x: 2 * x - torch.relu(x).mul(3),
    "max pool": lambda x: F.max_pool2d(x, 2),
    "overlapping max pool": lambda x: F.max_pool2d(x, 3, 1),
    "average pool": lambda x: F.avg_pool2d(x, 2),
    "overlapping average pool": lambda x: F.avg_pool2d(x, 3, 1, padding=1),
    "adaptive pool": lambda x: F.adaptive_avg_pool2d(x, 2),
    "crooked adaptive pool": lambda x: F.adaptive_avg_pool2d(x, 4),
    "mean": lambda x: x.mean((2, 3)),
    "sum": lambda x: x.sum((2, 3)),
    "concatenation": lambda x: torch.cat([x, -2 * x], 1),
    "stack": lambda x: torch.stack([x, torch.relu(x)], 1),
    "chosen twice": lambda x: x[:, :, [0, 0, 0, 1]],
    "slice": lambda x: x[:, :1, ::2],
    "halves": lambda x: torch.add(*x.chunk(2, 1)),
    "expansion": lambda x: x.unsqueeze(1).expand(-1, 4, -1, -1, -1),
    "broadcast": lambda x: x.mean((2, 3), keepdim=True) + x,
    "padding": lambda x: F.pad(x, (1, 1)),
    "reflection": lambda x: F.pad(x, (2, 1, 0, 1), mode="reflect"),
    "in place": lambda x: torch.relu_(x.clone().view(len(x), -1).mul_(2)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_gain_exceeds_the_bound(name):
    function = FUNCTIONS[name]
    width = function(torch.zeros(1, 2, 6, 6)).numel()
    module = randomized(Head(function, width))
    bound, unknown = bound_of(module, (2, 6, 6))
    assert unknown == [] and math.isfinite(bound)
    assert steepest(module, (2, 6, 6)) <= bound * (1 + 1e-9)


TIGHT = [
    "relu",
    "slice",
    "padding",
    "average pool",
    "adaptive pool",
    "sum",
    "concatenation",
    "tanh",
]


@pytest.mark.parametrize("name", TIGHT)
def test_the_bound_of_a_function_by_itself_is_reached(name):
    function = FUNCTIONS[name]
    jacobian = torch.func.jacrev(function)(torch.full((1, 2, 6, 6), 1e-9, dtype=torch.float64))
    largest = float(torch.linalg.matrix_norm(jacobian.reshape(-1, 72), 2))
    width = jacobian.reshape(-1, 72).shape[0]
    module = Head(function, width).double()
    module.last = nn.Linear(width, width, bias=False).double()
    nn.init.eye_(module.last.weight)
    assert bound_of(module, (2, 6, 6))[0] == pytest.approx(largest, rel=1e-6)


NETS = [
    (MNISTConvNet((1, 8, 8), 3, channels=(3, 4), kernel_size=3, hidden=8), (1, 8, 8)),
    (CIFARConvNet((3, 8, 8), 3, channels=(3, 4, 4)), (3, 8, 8)),
    (PreActResNet18((3, 8, 8), 3, channels=(2, 3, 3, 4)), (3, 8, 8)),
    (Shortcut(), (2, 4, 4)),
    (Twice(), (2, 4, 4)),
    (Functional(), (1, 4, 4)),
    (
        nn.Sequential(
            nn.Conv2d(2, 3, 3, padding=2, padding_mode="circular"), nn.ELU(),
            nn.Conv2d(3, 3, 3, padding=1, padding_mode="reflect"),
            nn.ReplicationPad2d(1), nn.Conv2d(3, 2, 3, stride=2), nn.PReLU(),
            nn.ConvTranspose2d(2, 2, 2, 2), nn.Flatten(), nn.LazyLinear(3),
        ),
        (2, 6, 6),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("net", "shape"), NETS, ids=lambda v: type(v).__name__)
def test_networks_stay_below_the_bound(net, shape):
    net(torch.zeros(2, *shape))
    net = randomized(net).eval()
    bound, unknown = bound_of(net, shape)
    assert unknown == [] and math.isfinite(bound)
    assert steepest(net, shape, 16) <= bound


def test_orthogonal_layers_have_the_constant_one():
    net = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 3)).double()
    for layer in net[::2]:
        nn.init.orthogonal_(layer.weight)
    assert bound_of(net, (4,))[0] == pytest.approx(1)


def test_a_shortcut_adds_its_constant_instead_of_multiplying():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(3, 3, bias=False)

        def forward(self, x):
            return x + self.inner(x)

    block = Block().double()
    block.inner.weight.data = 0.5 * torch.eye(3, dtype=torch.float64)
    assert bound_of(block, (3,))[0] == pytest.approx(1.5)


@pytest.mark.parametrize(
    "function",
    [lambda x: x * x, lambda x: x / (1 + x.abs()), torch.exp, partial_write, filled,
     lambda x: x - x.mean(0)],
    ids=["product", "quotient", "exp", "partial write", "filled", "over the batch"],
)  # fmt: skip
def test_what_has_no_rule_has_no_bound(function):
    module = randomized(Head(function, 72))
    bound, unknown = bound_of(module, (2, 6, 6))
    assert bound == math.inf and unknown
