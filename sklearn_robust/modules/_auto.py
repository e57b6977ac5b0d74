"""Network for data of any shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._validation import check_shape
from ._base import BaseModule
from ._cifar import CIFARConvNet
from ._mlp import MLP
from ._mnist import MNISTConvNet

SMALLEST, SMALL, LARGE = 4, 16, 64


def auto_module(input_shape: Sequence[int], n_classes: int, **params: Any) -> BaseModule:
    """Build a network that suits the shape of the samples, as ``module="auto"`` does.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one sample.
    n_classes : int
        Number of logits.
    **params
        Arguments of the class that is chosen, in place of its defaults.

    Returns
    -------
    module : torch.nn.Module
        :class:`MNISTConvNet` for grey images: the papers' sizes from 16 pixels a side, a
        smaller network below. :class:`CIFARConvNet` for images with more channels, and
        for grey images of more than 64 pixels a side, where a fully connected layer would be
        too large. :class:`MLP` for everything else: rows of features, images of less than 4
        pixels a side, samples of more than three axes.

    Examples
    --------
    >>> from sklearn_robust.modules import auto_module
    >>> [type(auto_module(s, 2)).__name__ for s in [(30,), (28, 28), (1, 8, 8), (3, 32, 32)]]
    ['MLP', 'MNISTConvNet', 'MNISTConvNet', 'CIFARConvNet']
    """
    shape = (
        input_shape if isinstance(input_shape, tuple) else check_shape("input_shape", input_shape)
    )
    if len(shape) not in (2, 3) or min(shape[-2:]) < SMALLEST:
        return MLP(shape, n_classes, **params)
    one_channel = len(shape) == 2 or shape[0] == 1
    if not one_channel or max(shape[-2:]) > LARGE:
        return CIFARConvNet(shape, n_classes, **params)
    if min(shape[-2:]) < SMALL:
        params = {"channels": (16, 32), "kernel_size": 3, "hidden": 128, **params}
    return MNISTConvNet(shape, n_classes, **params)
