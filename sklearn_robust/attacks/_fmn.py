"""Fast minimum norm."""

from __future__ import annotations

import math

import torch

from .._functional import ascent_gradient, flat_norm
from .._norms import L0Norm, Norm, column, keep_largest
from ._batch import AttackBatch
from ._minimum_norm import MinimumNormAttack, MinimumNormSearch
from ._parameters import attack_class

__all__ = ["FMN"]

_LAST = 0.01  # share of the first step that the last one has
_LAST_GAMMA = 0.001
_STEP = {"linf": 1.0, "l2": 0.5, "l1": 1.0, "l0": 1.0}  # as a share of the way to the boundary
_NEARER = 0.999  # share of the nearest success that the radius may reach
_TINY = 1e-30


@attack_class
class FMN(MinimumNormAttack):
    """Fast minimum norm: climb inside a ball that shrinks after each success and grows otherwise.

    Parameters
    ----------
    %(estimator)s
    %(largest_distance)s
    norm : {"linf", "l2", "l1", "l0"}, default="linf"
        Norm of the distance; l0 counts features and needs bounds.
    %(constraints)s
    max_iter : int, default=100
        Number of steps.
    gamma : float, default=0.05
        Share by which the radius shrinks or grows with the first step; it falls along a cosine to
        0.001.
    %(targeted)s
    %(settings)s

    See Also
    --------
    DDN : On a sphere, in l2.
    MinimumNorm : The nearest point of several attacks.

    Notes
    -----
    ``d <- P_r(d + a g / ||g||_2)`` with the gradient g of the margin and the projection P_r on
    the ball of radius r. Until a first success r is the distance to the boundary as the linearised
    model tells it; then it is multiplied by 1 - gamma or 1 + gamma, and never exceeds the nearest
    success. The step a falls along a cosine to a hundredth.

    %(nearest)s

    References
    ----------
    Pintor et al., "Fast minimum-norm adversarial attacks through adaptive norm constraints",
    NeurIPS 2021.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.attacks import FMN
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> result = FMN(norm="l1").evaluate(model, X, y)
    >>> bool(result.fooled.all())
    True
    """

    max_iter: int = 100
    gamma: float = 0.05
    targeted: bool = False

    supported_norms = ("linf", "l2", "l1", "l0")

    def find_nearest(self, batch: AttackBatch, search: MinimumNormSearch) -> None:
        """Search for the nearest adversarial examples.

        Parameters
        ----------
        batch : AttackBatch
            What is attacked.
        search : MinimumNormSearch
            Keeps what is found.
        """
        u = search.first_step() * search.ball.inverse
        rows = batch.rows()
        rows = rows[search.unfinished(rows)]
        self._walk(batch, search, rows, u[rows])
        search.refine()

    def _walk(
        self, batch: AttackBatch, search: MinimumNormSearch, rows: torch.Tensor, u: torch.Tensor
    ) -> None:
        """Take ``max_iter`` steps, in units in which the ball is round."""
        ball, x = search.ball, batch.x[rows]
        round_ball = type(ball)(torch.ones_like(ball.eps))
        first = _STEP[ball.name] * flat_norm(u, 2)
        best = torch.full_like(first, torch.inf)
        radius = ball.size(ball.eps * u)
        for step in range(self.max_iter):
            if not len(rows):
                return
            x_adv = batch.box.clamp(x + ball.eps * u).requires_grad_(True)
            z = batch.forward(x_adv, rows)
            hit = search.note(rows, x_adv, z)
            value = search.crossing(z, rows)
            grad = ascent_gradient(value, x_adv)
            u = (x_adv.detach() - x) * ball.inverse
            cosine = (1 + math.cos(math.pi * step / self.max_iter)) / 2
            gamma = _LAST_GAMMA + (self.gamma - _LAST_GAMMA) * cosine
            length = ball.size(ball.eps * u)
            best = torch.where(hit, length, torch.inf).minimum(best)
            lost = best == torch.inf
            first = torch.where(lost, first.maximum(_STEP[ball.name] * flat_norm(u, 2)), first)
            radius = _radius(ball, radius, best, hit, gamma)
            if ball.dual is not None:
                ahead = length - value.detach().to(grad) / ball.dual_norm(grad).clamp_min(_TINY)
                radius = torch.where(lost, ahead.maximum(radius), radius)
            grad = ball.eps * grad
            share = (_LAST + (1 - _LAST) * cosine) * first
            u = u + column(share / flat_norm(grad, 2).clamp_min(_TINY), u) * grad
            u = _project(round_ball, u, radius)
            going = search.unfinished(rows)
            if not going.all():
                state = (rows, x, u, radius, first, best)
                rows, x, u, radius, first, best = (v[going] for v in state)


def _radius(
    ball: Norm, radius: torch.Tensor, best: torch.Tensor, hit: torch.Tensor, gamma: float
) -> torch.Tensor:
    """Next radii; in l0 they are counts, which change by one at least."""
    less, more = radius * (1 - gamma), radius * (1 + gamma)
    if isinstance(ball, L0Norm):
        less, more = less.floor().minimum(radius - 1).clamp_min(1), more.floor().maximum(radius + 1)
        return torch.where(hit, less.minimum(best), more.minimum(best))
    return torch.where(hit, less, more).minimum(_NEARER * best)


def _project(round_ball: Norm, u: torch.Tensor, radius: torch.Tensor) -> torch.Tensor:
    """Nearest perturbations in the balls of the radii, one for each sample."""
    if isinstance(round_ball, L0Norm):
        return torch.where(keep_largest(u.abs(), radius), u, 0)
    scale = column(radius.clamp_min(_TINY), u)
    return scale * round_ball.project(u / scale)
