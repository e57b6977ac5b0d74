"""The network that suits the shape of the data."""

import pytest
import torch
from torch import nn

from sklearn_robust.modules import MLP, CIFARConvNet, MNISTConvNet, auto_module
from tests.modules.test_modules import name


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((1,), MLP),
        ((30,), MLP),
        ((3, 8), MLP),
        ((2, 3, 8, 8), MLP),
        ((3, 3, 32), MLP),
        ((4, 4), MNISTConvNet),
        ((1, 8, 8), MNISTConvNet),
        ((28, 28), MNISTConvNet),
        ((1, 64, 64), MNISTConvNet),
        ((65, 64), CIFARConvNet),
        ((3, 32, 32), CIFARConvNet),
        ((2, 4, 4), CIFARConvNet),
    ],
    ids=name,
)
def test_the_network_suits_the_shape_of_the_data(shape, expected):
    module = auto_module(shape, 3).eval()
    assert type(module) is expected
    assert module(torch.rand(2, *shape)).shape == (2, 3)


@pytest.mark.parametrize(
    ("shape", "channels", "kernel", "hidden"),
    [((1, 15, 40), [16, 32], (3, 3), 128), ((16, 16), [32, 64], (5, 5), 1024)],
    ids=name,
)
def test_small_grey_images_get_a_smaller_network(shape, channels, kernel, hidden):
    module = auto_module(shape, 10)
    convolutions = [layer for layer in module.features if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == channels
    assert {layer.kernel_size for layer in convolutions} == {kernel}
    assert module.classifier[0].out_features == hidden
