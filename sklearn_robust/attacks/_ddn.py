"""Decoupled direction and norm."""

from __future__ import annotations

import math
from typing import Any

import torch

from .._functional import ascent_gradient, flat_norm
from .._norms import column
from ._batch import AttackBatch
from ._minimum_norm import MinimumNormAttack, MinimumNormSearch
from ._parameters import attack_class

__all__ = ["DDN"]

_LAST = 0.01  # share of the first step that the last one has
_STEP = 0.5  # first step, as a share of the distance to the boundary
_TINY = 1e-30


@attack_class
class DDN(MinimumNormAttack):
    """Decoupled direction and norm: a sphere that shrinks after each success and grows otherwise.

    Parameters
    ----------
    %(estimator)s
    %(largest_distance)s
    norm : {"l2"}, default="l2"
        Norm of the distance.
    %(constraints)s
    max_iter : int, default=100
        Number of steps.
    gamma : float, default=0.05
        Share by which the radius of the sphere shrinks or grows with a step.
    %(targeted)s
    %(settings)s

    See Also
    --------
    FMN : The same idea in other norms.
    MinimumNorm : The nearest point of several attacks.

    Notes
    -----
    ``d <- r (d + a g / ||g||) / ||d + a g / ||g||||`` with the gradient g of the margin; the radius
    r is multiplied by 1 - gamma where the last point fools and by 1 + gamma where it does not. The
    step a falls along a cosine to a hundredth. Radius and step start from the distance to the
    boundary of the linearised model, so that neither the scale of the logits nor that of the data
    matters.

    %(nearest)s

    References
    ----------
    Rony et al., "Decoupling direction and norm for efficient gradient-based L2 adversarial attacks
    and defenses", CVPR 2019.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.attacks import DDN
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> result = DDN().evaluate(model, X, y)
    >>> bool(result.fooled.all())
    True
    """

    norm: Any = "l2"
    max_iter: int = 100
    gamma: float = 0.05
    targeted: bool = False

    supported_norms = ("l2",)

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
        ball, x, radius = search.ball, batch.x[rows], flat_norm(u, 2)
        first = _STEP * radius
        for step in range(self.max_iter):
            if not len(rows):
                return
            x_adv = batch.box.clamp(x + ball.eps * u).requires_grad_(True)
            z = batch.forward(x_adv, rows)
            hit = search.note(rows, x_adv, z)
            grad = ball.eps * ascent_gradient(search.crossing(z, rows), x_adv)
            u = (x_adv.detach() - x) * ball.inverse
            share = _LAST + (1 - _LAST) * (1 + math.cos(math.pi * step / self.max_iter)) / 2
            u = u + column(share * first / flat_norm(grad, 2).clamp_min(_TINY), u) * grad
            radius = radius * torch.where(hit, 1 - self.gamma, 1 + self.gamma)
            u = u * column(radius / flat_norm(u, 2).clamp_min(_TINY), u)
            going = search.unfinished(rows)
            if not going.all():
                rows, x, u, radius, first = (v[going] for v in (rows, x, u, radius, first))
