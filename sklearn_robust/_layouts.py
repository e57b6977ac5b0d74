"""Layout of images: channels before rows and columns, or after them."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["MOVE_CHANNELS", "has_channels_last"]

MOVE_CHANNELS = "np.moveaxis(X, -1, 1), or X.transpose(0, 3, 1, 2)"
_SMALLEST, _LONGEST = 8, 4  # side of an image, and its greatest ratio of sides


def has_channels_last(sample_shape: Sequence[int]) -> bool:
    """Whether samples look like images (H, W, C), as OpenCV, PIL and Keras have them.

    Parameters
    ----------
    sample_shape : tuple of int
        Shape of one sample.

    Returns
    -------
    last : bool
        True for three axes of which the last is 1, 3 or 4, and the others at least 8 and no
        more than four times each other. So (3, 3, 3), (3, H, 3) and (64, 8, 3) are no such
        images; feature maps (16, 16, 4) are taken for them.
    """
    if len(sample_shape) != 3:
        return False
    height, width, channels = sample_shape
    short, long = sorted((height, width))
    return channels in (1, 3, 4) and short >= _SMALLEST and long <= _LONGEST * short
