"""The box of the data and the grid of integer features, for tensors."""

from __future__ import annotations

from typing import TypeAlias

import torch
from numpy.typing import ArrayLike

__all__ = ["Bounds", "Box", "round_to_grid"]

Bounds: TypeAlias = tuple[ArrayLike, ArrayLike] | None


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
        if bounds is not None:
            self.lower, self.upper = [torch.as_tensor(side).to(like) for side in bounds]

    def clamp(self, x: torch.Tensor) -> torch.Tensor:
        """Nearest points inside the box."""
        return x if self.bounds is None else x.clamp(self.lower.to(x), self.upper.to(x))

    def contains(self, x: torch.Tensor) -> bool:
        """Whether all samples lie inside."""
        if self.bounds is None:
            return True
        inside = (x >= self.lower.to(x)) & (x <= self.upper.to(x))
        return bool(inside.all())

    def slack(self, x: torch.Tensor, grad: torch.Tensor) -> torch.Tensor | None:
        """How far each feature may move in the direction of ``grad``; None without a box."""
        if self.bounds is None:
            return None
        return torch.where(grad > 0, self.upper - x, x - self.lower).clamp_min(0)


def round_to_grid(x_adv: torch.Tensor, x: torch.Tensor, integer: torch.Tensor) -> torch.Tensor:
    """Round integer features toward the clean sample; the gradient passes straight through."""
    latent = x_adv.detach()
    steps = ((latent - x) * (1 + 1e-5)).trunc()  # 2.999999 steps are 3
    return torch.where(integer, x + steps + (x_adv - latent), x_adv)
