"""What all networks share: two halves, and a first look at the shape of the samples."""

import torch
from torch import nn


class BaseModule(nn.Module):
    """A network in two halves: ``features`` gives flat vectors, ``classifier`` their logits."""

    features: nn.Sequential
    classifier: nn.Module

    def forward(self, x):
        """Compute the logits, shape (n, n_classes), of a batch of samples."""
        return self.classifier(self.features(x))


class MaxPool2d(nn.MaxPool2d):
    """Max-pooling that is laid out channels-last while it runs on a CPU.

    There torch's kernel is vectorised over the channels alone: the same values in a third of the
    time. The result is laid out as the input was; convolutions that are differentiated twice are
    slow in any but the usual layout.
    """

    def forward(self, x):
        """Pool a batch of images (n, C, H, W)."""
        last = torch.channels_last
        if x.device.type != "cpu" or x.ndim != 4 or x.is_contiguous(memory_format=last):
            return super().forward(x)
        return super().forward(x.contiguous(memory_format=last)).contiguous()


def image_shape(input_shape, module, *, min_side=1):
    """Read (H, W) or (C, H, W) as (C, H, W), or say what ``module`` wants instead."""
    shape = tuple(input_shape)
    if len(shape) not in (2, 3) or min(shape) < 1 or min(shape[-2:]) < min_side:
        raise ValueError(
            f"{type(module).__name__} takes images, (H, W) or (C, H, W), of at least {min_side} x "
            f"{min_side} pixels, but input_shape is {shape}; MLP takes samples of any shape."
        )
    return shape if len(shape) == 3 else (1, *shape)


def channel_axis(input_shape):
    """Give the layer, if one is needed, that gives samples of shape (H, W) their channel axis."""
    return [nn.Unflatten(1, (1, input_shape[0]))] if len(input_shape) == 2 else []


def global_average():
    """Give the layers that average each channel over all pixels: (n, C, H, W) to (n, C)."""
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten()]


def check_activation(activation):
    """Refuse a ready layer where a class is wanted: one layer cannot stand in many places."""
    if isinstance(activation, nn.Module) or not callable(activation):
        raise TypeError(
            f"activation is {activation!r}; wanted is a class such as torch.nn.ReLU, or a function "
            f"without arguments that builds the layer."
        )
