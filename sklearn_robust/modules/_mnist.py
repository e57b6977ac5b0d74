"""The papers' network for MNIST."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import nn

from .._validation import check_count
from ._base import (
    BaseModule,
    MaxPool2d,
    channel_axis,
    check_activation,
    check_sizes,
    image_shape,
)


class MNISTConvNet(BaseModule):
    """Two convolutions and two fully connected layers: the network of the MNIST challenge [1]_.

    Each convolution keeps the size of the image and is followed by 2 x 2 max-pooling and
    the activation. For ReLU, or any other that never falls, this is the same function as the
    activation before the pooling, with a quarter of its work.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one image, (H, W) or (C, H, W), at least 4 x 4 pixels (two to the
        number of convolutions).
    n_classes : int
        Number of logits.
    channels : tuple of int, default=(32, 64)
        Number of filters of each convolution.
    kernel_size : int, default=5
        Side of the filters, in pixels; odd.
    hidden : int, default=1024
        Width of the hidden fully connected layer.
    activation : type, default=torch.nn.ReLU
        Class of the layer after each hidden layer, or any function that builds it.

    Attributes
    ----------
    features : torch.nn.Sequential
        From images ``(n, *input_shape)`` to the pooled maps, flattened.
    classifier : torch.nn.Sequential
        The fully connected layers, from there to the logits (n, n_classes).

    Raises
    ------
    ValueError
        If ``input_shape`` is not that of an image, or the image is too small.

    See Also
    --------
    CIFARConvNet : Global average pooling in place of the hidden layer.

    References
    ----------
    .. [1] A. Madry, A. Makelov, L. Schmidt, D. Tsipras and A. Vladu, "Towards deep
       learning models resistant to adversarial attacks", ICLR 2018.

    Examples
    --------
    >>> import torch
    >>> from sklearn_robust.modules import MNISTConvNet
    >>> net = MNISTConvNet((1, 28, 28), 10)
    >>> net(torch.zeros(5, 1, 28, 28)).shape
    torch.Size([5, 10])
    >>> sum(p.numel() for p in net.parameters())
    3274634
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        n_classes: int,
        channels: Sequence[int] = (32, 64),
        kernel_size: int = 5,
        hidden: int = 1024,
        activation: Callable[[], nn.Module] = nn.ReLU,
    ) -> None:
        super().__init__()
        check_count("n_classes", n_classes)
        check_count("hidden", hidden)
        check_count("kernel_size", kernel_size, high=10**3)
        channels = check_sizes("channels", channels)
        width, height, breadth = image_shape(input_shape, self, min_side=2 ** len(channels))
        if kernel_size % 2 == 0:
            raise ValueError(
                f"kernel_size is {kernel_size}; give an odd number, such as "
                f"{kernel_size + 1}, so that the filter has a middle."
            )
        check_activation(activation)
        layers = channel_axis(input_shape)
        for wider in channels:
            layers += [
                nn.Conv2d(width, wider, kernel_size, padding=kernel_size // 2),
                MaxPool2d(2),
                activation(),
            ]
            width, height, breadth = wider, height // 2, breadth // 2
        self.features = nn.Sequential(*layers, nn.Flatten())
        self.classifier = nn.Sequential(
            nn.Linear(width * height * breadth, hidden), activation(), nn.Linear(hidden, n_classes)
        )
