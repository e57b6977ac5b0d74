"""Tensors that are parameters of a criterion or a module, in the dtype that nets compute in."""

from __future__ import annotations

import copy
import operator
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from ... import _validation as check

__all__ = ["criterion_in_float32", "criterion_params", "in_float32"]

_DTYPE = operator.attrgetter("dtype")
_WEIGHTS = ("weight", "pos_weight")  # of a torch loss, as tensors


def in_float32(params: dict[str, Any]) -> dict[str, Any]:
    """Return parameters with floating-point tensors and arrays cast to float32."""
    return {name: _cast(value) for name, value in params.items()} if params else params


def _cast(value: Any) -> Any:
    if isinstance(value, Tensor) and value.is_floating_point():
        return value.float()
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return value.astype(np.float32)
    return value


def criterion_params(
    params: dict[str, Any], criterion: Any, classes: ArrayLike | None
) -> dict[str, Any]:
    """Return parameters of a criterion with every array of floats as a tensor of float32.

    Raises
    ------
    ValueError
        If the weights of a loss of torch are no numbers, or not one for each class.
    """
    cast = in_float32(params)
    for name, value in cast.items():
        ours = isinstance(criterion, type) and criterion.__module__.startswith("torch.")
        if ours and name in _WEIGHTS and value is not None:
            cast[name] = _weights(f"criterion__{name}", value)
            if classes is not None and issubclass(criterion, (nn.CrossEntropyLoss, nn.NLLLoss)):
                _check_one_per_class(f"criterion__{name}", cast[name], len(np.asarray(classes)))
        elif isinstance(value, np.ndarray) and value.dtype.kind == "f":
            cast[name] = torch.from_numpy(value)
    return cast


def _weights(name: str, value: Any) -> Tensor:
    try:
        return torch.as_tensor(value, dtype=torch.float32)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(
            f"{name} is {check.shown(value)}; give one number for each class, e.g. by "
            "sklearn.utils.class_weight.compute_class_weight."
        ) from None


def _check_one_per_class(name: str, weights: Tensor, n_classes: int) -> None:
    if tuple(weights.shape) != (n_classes,):
        raise ValueError(
            f"{name} has shape {tuple(weights.shape)}, and there are {n_classes} classes: give one "
            "number for each."
        )


def criterion_in_float32(criterion: Any) -> Any:
    """Return a criterion whose buffers are float32: a copy where they are not."""
    if not isinstance(criterion, nn.Module):
        return criterion
    held = [*criterion.parameters(), *criterion.buffers()]
    dtypes = {torch.float32, *map(_DTYPE, filter(torch.is_floating_point, held))}
    other = len(dtypes) > 1
    return copy.deepcopy(criterion).float() if other else criterion
