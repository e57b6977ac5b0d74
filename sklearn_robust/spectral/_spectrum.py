"""Singular values with their multiplicities, and the statistics that the reports give."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

__all__ = ["Spectrum"]


@dataclass(frozen=True)
class Spectrum:
    """Singular values of one layer.

    Attributes
    ----------
    values : tensor of shape (n_values,)
        Distinct values, at least 0.
    weights : tensor of shape (n_values,)
        How many singular values each stands for.
    n_inputs : int
        Dimension of the layer's input.
    method : str
        How the values were found.
    note : str
        Limits of the method.
    largest : float or None
        The largest value, where it is known more exactly than from ``values``.
    extremes : bool
        Whether the smallest value means anything.
    """

    values: torch.Tensor
    weights: torch.Tensor
    n_inputs: int
    method: str
    note: str = ""
    largest: float | None = None
    extremes: bool = True

    def expanded(self) -> torch.Tensor:
        """All singular values, each as often as it occurs, in descending order."""
        counts = self.weights.round().long().to(self.values.device)
        return self.values.repeat_interleave(counts).sort(descending=True).values

    def power_sum(self, power: float) -> float:
        """Sum of a power of all singular values."""
        return float((self.weights * self.values.double().cpu() ** power).sum())

    def statistics(self) -> dict[str, float]:
        """Numbers that summarise the spectrum; moments are over all singular values.

        With u uniform on the unit sphere of R^d, E |Mu|^2 = sum s^2 / d and
        Var |Mu|^2 = 2 / (d (d + 2)) * (sum s^4 - (sum s^2)^2 / d).
        """
        count = float(self.weights.sum())
        mean = self.power_sum(1) / count
        # From the deviations: the difference of two moments would cancel.
        spread = self.values.double().cpu() - mean
        std = math.sqrt(float((self.weights * spread.square()).sum()) / count)
        d, second, fourth = self.n_inputs, self.power_sum(2), self.power_sum(4)
        largest = float(self.values.max()) if self.largest is None else self.largest
        return {
            "n_values": round(count),
            "max": largest,
            "min": float(self.values.min()) if self.extremes else math.nan,
            "mean": mean,
            "std": std,
            "cv": std / mean if mean > 0 else math.nan,
            "directional_gain_mean": second / d,
            "directional_gain_var": max(0.0, 2 / (d * (d + 2)) * (fourth - second**2 / d)),
        }
