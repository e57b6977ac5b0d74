"""A module behind the preprocessing of its input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from ..._validation import check_callable

__all__ = ["Preprocessed", "with_preprocessing"]

_OF_IMAGES = {"ToTensor", "PILToTensor", "ToPILImage", "ToImage"}  # steps that take other objects


class Preprocessed(nn.Module):
    """Preprocessing and a module as one module, whose input is the raw data.

    Parameters
    ----------
    preprocess : callable
        Maps a float tensor (n, ...) to the input of the module, differentiably.
    module : torch.nn.Module
        Returns logits.
    """

    def __init__(self, preprocess: Callable[[Tensor], Tensor], module: nn.Module) -> None:
        super().__init__()
        self.preprocess = preprocess
        self.module = module

    def forward(self, x: Tensor) -> Any:
        """Return what the module makes of preprocessed samples."""
        return self.module(self.preprocess(x))


class Standardise(nn.Module):
    """Subtract a mean and divide by a standard deviation, channel by channel."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Any, std: Any) -> None:
        super().__init__()
        self.register_buffer("mean", torch.as_tensor(mean, dtype=torch.float32))
        self.register_buffer("std", torch.as_tensor(std, dtype=torch.float32))

    def forward(self, x: Tensor) -> Tensor:
        """Standardise (n, C, H, W) by channel, or (n, features) by feature."""
        shape = (-1, *[1] * (x.ndim - 2)) if self.mean.ndim else ()
        return (x - self.mean.reshape(shape)) / self.std.reshape(shape)


def with_preprocessing(module: nn.Module, preprocess: Any) -> nn.Module:
    """Put preprocessing before a module, so that attacks move the raw data.

    Parameters
    ----------
    module : torch.nn.Module
        Returns logits.
    preprocess : callable, (mean, std) or None
        Function of a batch of tensors, or the mean and standard deviation of each channel.

    Returns
    -------
    module : torch.nn.Module
        The same where there is no preprocessing.
    """
    if preprocess is None:
        return module
    if isinstance(preprocess, (tuple, list)):
        return Preprocessed(_standardise(preprocess), module)
    check_callable(
        "preprocess", preprocess, "a function of a batch of tensors, or (mean, std) by channel"
    )
    steps = getattr(preprocess, "transforms", [preprocess])
    names = [type(step).__name__ for step in steps]
    odd = [name for name in names if name in _OF_IMAGES]
    if odd:
        raise ValueError(
            f"preprocess has the step {odd[0]}, which takes single images, not a batch of tensors: "
            "leave it out, and give X as floats (n, C, H, W) from 0 to 1."
        )
    return Preprocessed(preprocess, module)


def _standardise(pair: Any) -> Standardise:
    try:
        mean, std = (torch.as_tensor(part, dtype=torch.float32) for part in pair)
        good = mean.ndim <= 1 and std.shape == mean.shape and bool((std > 0).all())
        good = good and bool(mean.isfinite().all() and std.isfinite().all())
    except (TypeError, ValueError, RuntimeError):
        good = False
    if not good:
        raise ValueError(
            f"preprocess is {pair!r:.150}; give (mean, std), each one number or one for each "
            "channel, and std above 0."
        )
    return Standardise(mean, std)
