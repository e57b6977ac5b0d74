"""A convolution of single-channel images whose gradient is fast on a CPU."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

__all__ = ["SingleChannelConv2d"]

_TILE = 2, 4  # pixels: eight lanes of a vector register


class _SpreadGradient(torch.autograd.Function):
    """A convolution with constant weights, and the gradient to its image by tiles."""

    @staticmethod
    def forward(ctx, x: torch.Tensor, layer) -> torch.Tensor:
        ctx.layer, ctx.size = layer, x.shape[-2:]
        return functional.conv2d(x, layer.weight, layer.bias, padding=layer.padding)

    @staticmethod
    def backward(ctx, grad: torch.Tensor):
        return ctx.layer.gradient(grad, ctx.size), None


class SingleChannelConv2d(nn.Conv2d):
    """Frozen convolution of one input channel, with the same values as the ``layer`` it copies.

    The gradient to a single-channel image is a convolution with a single output channel, in which
    a CPU's kernels leave all but one lane of a vector idle. Here the pixels of a tile are the
    output channels of a strided convolution, which takes a third of the time.

    Parameters
    ----------
    layer : torch.nn.Conv2d
        One that ``suits``.
    """

    tiles: torch.Tensor

    def __init__(self, layer: nn.Conv2d) -> None:
        channels, size = layer.out_channels, (layer.kernel_size[0], layer.kernel_size[1])
        super().__init__(1, channels, size, bias=layer.bias is not None, device="meta")
        self.weight, self.bias = layer.weight, layer.bias
        self.padding = (0, 0) if layer.padding == "valid" else layer.padding
        if layer.padding == "same":
            self.padding = tuple(edge // 2 for edge in size)
        self.register_buffer("tiles", self._tiles(layer.weight), persistent=False)
        self.requires_grad_(False)

    def reset_parameters(self) -> None:
        """Draw no weights: they come from the layer."""

    @staticmethod
    def suits(layer: nn.Module) -> bool:
        """Whether the layer is one that this class can stand for."""
        if type(layer) is not nn.Conv2d or layer.in_channels != 1:
            return False
        if layer.weight.device.type != "cpu" or layer.padding_mode != "zeros":
            return False
        if layer._forward_hooks or layer._forward_pre_hooks:  # the copy would lose them
            return False
        size = layer.kernel_size
        if layer.stride != (1, 1) or layer.dilation != (1, 1):
            return False
        if isinstance(layer.padding, str):  # an even kernel pads its two sides differently
            return layer.padding == "valid" or all(edge % 2 for edge in size)
        return all(pad < edge for pad, edge in zip(layer.padding, size, strict=True))

    @staticmethod
    def _tiles(weight):
        """Kernels that find the gradient of each pixel of a tile, (8, out_channels, k, k)."""
        (tall, wide), (height, width) = _TILE, weight.shape[-2:]
        flipped = weight.detach().flip(2, 3)[:, 0]
        tiles = weight.new_zeros(tall, wide, len(weight), height + tall - 1, width + wide - 1)
        for i in range(tall):
            for j in range(wide):
                tiles[i, j, :, i : i + height, j : j + width] = flipped
        return tiles.flatten(0, 1).contiguous(memory_format=torch.channels_last)

    def gradient(self, grad: torch.Tensor, size: torch.Size) -> torch.Tensor:
        """Gradient to images of ``size``, (n, 1, H, W), from that to the output."""
        pads = [int(pad) for pad in self.padding]
        before = [k - 1 - pad for k, pad in zip(self.kernel_size, pads, strict=True)]
        extra = [-edge % tile for edge, tile in zip(size, _TILE, strict=True)]
        if any(extra):
            grad = functional.pad(grad, (0, extra[1], 0, extra[0]))
        blocks = functional.conv2d(grad, self.tiles.to(grad), stride=_TILE, padding=before)
        n, _, rows, columns = blocks.shape
        pixels = blocks.reshape(n, *_TILE, rows, columns).permute(0, 3, 1, 4, 2)
        image = pixels.reshape(n, 1, rows * _TILE[0], columns * _TILE[1])
        return image.narrow(2, 0, size[0]).narrow(3, 0, size[1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Convolve a batch of images (n, 1, H, W)."""
        if not x.requires_grad or x.ndim != 4 or x.device.type != "cpu":
            return super().forward(x)
        return _SpreadGradient.apply(x, self)
