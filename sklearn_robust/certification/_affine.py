"""Affine maps of transformers in front of a classifier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ..differentiable._layers.blocks import Columns, Matrix, Scale, Shift, Union
from ..differentiable._layers.blocks import Sequence as Stack
from ..differentiable._layers.outputs import OutputOf
from ..differentiable._meta import transformer
from ..exceptions import NotDifferentiableError

__all__ = ["AffineMap", "affine_map"]

Floats = NDArray[np.float64]
AFFINE = (Columns, Matrix, OutputOf, Scale, Shift, Stack, Union, nn.Identity, nn.ModuleList)


@dataclass
class AffineMap:
    """The map ``x -> x @ weight + bias``, and how large its parts may get.

    Attributes
    ----------
    weight : float64 array of shape (n_features, n_outputs)
        Matrix.
    bias : float64 array of shape (n_outputs,)
        Image of zero.
    weight_size, bias_size : float64 arrays of the same shapes
        Bounds of the sizes of all terms that are added up, which bound the rounding.
    depth : int
        How many operations in a row round, at most.
    """

    weight: Floats
    bias: Floats
    weight_size: Floats
    bias_size: Floats
    depth: int

    @classmethod
    def of(cls, weight: Floats, bias: Floats) -> AffineMap:
        """Map of one matrix product."""
        return cls(weight, bias, np.abs(weight), np.abs(bias), len(weight) + 2)

    def then(self, other: AffineMap) -> AffineMap:
        """Map of this and the ``other`` after it."""
        return AffineMap(
            self.weight @ other.weight,
            self.bias @ other.weight + other.bias,
            self.weight_size @ other.weight_size,
            self.bias_size @ other.weight_size + other.bias_size,
            self.depth + other.depth,
        )


def affine_map(steps: Sequence[Any], n_features: int) -> AffineMap | str:
    """Affine map of transformers, one after the other.

    Parameters
    ----------
    steps : list of transformers
        Fitted.
    n_features : int
        Number of features of the samples.

    Returns
    -------
    affine : AffineMap or str
        Why there is none, if one of them is not affine.
    """
    eye = np.eye(n_features)
    whole = AffineMap(eye, np.zeros(n_features), eye, np.zeros(n_features), 0)
    for step in steps:
        try:
            module = transformer(step)
        except NotDifferentiableError as error:
            return str(error)
        if not all(isinstance(part, AFFINE) for part in module.modules()):
            return f"{type(step).__name__} is not an affine map of the features"
        n = whole.weight.shape[1]
        with torch.no_grad():
            images = module(torch.cat([torch.zeros(1, n), torch.eye(n)]).double()).numpy()
        bias = images[0]
        part = AffineMap.of(images[1:] - bias, bias)
        if _is_diagonal(part.weight):
            part.depth = 4  # each feature by itself
        whole = whole.then(part)
    return whole


def _is_diagonal(weight: Floats) -> bool:
    square = weight.shape[0] == weight.shape[1]
    return square and int(np.count_nonzero(weight)) <= len(weight)
