"""ResNet-18 for small images."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import nn

from ._base import check_sizes
from ._residual import ResidualNet


class PreActResNet18(ResidualNet):
    """Pre-activation ResNet-18 for images of about 32 x 32 pixels [1]_.

    Four stages of two residual blocks; the first convolution is 3 x 3 and keeps the size of
    the image, as is usual for CIFAR-10.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one image, (H, W) or (C, H, W).
    n_classes : int
        Number of logits.
    channels : tuple of int, default=(64, 128, 256, 512)
        Number of filters in each stage.
    activation : type, default=torch.nn.ReLU
        Class of the activation layers, or any function that builds one.

    Attributes
    ----------
    features : torch.nn.Sequential
        From images ``(n, *input_shape)`` to the averages (n, channels[-1]).
    classifier : torch.nn.Linear
        From there to the logits (n, n_classes).

    Raises
    ------
    ValueError
        If ``input_shape`` is not that of an image.

    See Also
    --------
    WideResNet : Fewer stages, more filters.

    Notes
    -----
    The images need no normalisation beforehand: ``eps`` is in the units of the pixels.

    References
    ----------
    .. [1] K. He, X. Zhang, S. Ren and J. Sun, "Identity mappings in deep residual
       networks", ECCV 2016.

    Examples
    --------
    >>> import torch
    >>> from sklearn_robust.modules import PreActResNet18
    >>> net = PreActResNet18((3, 32, 32), 10, channels=(4, 8, 8, 16))
    >>> net(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        n_classes: int,
        channels: Sequence[int] = (64, 128, 256, 512),
        activation: Callable[[], nn.Module] = nn.ReLU,
    ) -> None:
        channels = check_sizes("channels", channels)
        super().__init__(
            input_shape,
            n_classes,
            stem=channels[0],
            channels=channels,
            n_blocks=2,
            activation=activation,
        )
