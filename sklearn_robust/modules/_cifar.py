"""The papers' network for CIFAR-10."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import nn

from .._validation import check_count, check_flag
from ._base import (
    BaseModule,
    MaxPool2d,
    channel_axis,
    check_activation,
    check_sizes,
    global_average,
    image_shape,
)


class CIFARConvNet(BaseModule):
    """Five 3 x 3 convolutions, global average pooling and one linear layer.

    Every second convolution is followed by 2 x 2 max-pooling.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one image, (H, W) or (C, H, W), at least 4 x 4 pixels.
    n_classes : int
        Number of logits.
    channels : tuple of int, default=(32, 32, 64, 64, 128)
        Number of filters of each convolution.
    batch_norm : bool, default=True
        Whether batch normalisation follows each convolution.
    activation : type, default=torch.nn.ReLU
        Class of the layer after each convolution, or any function that builds it.

    Attributes
    ----------
    features : torch.nn.Sequential
        From images ``(n, *input_shape)`` to the averages (n, channels[-1]).
    classifier : torch.nn.Linear
        From there to the logits (n, n_classes).

    Raises
    ------
    ValueError
        If ``input_shape`` is not that of an image, or the image is too small.

    See Also
    --------
    PreActResNet18 : Eighteen layers with shortcuts.
    WideResNet : The network of most published robust accuracies.

    Notes
    -----
    The images need no normalisation beforehand: ``eps`` is in the units of the pixels.

    Examples
    --------
    >>> import torch
    >>> from sklearn_robust.modules import CIFARConvNet
    >>> CIFARConvNet((3, 32, 32), 10)(torch.zeros(5, 3, 32, 32)).shape
    torch.Size([5, 10])
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        n_classes: int,
        channels: Sequence[int] = (32, 32, 64, 64, 128),
        batch_norm: bool = True,
        activation: Callable[[], nn.Module] = nn.ReLU,
    ) -> None:
        super().__init__()
        check_count("n_classes", n_classes)
        check_flag("batch_norm", batch_norm)
        channels = check_sizes("channels", channels)
        width, _, _ = image_shape(input_shape, self, min_side=2 ** (len(channels) // 2))
        check_activation(activation)
        layers = channel_axis(input_shape)
        for place, wider in enumerate(channels, start=1):
            # Batch normalisation subtracts any bias at once.
            layers.append(nn.Conv2d(width, wider, 3, padding=1, bias=not batch_norm))
            if batch_norm:
                layers.append(nn.BatchNorm2d(wider))
            if place % 2 == 0:
                layers.append(MaxPool2d(2))
            layers.append(activation())
            width = wider
        self.features = nn.Sequential(*layers, *global_average())
        self.classifier = nn.Linear(width, n_classes)
