"""Directions in input space: where attacks go, random ones, and given ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .. import _functional as F
from .. import _validation as check
from .._norms import get_norm
from .._random import RowNoise
from ._indicator_input import IndicatorInput, gradient

__all__ = ["DIRECTIONS", "direction_tensor", "steepest", "unit"]

DIRECTIONS = ("cw", "ce", "ce_ll", "random")


def unit(v: torch.Tensor, norm: str) -> torch.Tensor:
    """Vectors of length 1 in the norm; those of zeros stay as they are."""
    return get_norm(norm).unit_directions(v)


def steepest(grad: torch.Tensor, norm: str) -> torch.Tensor:
    """Return unit vectors along which a linear function of that gradient rises most."""
    return get_norm(norm).steepest_direction(grad)


def direction_tensor(
    direction: Any,
    inputs: IndicatorInput,
    x: torch.Tensor,
    y: torch.Tensor,
    rows: slice,
    norm: str,
    noise: RowNoise,
    stream: int = 0,
) -> torch.Tensor:
    """Return unit vectors, shape of ``x``, in a direction of that name, or in the given one.

    Parameters
    ----------
    direction : str or array
        One of ``DIRECTIONS``, or an array that :func:`check_direction` returned.
    inputs : IndicatorInput
        The classifier.
    x, y : tensors
        Samples and class codes.
    rows : slice
        Which of the samples these are.
    norm : {"linf", "l2", "l1"}
        Unit of length, which also says what is steepest.
    noise : RowNoise
        Source of the random directions.
    stream : int
        Number of the random direction.
    """
    if not isinstance(direction, str):
        given = torch.as_tensor(direction[rows] if direction.ndim == x.ndim else direction)
        return unit(given.to(x).expand_as(x), norm)
    if direction == "random":
        return get_norm(norm).random_direction(noise, x, stream)
    logits = inputs.logits
    if direction == "cw":
        return steepest(-gradient(lambda x, y: F.margin(logits(x), y), x, y), norm)
    # Cross-entropy is a function of the smooth margin that falls, and its gradient has that
    # direction, but does not vanish by rounding where the classifier is sure.
    sign = -1
    if direction == "ce_ll":
        with torch.no_grad():
            y, sign = inputs.module(x).argmin(1), 1
    return steepest(sign * gradient(lambda x, y: F.smooth_margin(logits(x), y), x, y), norm)


def check_direction(direction: Any, X: NDArray[Any]) -> str | NDArray[np.float64]:
    """Return a name of ``DIRECTIONS``, or an array of a sample's shape or that of X."""
    if isinstance(direction, str):
        return check.check_choice("direction", direction, DIRECTIONS)
    try:
        array = np.asarray(direction, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(
            f"A direction is {direction!r}: give an array of a sample's shape, one of "
            f"{sorted(DIRECTIONS)}, or an attack for the nearest point, such as FAB()."
        ) from None
    if array.shape not in (X.shape, X.shape[1:]) or not np.all(np.isfinite(array)):
        raise ValueError(
            f"A direction has shape {array.shape}, but the samples have shape {X.shape[1:]}: give "
            f"finite numbers of that shape, or one of {sorted(DIRECTIONS)}."
        )
    if not np.any(array):
        raise ValueError("A direction holds zeros only: give one that leads somewhere.")
    return array
