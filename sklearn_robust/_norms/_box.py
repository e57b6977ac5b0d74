"""The box of the data and the grid of integer features, for tensors."""

from __future__ import annotations

from typing import Any, TypeAlias

import torch
from numpy.typing import ArrayLike

__all__ = ["MISSING", "Bounds", "Box", "is_missing", "round_to_grid"]

Bounds: TypeAlias = tuple[ArrayLike, ArrayLike] | None

# Cells without a value, in the float64 matrix of a table. No step of an attack changes so large a
# number, and float64 takes its square.
MISSING = 2.0**100


def is_missing(x: Any) -> Any:
    """Say which cells of a float64 array or tensor stand for missing values."""
    return x > MISSING / 4


class Box:
    """Range of the data: ``lower <= x <= upper``, or no limits at all.

    Parameters
    ----------
    bounds : (lower, upper) or None
        Arrays that broadcast to a sample.
    like : tensor
        Whose dtype and device the box takes.
    """

    def __init__(self, bounds: Bounds, like: torch.Tensor) -> None:
        self.bounds = bounds
        self.has_missing = False
        if bounds is not None:
            self.lower, self.upper = [torch.as_tensor(side).to(like) for side in bounds]
            self.has_missing = like.dtype == torch.float64 and bool(is_missing(like).any())

    def clamp(self, x: torch.Tensor) -> torch.Tensor:
        """Nearest points inside the box."""
        if self.bounds is None:
            return x
        inside = x.clamp(self.lower.to(x), self.upper.to(x))
        return torch.where(is_missing(x), x, inside) if self.has_missing else inside

    def contains(self, x: torch.Tensor) -> bool:
        """Whether all samples lie inside."""
        if self.bounds is None:
            return True
        inside = (x >= self.lower.to(x)) & (x <= self.upper.to(x))
        return bool((inside | is_missing(x)).all() if self.has_missing else inside.all())

    def slack(self, x: torch.Tensor, grad: torch.Tensor) -> torch.Tensor | None:
        """How far each feature may move in the direction of ``grad``; None without a box."""
        if self.bounds is None:
            return None
        slack = torch.where(grad > 0, self.upper - x, x - self.lower).clamp_min(0)
        return torch.where(is_missing(x), 0, slack) if self.has_missing else slack


def round_to_grid(x_adv: torch.Tensor, x: torch.Tensor, integer: torch.Tensor) -> torch.Tensor:
    """Round integer features toward the clean sample; the gradient passes straight through."""
    latent = x_adv.detach()
    steps = ((latent - x) * (1 + 1e-5)).trunc()  # 2.999999 steps are 3
    return torch.where(integer, x + steps + (x_adv - latent), x_adv)
