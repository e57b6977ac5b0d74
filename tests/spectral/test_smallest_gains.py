"""Smallest singular values of all steps against dense matrices, in float64."""

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_robust.differentiable import open_model
from sklearn_robust.spectral import conv_singular_values
from sklearn_robust.spectral._layers import last_layer
from sklearn_robust.spectral._smallest_gains import smallest_gains
from sklearn_robust.spectral._trace import trace_of
from tests.spectral.convolutions import matrix_of
from tests.spectral.models import randomized


def gains_of(module, shape):
    model = open_model(module).module
    trace = trace_of(model, torch.zeros(2, *shape).double())
    return smallest_gains(trace, last_layer(trace).node, "it")


def smallest(function, shape):
    return float(torch.linalg.svdvals(matrix_of(function, shape)).min())


def test_convolutions_have_the_values_of_their_true_padding():
    net = nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(), nn.AvgPool2d(2),
        nn.Conv2d(3, 3, 3, padding=1), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(12, 3),
    )  # fmt: skip
    net = randomized(net).eval()
    gains = gains_of(net, (2, 8, 8))
    first = smallest(net[:2], (2, 8, 8))
    expected = {"0": first, "3 (avg_pool2d)": 0.5, "4": smallest(net[4], (3, 4, 4))}
    assert gains == {name: pytest.approx(value, rel=1e-9) for name, value in expected.items()}


def test_a_torus_has_another_smallest_value():
    """The one of this layer is 213 times too large there."""
    torch.manual_seed(0)
    conv, shape = nn.Conv2d(3, 3, 3, padding=1).double(), (3, 4, 4)
    gains = gains_of(nn.Sequential(conv, nn.Flatten(), nn.Linear(48, 3).double()), shape)
    assert gains["0"] == pytest.approx(smallest(conv, shape), rel=1e-9)
    assert conv_singular_values(conv, shape, method="fft").min() > 200 * gains["0"]


class Steps(nn.Module):
    """Affine steps that are no layers."""

    def __init__(self, step):
        super().__init__()
        self.step, self.last = step, nn.LazyLinear(3)

    def forward(self, x):
        return self.last(self.step(x).flatten(1))


STEPS = {
    "standardise": lambda x: (x - 0.5) / torch.tensor([0.1, 0.2, 0.4]).reshape(1, 3, 1, 1).double(),
    "scale": lambda x: torch.arange(1.0, 4.0).reshape(3, 1, 1).double() * x + 1,
    "mean": lambda x: x.mean((2, 3)),
    "sum": lambda x: x.sum((2, 3)),
    "overlap": lambda x: nn.functional.avg_pool2d(x, 3, 2, 1),
    "uneven": lambda x: nn.functional.adaptive_avg_pool2d(x, 4),
    "turned": lambda x: (-x).permute(0, 2, 3, 1),
}


@pytest.mark.parametrize("name", STEPS)
def test_affine_steps_have_the_values_of_their_matrices(name):
    module = Steps(STEPS[name]).double()
    module(torch.zeros(1, 3, 6, 6).double())
    product = np.prod(list(gains_of(module, (3, 6, 6)).values()))
    assert product == pytest.approx(smallest(STEPS[name], (3, 6, 6)), rel=1e-9)


@pytest.mark.parametrize(
    "step", [torch.sigmoid, lambda x: x * x, lambda x: x.sum(1, keepdim=True).clamp(0, 1)]
)
def test_what_may_shrink_a_change_to_nothing_is_refused(step):
    module = Steps(step).double()
    module(torch.zeros(1, 3, 2, 2).double())
    with pytest.raises(ValueError, match="No smallest singular value is known of"):
        gains_of(module, (3, 2, 2))
