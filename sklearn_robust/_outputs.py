"""Logits in what a model returns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from typing import Any

import torch

from ._layouts import MOVE_CHANNELS, has_channels_last

__all__ = ["as_rows", "first_tensor", "logits_in", "wrap_shape_errors"]


def first_tensor(output: Any) -> Any:
    """Logits of what a module returns: itself, what it calls ``logits``, or its first part."""
    if isinstance(output, torch.Tensor):
        return output
    if is_dataclass(output) and not isinstance(output, (dict, type)):
        output = {field.name: vars(output)[field.name] for field in fields(output)}
    elif not isinstance(output, Mapping) and isinstance(
        getattr(output, "logits", None), torch.Tensor
    ):
        return output.logits  # a named tuple, or an object of the user's class
    if isinstance(output, Mapping) and output:
        return output["logits"] if "logits" in output else first_tensor(next(iter(output.values())))
    return first_tensor(output[0]) if isinstance(output, (tuple, list)) and output else output


def as_rows(z: Any, n_samples: int) -> Any:
    """Output of a module with one row per sample, where its axes tell which they are."""
    if type(z) is not torch.Tensor:
        z = first_tensor(z)
    if not isinstance(z, torch.Tensor):
        return z
    if z.ndim > 2 and z.shape[2:].numel() == 1:
        return z.flatten(1)
    if z.ndim < 2 and n_samples == 1:  # squeeze() took the axis of the samples, too
        return z.reshape(1, -1)
    return z[:, None] if z.shape == (n_samples,) else z


def logits_in(who: str, z: Any, n_samples: int = -1) -> torch.Tensor:
    """Logits (n, n_classes): a model's output, or the first of several; else an error."""
    if type(z) is not torch.Tensor or z.ndim != 2:
        z = as_rows(z, n_samples)
    if not isinstance(z, torch.Tensor) or z.ndim != 2 or z.shape[1] < 2:
        tensor = isinstance(z, torch.Tensor)
        came = f"an output of shape {tuple(z.shape)}" if tensor else type(z).__name__
        raise ValueError(
            f"{who} returns {came}; a classifier returns logits of shape (n_samples, n_classes) "
            "with at least two classes. Turn one output z (n_samples, 1) into "
            "torch.cat([-z, z], 1) / 2."
        )
    if z.is_complex():
        raise ValueError(
            f"{who} returns complex numbers: let its forward return real logits, such as z.abs() "
            "or z.real."
        )
    return z


@contextmanager
def wrap_shape_errors(who: str, shape: Sequence[int]) -> Iterator[None]:
    """Turn a model's own error into one that names the shape of the samples it failed on."""
    try:
        yield
    except (RuntimeError, IndexError) as error:
        if type(error) not in (RuntimeError, IndexError):  # such as out of memory
            raise
        reason = str(error).split("\n")[0].rstrip(".")
        if has_channels_last(shape):
            raise ValueError(
                f"{who} fails on samples of shape {tuple(shape)} ({reason}), which look like "
                "images with their channels last, and networks take channels first: type "
                f"{MOVE_CHANNELS}."
            ) from error
        raise ValueError(
            f"{who} fails on samples of shape {tuple(shape)} ({reason}): if that is not their "
            "shape, pass samples, or input_shape, of the shape that it was made for; else the "
            "network itself fails."
        ) from error
