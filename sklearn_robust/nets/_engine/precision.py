"""Mixed precision: where a forward pass may run in bfloat16."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch

__all__ = ["bfloat16_pass", "check_amp", "mixed_precision"]


def _pays(device: torch.device) -> bool:
    return device.type == "cuda"


def check_amp(amp: object, device: torch.device) -> None:
    """Raise unless ``amp`` is a bool; warn where it does nothing."""
    if not isinstance(amp, bool):
        raise ValueError(f"amp is {amp!r}; give True or False.")
    if amp and not _pays(device):
        warnings.warn(
            f"amp=True acts on a GPU alone: this fit runs on {device}, in float32 throughout.",
            stacklevel=4,
        )


@contextmanager
def mixed_precision(net: Any) -> Iterator[None]:
    """Context of a training step, in which forward passes of a net with ``amp`` are bfloat16."""
    state = net._fit_state
    if state is None:  # outside fit
        yield
        return
    state.mixed_precision = _pays(net.device_)
    try:
        yield
    finally:
        state.mixed_precision = False


def bfloat16_pass(device: torch.device) -> AbstractContextManager:
    """Context of one forward pass in bfloat16."""
    return torch.autocast(device.type, torch.bfloat16)
