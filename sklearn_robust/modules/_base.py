"""Base of all networks: two halves, and checks of the shape of the samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .._validation import check_count, check_shape, shown


class BaseModule(nn.Module):
    """Network in two halves: ``features`` gives flat vectors, ``classifier`` their logits."""

    features: nn.Sequential
    classifier: nn.Module

    def forward(self, x: Tensor) -> Tensor:
        """Compute the logits, shape (n, n_classes), of a batch of samples."""
        return self.classifier(self.features(x))


class MaxPool2d(nn.MaxPool2d):
    """Max-pooling that is laid out channels-last while it runs on a CPU.

    There torch's kernel is vectorised over the channels alone: the same values in a third of the
    time. The result is laid out as the input was; convolutions that are differentiated twice are
    slow in any but the usual layout.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Pool a batch of images (n, C, H, W)."""
        last = torch.channels_last
        if x.device.type != "cpu" or x.ndim != 4 or x.is_contiguous(memory_format=last):
            return super().forward(x)
        return super().forward(x.contiguous(memory_format=last)).contiguous()


def image_shape(
    input_shape: Sequence[int], module: nn.Module, *, min_side: int = 1
) -> tuple[int, int, int]:
    """Read (H, W) or (C, H, W) as (C, H, W), or raise an error that says what ``module`` takes."""
    whole = isinstance(input_shape, (tuple, list)) and all(type(n) is int for n in input_shape)
    shape = tuple(input_shape) if whole else check_shape("input_shape", input_shape)
    if len(shape) not in (2, 3) or min(shape) < 1 or min(shape[-2:]) < min_side:
        raise ValueError(
            f"{type(module).__name__} takes images, (H, W) or (C, H, W), of at least {min_side} x "
            f"{min_side} pixels, but input_shape is {shape}; MLP takes samples of any shape."
        )
    channels, height, width = shape if len(shape) == 3 else (1, *shape)
    return channels, height, width


def channel_axis(input_shape: Sequence[int]) -> list[nn.Module]:
    """List the layer, if one is needed, that gives samples of shape (H, W) their channel axis."""
    return [nn.Unflatten(1, (1, input_shape[0]))] if len(input_shape) == 2 else []


def check_sizes(name: str, sizes: Any, *, at_least: int = 1) -> tuple[int, ...]:
    """Sizes of layers as a tuple of positive integers."""
    listed = isinstance(sizes, (tuple, list))
    axes = tuple(sizes) if listed else ()
    if not listed or len(axes) < at_least:
        raise ValueError(
            f"{name} is {shown(sizes)}; give a tuple of at least {at_least} positive integers, one "
            "for each layer."
        )
    for size in axes:
        if type(size) is not int or not 0 < size <= 10**9:
            check_count(f"each number of {name}", size)
    return tuple(map(int, axes))


def global_average() -> list[nn.Module]:
    """List the layers that average each channel over all pixels: (n, C, H, W) to (n, C)."""
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten()]


def check_activation(activation: Callable[[], nn.Module]) -> None:
    """Refuse a ready layer where a class is wanted: one layer cannot stand in many places."""
    if isinstance(activation, type):
        fine = issubclass(activation, nn.Module)
    else:
        fine = not isinstance(activation, nn.Module) and callable(activation)
        fine = fine and isinstance(activation(), nn.Module)
    if not fine:
        raise TypeError(
            f"activation is {shown(activation)}; give a class such as torch.nn.ReLU, or a function "
            f"without arguments that builds the layer."
        )
