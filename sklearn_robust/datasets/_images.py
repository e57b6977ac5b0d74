"""What every loader of images does with pixels."""

import numpy as np


def scale_pixels(images):
    """Turn uint8 pixels into float32 numbers in [0, 1], with a channel axis if there is none."""
    scaled = np.divide(images, 255, dtype=np.float32, order="C")
    return scaled[:, np.newaxis] if scaled.ndim == 3 else scaled
