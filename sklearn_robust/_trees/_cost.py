"""Distance of boxes of ranks from a sample."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

import numpy as np
from numpy.typing import NDArray

__all__ = ["BallCost"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class BallCost:
    """Relative distance of boxes of ranks from one sample.

    Parameters
    ----------
    levels : list of float64 arrays
        Thresholds of each feature, in the units of the samples.
    x : float64 array of shape (n_features,)
        The sample.
    rank : int array of shape (n_features,)
        Its ranks.
    radius : float64 array of shape (n_features,)
        Radius of each feature, 0 where it cannot move.
    order : float
        Order of the norm.
    slack : float
        Relative uncertainty of the thresholds: what distances are shorter by, or, where it is
        negative, longer.
    """

    def __init__(
        self,
        levels: Sequence[Floats],
        x: Floats,
        rank: Ints,
        radius: Floats,
        order: float,
        *,
        slack: float,
    ) -> None:
        self.x, self.rank, self.order = x, rank, order
        self.table = np.full((len(x), max(map(len, levels), default=0) + 1), np.inf)
        for j, row in enumerate(levels):
            self.table[j, : len(row)] = row
        with np.errstate(divide="ignore"):
            self.pace = np.where(radius > 0, 1 / radius, np.inf)
        self.slack, self.scale = slack, 1.0

    def within(self, limit: float) -> BallCost:
        """Return the same in units in which ``limit`` is hardly out of reach."""
        other = copy(self)
        other.scale = 1 / (limit * (1 - 1e-9)) if limit else np.inf
        return other

    def gaps(self, low: Ints, high: Ints) -> Floats:
        """How far each feature must go, relative to its radius, (n_boxes, n_features)."""
        columns = np.arange(len(self.x))
        up = self.table[columns, np.maximum(low - 1, 0)] - self.x
        down = self.x - self.table[columns, np.minimum(high, self.table.shape[1] - 1)]
        gap = np.where(self.rank < low, up, np.where(self.rank > high, down, 0.0))
        if self.slack:
            gap = gap - self.slack * (np.abs(gap) + np.abs(self.x))
        gap = np.maximum(gap, 0)
        moved = (self.rank < low) | (self.rank > high)
        with np.errstate(invalid="ignore"):
            return np.where(moved, np.where(np.isinf(self.pace), np.inf, gap * self.pace), 0.0)

    def distance(self, low: Ints, high: Ints) -> Floats:
        """Relative distances (n_boxes,) of boxes (n_boxes, n_features) from the sample."""
        gaps = self.gaps(low, high)
        if self.order == 0:
            return self.scale * np.where(np.isinf(gaps), np.inf, gaps > 0).sum(1)
        with np.errstate(over="ignore", invalid="ignore"):
            return self.scale * np.linalg.norm(gaps, self.order, axis=1) * (1 - 1e-12)
