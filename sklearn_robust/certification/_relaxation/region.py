"""Points that an adversary may choose, and the least value of a linear function among them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..._norms import Norm

__all__ = ["Region"]


@dataclass
class Region:
    """A box around each sample and, inside it, a ball.

    Attributes
    ----------
    x : tensor of shape (n_samples, ...)
        Centres.
    low, high : tensors of shape (n_samples, ...)
        Ends of the box.
    norm : class of Norm or None
        Norm of the ball; None where the box is all.
    radius : tensor of shape (n_samples, ...) or None
        Radius of each feature.
    """

    x: Tensor
    low: Tensor
    high: Tensor
    norm: type[Norm] | None = None
    radius: Tensor | None = None

    def part(self, rows: Tensor) -> Region:
        """Region of some of the samples."""
        radius = None if self.radius is None else self.radius[rows]
        return Region(self.x[rows], self.low[rows], self.high[rows], self.norm, radius)

    def minimum(self, a: Tensor) -> Tensor:
        """Lower bound of linear functions on the region, exact for a box or a ball alone.

        Parameters
        ----------
        a : tensor of shape (n_functions, n_samples, ...)
            Coefficients.

        Returns
        -------
        minimum : tensor of shape (n_functions, n_samples)
            Of ``a`` times a point.
        """
        up, down = a.clamp_min(0), a.clamp_max(0)
        least = (up * self.low + down * self.high).flatten(2).sum(2)
        if self.norm is None or self.radius is None:
            return least
        centre = (a * self.x).flatten(2).sum(2)
        gain = self.norm.dual_length((a * self.radius).flatten(0, 1).flatten(1))
        return torch.maximum(least, centre - gain.reshape(centre.shape))
