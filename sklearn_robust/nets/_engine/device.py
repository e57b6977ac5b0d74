"""Device that a net computes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from ..._parameters import shown

__all__ = ["device_given", "resolve_device"]


def resolve_device(device: Any) -> torch.device:
    """Device meant by ``device``: "auto" is a GPU if there is one; None is the CPU."""
    if device is None or (isinstance(device, str) and device == "auto"):
        return torch.device("cuda" if device == "auto" and torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
    except (RuntimeError, TypeError, ValueError, AttributeError, OverflowError):
        raise ValueError(f"device is {shown(device)}; give 'auto', 'cpu' or 'cuda'.") from None
    if resolved.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            f"device is {device!r}, but torch sees no CUDA device; type device='auto' or 'cpu'."
        )
    return resolved


@contextmanager
def device_given(net: Any) -> Iterator[None]:
    """Let skorch, which reads ``net.device`` literally, see the resolved device."""
    given = net.device
    net.device = str(resolve_device(given))
    try:
        yield
    finally:
        net.device = given
