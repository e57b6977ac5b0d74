"""Fully connected layers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from numbers import Integral

from torch import nn

from .._validation import check_count, check_shape
from ._base import BaseModule, check_activation, check_sizes


class MLP(BaseModule):
    """Multi-layer perceptron on flattened samples.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one sample; any number of axes.
    n_classes : int
        Number of logits.
    hidden : int or tuple of int, default=(128, 128)
        Widths of the hidden layers; empty for a linear model.
    activation : type, default=torch.nn.ReLU
        Class of the layer after each hidden layer, or any function that builds it.

    Attributes
    ----------
    features : torch.nn.Sequential
        From samples ``(n, *input_shape)`` to the last hidden layer (n, hidden[-1]).
    classifier : torch.nn.Linear
        From there to the logits (n, n_classes).

    Raises
    ------
    ValueError
        If ``input_shape`` is empty or holds a number below 1.

    See Also
    --------
    MNISTConvNet : Convolutions for grey images.
    CIFARConvNet : Convolutions for colour images.

    Examples
    --------
    >>> import torch
    >>> from sklearn_robust.modules import MLP
    >>> MLP((8, 8), 10, hidden=(32,))(torch.zeros(5, 8, 8)).shape
    torch.Size([5, 10])
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        n_classes: int,
        hidden: int | Sequence[int] = (128, 128),
        activation: Callable[[], nn.Module] = nn.ReLU,
    ) -> None:
        super().__init__()
        shape = check_shape("input_shape", input_shape)
        if type(n_classes) is not int or not 0 < n_classes <= 10**9:
            check_count("n_classes", n_classes)
        widths = (hidden,) if isinstance(hidden, Integral) else hidden
        check_activation(activation)
        width = math.prod(shape)
        layers: list[nn.Module] = [nn.Flatten()]
        for wider in check_sizes("hidden", widths, at_least=0):
            layers += [nn.Linear(width, wider), activation()]
            width = wider
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(width, n_classes)
