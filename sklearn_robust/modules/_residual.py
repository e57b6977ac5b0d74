"""Pre-activation residual networks: the block, and the network made of its stages."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from .._validation import check_count
from ._base import BaseModule, channel_axis, check_activation, global_average, image_shape


class PreActBlock(nn.Module):
    """Two 3 x 3 convolutions, each after normalisation and activation, beside a shortcut.

    The shortcut is the identity, or a 1 x 1 convolution of the first activation where the
    number of channels or of pixels changes.
    """

    def __init__(
        self, width: int, wider: int, stride: int, activation: Callable[[], nn.Module]
    ) -> None:
        super().__init__()
        self.activate1 = nn.Sequential(nn.BatchNorm2d(width), activation())
        self.conv1 = nn.Conv2d(width, wider, 3, stride, padding=1, bias=False)
        self.activate2 = nn.Sequential(nn.BatchNorm2d(wider), activation())
        self.conv2 = nn.Conv2d(wider, wider, 3, padding=1, bias=False)
        same = width == wider and stride == 1
        self.project = None if same else nn.Conv2d(width, wider, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Add the change that the convolutions propose to the shortcut."""
        active = self.activate1(x)
        shortcut = x if self.project is None else self.project(active)
        return shortcut + self.conv2(self.activate2(self.conv1(active)))


class ResidualNet(BaseModule):
    """A first convolution, stages of blocks, global average pooling, one linear layer.

    Every stage but the first halves the image.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        n_classes: int,
        *,
        stem: int,
        channels: Sequence[int],
        n_blocks: int,
        activation: Callable[[], nn.Module],
    ) -> None:
        super().__init__()
        check_count("n_classes", n_classes)
        width, _, _ = image_shape(input_shape, self)
        check_activation(activation)
        layers = [*channel_axis(input_shape), nn.Conv2d(width, stem, 3, padding=1, bias=False)]
        width = stem
        for stage, wider in enumerate(channels):
            blocks = []
            for block in range(n_blocks):
                stride = 2 if stage > 0 and block == 0 else 1
                blocks.append(PreActBlock(width, wider, stride, activation))
                width = wider
            layers.append(nn.Sequential(*blocks))
        self.features = nn.Sequential(
            *layers, nn.BatchNorm2d(width), activation(), *global_average()
        )
        self.classifier = nn.Linear(width, n_classes)
