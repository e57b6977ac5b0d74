"""The network for CIFAR-10."""

from torch import nn

from sklearn_robust.modules import CIFARConvNet
from sklearn_robust.modules._base import MaxPool2d


def test_the_cifar_net_pools_at_two_places():
    layers = [type(layer) for layer in CIFARConvNet((3, 32, 32), 10, batch_norm=False).features]
    convolved = [nn.Conv2d, nn.ReLU]
    pair = [*convolved, nn.Conv2d, MaxPool2d, nn.ReLU]
    assert layers == [*pair, *pair, *convolved, nn.AdaptiveAvgPool2d, nn.Flatten]
