"""Replacements of torch functions in a linearised network."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from sklearn_robust.clustering import class_weight_matrix, linearize
from tests.cases import named
from tests.clustering.networks import (
    Head,
    points,
)

ACTIVATIONS = [
    nn.CELU(), nn.ELU(), nn.GELU(), nn.Hardshrink(), nn.Hardsigmoid(), nn.Hardswish(),
    nn.Hardtanh(), nn.LeakyReLU(), nn.LogSigmoid(), nn.Mish(), nn.PReLU(), nn.ReLU(), nn.ReLU6(),
    nn.ReLU(inplace=True), nn.SELU(), nn.SiLU(), nn.Sigmoid(), nn.Softplus(), nn.Softshrink(),
    nn.Softsign(), nn.Tanh(), nn.Tanhshrink(), nn.Threshold(0.1, 0.2), nn.RReLU(), nn.Dropout(),
    nn.AlphaDropout(), nn.Softmax(1), nn.LogSoftmax(1), torch.relu, torch.sigmoid, torch.tanh,
    torch.Tensor.relu_, torch.Tensor.sigmoid, F.leaky_relu_, F.elu_, F.softplus, F.hardtanh_,
    torch.special.expit, lambda x: x.clamp(min=0), lambda x: torch.clip(x, 0, 1),
    lambda x: x.softmax(1).log(), F.dropout,
]  # fmt: skip


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=named)
def test_an_activation_is_left_out_however_it_is_called(activation):
    class Network(Head):
        def forward(self, x):
            return self.last(activation(self.inner(x)))

    network = Network().double()
    W = class_weight_matrix(network, input_shape=(6,))
    wanted = (network.last.weight @ network.inner.weight).detach()
    np.testing.assert_allclose(W, wanted, rtol=0, atol=1e-14)


@pytest.mark.parametrize("head", [nn.Softmin(1), lambda x: F.softmin(x, 1).log()], ids=named)
def test_a_softmin_is_a_softmax_of_what_is_turned_round(head):
    class Network(Head):
        def forward(self, x):
            return head(self.last(x))

    network = Network()
    W = class_weight_matrix(network, input_shape=(6,))
    assert np.array_equal(W, -network.last.weight.detach().double())


POOLS = [
    (nn.MaxPool1d(2), nn.AvgPool1d(2), (2, 8)),
    (nn.MaxPool2d(3, 2, 1), nn.AvgPool2d(3, 2, 1), (2, 8, 8)),
    (nn.MaxPool2d(3, 2, ceil_mode=True), nn.AvgPool2d(3, 2, ceil_mode=True), (2, 8, 8)),
    (nn.MaxPool3d(2), nn.AvgPool3d(2), (2, 4, 4, 4)),
    (nn.AdaptiveMaxPool1d(3), nn.AdaptiveAvgPool1d(3), (2, 8)),
    (nn.AdaptiveMaxPool2d(1), nn.AdaptiveAvgPool2d(1), (2, 8, 8)),
    (lambda x: F.max_pool2d(x, 2), nn.AvgPool2d(2), (2, 8, 8)),
    (lambda x: torch.max_pool2d(x, (2, 2), (1, 1)), nn.AvgPool2d(2, 1), (2, 8, 8)),
]


@pytest.mark.parametrize(("maximum", "average", "shape"), POOLS, ids=named)
def test_a_maximum_becomes_the_average_of_the_same_places(maximum, average, shape):
    class Network(nn.Module):
        def forward(self, x):
            return maximum(x).flatten(1)

    x = points(1, shape)[0].repeat(2, *[1] * len(shape))
    torch.testing.assert_close(linearize(Network())(x), average(x).flatten(1))


@pytest.mark.parametrize(
    ("norm", "name"),
    [
        (nn.LayerNorm(6), "layer_norm"),
        (nn.GroupNorm(2, 6), "group_norm"),
        (nn.RMSNorm(6), "rms_norm"),
    ],
)
def test_a_normalisation_of_each_sample_is_left_out_with_a_warning(norm, name):
    network = nn.Sequential(nn.Linear(6, 6), norm, nn.Linear(6, 3)).double()
    with pytest.warns(UserWarning, match=f"leaves out {name}"):
        W = class_weight_matrix(network, input_shape=(6,))
    wanted = (network[2].weight @ network[0].weight).detach()
    np.testing.assert_allclose(W, wanted, rtol=0, atol=1e-14)


def test_activations_that_shape_weights_stay():
    (x, _) = points(2, (6,))

    class Positive(Head):
        def forward(self, x):
            return F.linear(x, F.softplus(self.last.weight), self.last.bias)

    network = Positive().double()
    torch.testing.assert_close(linearize(network)(x), network(x))
