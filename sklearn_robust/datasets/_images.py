"""Scaling of pixels, for every loader of images."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def scale_pixels(images: NDArray[Any]) -> NDArray[np.float32]:
    """Turn uint8 pixels into float32 numbers in [0, 1], with a channel axis if there is none."""
    scaled = np.divide(images, 255, dtype=np.float32, order="C")
    return scaled[:, np.newaxis] if scaled.ndim == 3 else scaled
