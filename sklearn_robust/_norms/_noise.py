"""What norms and attacks ask of random numbers."""

from __future__ import annotations

from typing import Any, Protocol

import torch

__all__ = ["Noise", "column"]


class Noise(Protocol):
    """Source of random numbers for the rows of a batch."""

    def __getitem__(self, rows: Any) -> Noise: ...
    def spawn(self, number: int) -> Noise: ...
    def uniform(self, x: torch.Tensor, stream: int) -> torch.Tensor: ...
    def normal(self, x: torch.Tensor, stream: int) -> torch.Tensor: ...
    def scalar(self, x: torch.Tensor, stream: int) -> torch.Tensor: ...


def column(values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Reshape one number per row so that it broadcasts over the rows of ``like``."""
    return values.reshape(-1, *[1] * (like.ndim - 1))
