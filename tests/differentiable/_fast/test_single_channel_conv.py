"""The gradient of a convolution of single-channel images."""

import pytest
import torch
from torch import nn

from sklearn_robust.differentiable._fast.single_channel_conv import SingleChannelConv2d

SINGLE_CHANNEL = [
    # out_channels, kernel, padding, image
    (3, 3, 1, (8, 8)),
    (16, 5, 2, (28, 28)),
    (4, 5, 0, (9, 13)),
    (4, (3, 5), (1, 0), (7, 10)),
    (2, (1, 4), (0, 3), (5, 6)),
    (5, 3, "same", (6, 7)),
    (5, 3, "valid", (3, 3)),
    (1, 1, 0, (1, 1)),
]


@pytest.mark.parametrize("case", SINGLE_CHANNEL, ids=str)
def test_the_gradient_to_a_single_channel_image_is_that_of_the_convolution(case):
    channels, kernel, padding, size = case
    layer = nn.Conv2d(1, channels, kernel, padding=padding).double().requires_grad_(False)
    assert SingleChannelConv2d.suits(layer)
    quick = SingleChannelConv2d(layer)
    x = torch.rand(3, 1, *size, dtype=torch.float64, requires_grad=True)
    z, wanted = quick(x), layer(x)
    torch.testing.assert_close(z, wanted, rtol=0, atol=0)
    direction = torch.randn_like(z)
    grads = [torch.autograd.grad(out, x, direction)[0] for out in (z, wanted)]
    torch.testing.assert_close(*grads, rtol=1e-12, atol=1e-12)
    several = torch.stack([direction, 2 * direction])
    grads = [
        torch.autograd.grad(conv(x), x, several, is_grads_batched=True)[0]
        for conv in (layer, quick)
    ]
    torch.testing.assert_close(*grads, rtol=1e-12, atol=1e-12)
    bent = [
        torch.autograd.grad((conv(x) ** 3).sum(), x, create_graph=True)[0]
        for conv in (layer, quick)
    ]
    second = [torch.autograd.grad((grad**2).sum(), x)[0] for grad in bent]
    torch.testing.assert_close(*second, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(2, 3, 3),
        nn.Conv2d(1, 3, 3, stride=2),
        nn.Conv2d(1, 3, 3, dilation=2),
        nn.Conv2d(1, 3, 2, padding="same"),
        nn.Conv2d(1, 3, 3, padding=3),
        nn.Conv2d(1, 3, 3, padding=1, padding_mode="circular"),
        torch.nn.utils.parametrizations.spectral_norm(nn.Conv2d(1, 3, 3)),
    ],
    ids=str,
)
def test_other_convolutions_keep_their_own_gradient(layer):
    assert not SingleChannelConv2d.suits(layer)
