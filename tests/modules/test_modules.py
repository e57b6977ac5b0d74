"""The networks: shapes in and out, the papers' sizes, what they refuse."""

import copy
import pickle
from functools import partial

import pytest
import torch
from torch import nn

from sklearn_robust.modules import MLP, CIFARConvNet, MNISTConvNet, PreActResNet18, WideResNet

MNISTSmall = partial(MNISTConvNet, channels=(2, 3), hidden=5)
CIFARSmall = partial(CIFARConvNet, channels=(2, 2, 3, 3, 4))
PreActSmall = partial(PreActResNet18, channels=(2, 3, 4, 5))
WideSmall = partial(WideResNet, depth=10, widen_factor=1)
IMAGE_NETS = [MNISTSmall, CIFARSmall, PreActSmall, WideSmall]
NETS = [partial(MLP, hidden=(6,)), *IMAGE_NETS]


def name(value):
    return value.func.__name__ if isinstance(value, partial) else str(value)


@pytest.mark.parametrize("shape", [(8, 8), (1, 8, 8), (3, 9, 11), (2, 4, 4), [5, 7]], ids=name)
@pytest.mark.parametrize("net", NETS, ids=name)
def test_a_batch_of_images_becomes_a_batch_of_logits(net, shape):
    module = net(shape, 3).eval()
    x = torch.rand(4, *shape)
    logits = module(x)
    assert logits.shape == (4, 3)
    assert logits.requires_grad
    assert module.features(x).ndim == 2
    torch.testing.assert_close(module.classifier(module.features(x)), logits)
    torch.testing.assert_close(module(x[1:2]), logits[1:2])


@pytest.mark.parametrize("net", NETS, ids=name)
def test_an_image_without_a_channel_axis_is_one_with_a_single_channel(net):
    with_axis, without = net((1, 8, 9), 2).eval(), net((8, 9), 2).eval()
    for ours, theirs in zip(without.parameters(), with_axis.parameters(), strict=True):
        ours.data = theirs.data
    x = torch.rand(3, 1, 8, 9)
    torch.testing.assert_close(without(x[:, 0]), with_axis(x), rtol=0, atol=0)


@pytest.mark.parametrize("net", NETS, ids=name)
@pytest.mark.parametrize("activation", [nn.Softplus, partial(nn.LeakyReLU, 0.3)], ids=repr)
def test_the_activation_is_the_one_asked_for_in_every_place(net, activation):
    layers = list(net((1, 8, 8), 2, activation=activation).modules())
    assert not any(isinstance(layer, nn.ReLU) for layer in layers)
    chosen = [layer for layer in layers if isinstance(layer, type(activation()))]
    assert chosen and len(chosen) == len(set(map(id, chosen)))


@pytest.mark.parametrize("net", NETS, ids=name)
@pytest.mark.parametrize("activation", [nn.ReLU(), "relu"], ids=repr)
def test_a_ready_activation_is_refused(net, activation):
    with pytest.raises(TypeError, match="activation is .*; give a class such as torch.nn"):
        net((1, 8, 8), 2, activation=activation)


@pytest.mark.parametrize("net", NETS, ids=name)
def test_copies_and_pickles_give_the_same_logits(net):
    module = net((8, 8), 2).eval()
    x = torch.rand(2, 8, 8)
    for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        torch.testing.assert_close(twin(x), module(x), rtol=0, atol=0)


@pytest.mark.parametrize("shape", [(64,), (2, 3, 8, 8), (1, 0, 8), (0, 8, 8), ()], ids=name)
@pytest.mark.parametrize("net", IMAGE_NETS, ids=name)
def test_samples_that_are_no_images_are_refused(net, shape):
    with pytest.raises(ValueError, match=r"takes images, .*input_shape is \(.*; MLP takes"):
        net(shape, 2)


@pytest.mark.parametrize(
    ("net", "shape", "side"),
    [
        (MNISTConvNet, (1, 3, 8), 4),
        (CIFARConvNet, (3, 8, 3), 4),
        (partial(MNISTConvNet, channels=(2, 2, 2)), (7, 7), 8),
    ],
    ids=name,
)
def test_images_too_small_to_pool_are_refused(net, shape, side):
    with pytest.raises(ValueError, match=f"at least {side} x {side} pixels"):
        net(shape, 2)


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (partial(MLP, ()), "tuple of positive integers"),
        (partial(MLP, (3, 0)), "tuple of positive integers"),
        (partial(MNISTConvNet, (8, 8), kernel_size=4), "kernel_size is 4; give an odd"),
        (partial(WideResNet, (8, 8), depth=30), "depth is 30; give 6 b"),
        (partial(WideResNet, (8, 8), depth=4), "depth is 4; give 6 b"),
    ],
    ids=name,
)
def test_impossible_sizes_are_refused(net, message):
    with pytest.raises(ValueError, match=message):
        net(n_classes=2)


@pytest.mark.parametrize(
    ("net", "shape", "n_parameters"),
    [
        (partial(MLP, hidden=()), (30,), 30 * 10 + 10),
        (partial(MLP, hidden=6), (30,), 31 * 6 + 7 * 10),
        (MNISTConvNet, (1, 28, 28), 3_274_634),
        (PreActResNet18, (3, 32, 32), 11_172_170),
        (partial(WideResNet, depth=28), (3, 32, 32), 36_479_194),
        (partial(WideResNet, depth=32), (3, 32, 32), 46_160_474),
        (partial(WideResNet, depth=34), (3, 32, 32), 46_160_474),
    ],
    ids=name,
)
def test_the_published_networks_have_the_published_number_of_parameters(net, shape, n_parameters):
    with torch.device("meta"):
        module = net(shape, 10)
    assert sum(parameter.numel() for parameter in module.parameters()) == n_parameters
