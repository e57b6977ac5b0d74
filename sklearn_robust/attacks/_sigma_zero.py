"""Sigma-zero."""

from __future__ import annotations

import math
from typing import Any

import torch

from .._functional import ascent_gradient
from .._norms import column
from ._batch import AttackBatch
from ._minimum_norm import MinimumNormAttack, MinimumNormSearch
from ._parameters import attack_class

__all__ = ["SigmaZero"]

_DECAY = (0.9, 0.999)  # of Adam's mean gradient and mean square
_LAST = 0.1  # share of the first step that the last one has
_THRESHOLD = 0.3  # first threshold, in edges of the box
_PACE = 0.01  # how far the threshold moves in a step of length 1
_ROUNDS = 5  # how often the best point is thinned out and taken up again
_TINY = 1e-12


@attack_class
class SigmaZero(MinimumNormAttack):
    """Sigma-zero: fool by as few features as possible, counted by a smooth stand-in for l0.

    Parameters
    ----------
    %(estimator)s
    %(largest_distance)s
    norm : {"l0"}, default="l0"
        Norm of the distance: the number of features that change. It needs bounds.
    %(constraints)s
    max_iter : int, default=200
        Number of Adam steps.
    sigma : float, default=0.001
        Sharpness of the stand-in: a feature that moves by v edges of the box counts as
        ``v^2 / (v^2 + sigma)``.
    %(targeted)s
    %(settings)s

    See Also
    --------
    FMN : Projects on the features that move most.
    MinimumNorm : The nearest point of several attacks.

    Notes
    -----
    Where a sample is not fooled the steps climb the margin, and where it is they descend the mean
    of the stand-in, with gradients scaled to a largest entry of 1. After each step features that
    moved by less than a threshold return; it rises after a success and falls otherwise. Lengths
    are measured in edges of the box. After each fifth of the steps the best point is thinned out,
    that is, features that add least are taken back as long as the sample is fooled, and the search
    goes on from there.

    %(nearest)s

    References
    ----------
    Cina et al., "Sigma-zero: gradient-based optimization of l0-norm adversarial examples",
    ICLR 2025.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.attacks import SigmaZero
    >>> X, y = load_digits(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X / 16, y)
    >>> result = SigmaZero(max_iter=30).evaluate(model, X[:20] / 16, y[:20])
    >>> bool(result.fooled.all()), float(result.distance.max()) <= 6
    (True, True)
    """

    norm: Any = "l0"
    max_iter: int = 200
    sigma: float = 0.001
    targeted: bool = False

    supported_norms = ("l0",)

    def find_nearest(self, batch: AttackBatch, search: MinimumNormSearch) -> None:
        """Search for the nearest adversarial examples.

        Parameters
        ----------
        batch : AttackBatch
            What is attacked.
        search : MinimumNormSearch
            Keeps what is found.
        """
        edge = (batch.box.upper - batch.box.lower).to(batch.x) * batch.ball.free
        search.first_step(judged=True)
        rows = batch.rows()
        rows = rows[search.unfinished(rows)]
        self._minimise(batch, search, rows, edge)
        search.refine()

    def _minimise(
        self,
        batch: AttackBatch,
        search: MinimumNormSearch,
        rows: torch.Tensor,
        edge: torch.Tensor,
    ) -> None:
        """Take ``max_iter`` steps, in edges of the box."""
        x = batch.x[rows]
        v, mean, power = torch.zeros_like(x), torch.zeros_like(x), torch.zeros_like(x)
        threshold = torch.full_like(v.flatten(1)[:, 0], _THRESHOLD)
        for step in range(self.max_iter):
            if not len(rows):
                return
            x_adv = batch.box.clamp(x + edge * v).requires_grad_(True)
            z = batch.forward(x_adv, rows)
            hit = search.note(rows, x_adv, z)
            rise = edge * ascent_gradient(search.crossing(z, rows), x_adv)
            grad = _unit(self._count_slope(v) - column(~hit, v) * _unit(rise))
            mean = _DECAY[0] * mean + (1 - _DECAY[0]) * grad
            power = _DECAY[1] * power + (1 - _DECAY[1]) * grad**2
            scale = (power / (1 - _DECAY[1] ** (step + 1))).sqrt() + 1e-8
            rate = _LAST + (1 - _LAST) * (1 + math.cos(math.pi * step / self.max_iter)) / 2
            moved = v - rate / (1 - _DECAY[0] ** (step + 1)) * mean / scale
            v = _in_edges(batch.box.clamp(x + edge * moved) - x, edge)
            threshold = (threshold + _PACE * rate * torch.where(hit, 1.0, -1.0)).clamp(0, 1)
            v = torch.where(v.abs() < column(threshold, v), 0, v)
            if (step + 1) % max(self.max_iter // _ROUNDS, 1) == 0:
                search.refine(1)
                found = column(search.result.fooled[rows], v)
                v = torch.where(found, _in_edges(search.result.x_adv[rows] - x, edge), v)
            going = search.unfinished(rows)
            if not going.all():
                state = (rows, x, v, mean, power, threshold)
                rows, x, v, mean, power, threshold = (t[going] for t in state)

    def _count_slope(self, v: torch.Tensor) -> torch.Tensor:
        """Gradient of the mean over the features of ``v^2 / (v^2 + sigma)``."""
        return 2 * self.sigma * v / (v**2 + self.sigma) ** 2 / v[0].numel()


def _unit(v: torch.Tensor) -> torch.Tensor:
    """Scale each sample to a largest entry of 1."""
    return v / column(v.flatten(1).abs().amax(1).clamp_min(_TINY), v)


def _in_edges(d: torch.Tensor, edge: torch.Tensor) -> torch.Tensor:
    """Perturbations in edges of the box; 0 for features that cannot move."""
    return torch.where(edge > 0, d / edge.clamp_min(_TINY), 0)
