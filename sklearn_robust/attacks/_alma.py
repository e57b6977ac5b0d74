"""Augmented Lagrangian method for adversarial attacks."""

from __future__ import annotations

from typing import Any

import torch

from .._functional import ascent_gradient
from .._norms import Norm, column
from ._batch import AttackBatch
from ._minimum_norm import MinimumNormAttack, MinimumNormSearch
from ._parameters import attack_class

__all__ = ["ALMA"]

_AVERAGE = 0.9  # share of the past in the multiplier, the momentum and the mean square
_FIRST = 0.5  # length of the first step, as a share of the distance to the boundary
_LAST = 0.01  # share of the first rate that the last one has
_CHECK = 10  # steps between looks at the progress of the constraint
_PROGRESS = 0.95  # share of the constraint that counts as progress from look to look
_HARDER = 1.2  # factor of the penalty where there is none
_TINY = 1e-12


@attack_class
class ALMA(MinimumNormAttack):
    """Augmented Lagrangian: minimise the distance under the constraint that the sample is fooled.

    Parameters
    ----------
    %(estimator)s
    %(largest_distance)s
    norm : {"l2", "l1"}, default="l2"
        Norm of the distance.
    %(constraints)s
    max_iter : int, default=200
        Number of steps.
    %(targeted)s
    %(settings)s

    See Also
    --------
    DDN, FMN : Quicker.
    MinimumNorm : The nearest point of several attacks.

    Notes
    -----
    A step descends ``D(d) + P(y, rho, mu)`` by gradients that are divided by the root of their mean
    square, with momentum. y is minus the margin by which the point fools, as a share of the clean
    sample's margin; D is in units of the distance to the boundary of the linearised model.
    ``P = mu y + mu rho y^2 + rho^2 y^3 / 6`` for y >= 0 and ``mu y / (1 - rho y)`` for y < 0. The
    multiplier mu follows the slope of P in y, and rho grows while a sample is not fooled and y
    makes no progress.

    %(nearest)s

    References
    ----------
    Rony et al., "Augmented Lagrangian adversarial attacks", ICCV 2021.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.attacks import ALMA
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> result = ALMA(max_iter=50).evaluate(model, X, y)
    >>> bool(result.fooled.all())
    True
    """

    norm: Any = "l2"
    max_iter: int = 200
    targeted: bool = False

    supported_norms = ("l2", "l1")

    def find_nearest(self, batch: AttackBatch, search: MinimumNormSearch) -> None:
        """Search for the nearest adversarial examples.

        Parameters
        ----------
        batch : AttackBatch
            What is attacked.
        search : MinimumNormSearch
            Keeps what is found.
        """
        distance = search.ball.size(search.first_step(judged=True))
        margin = -search.crossing(batch.clean(), batch.rows())
        rows = batch.rows()
        rows = rows[search.unfinished(rows) & (margin > 0)]
        state = Multipliers(margin.to(distance)[rows])
        self._minimise(batch, search, rows, distance[rows].clamp_min(_TINY), state)
        search.refine()

    def _minimise(
        self,
        batch: AttackBatch,
        search: MinimumNormSearch,
        rows: torch.Tensor,
        unit: torch.Tensor,
        multipliers: Multipliers,
    ) -> None:
        """Take ``max_iter`` steps, in units in which the boundary is about 1 away."""
        ball, x = search.ball, batch.x[rows]
        w, momentum, power = torch.zeros_like(x), torch.zeros_like(x), torch.ones_like(x)
        rate = torch.zeros_like(unit)
        began = torch.full_like(unit, self.max_iter)
        for step in range(self.max_iter):
            if not len(rows):
                return
            x_adv = batch.box.clamp(x + column(unit, x) * ball.eps * w).requires_grad_(True)
            z = batch.forward(x_adv, rows)
            hit = search.note(rows, x_adv, z)
            value = search.crossing(z, rows)
            rise = column(unit, x) * ball.eps * ascent_gradient(value, x_adv)
            weight = multipliers.follow(value.detach().to(unit), hit, step)
            grad = -column(weight, x) * rise
            if step == 0:
                rate = _FIRST / _length(ball, grad).clamp_min(_TINY)
            else:
                grad = grad + _distance_slope(ball, w)
            began = torch.where(hit & (began == self.max_iter), float(step), began)
            left = (self.max_iter - began).clamp_min(1)
            power = _AVERAGE * power + (1 - _AVERAGE) * grad**2
            momentum = _AVERAGE * momentum + grad / (power.sqrt() + 1e-8)
            decay = _LAST ** ((step - began).clamp_min(0) / left)
            moved = w - column(rate * decay, x) * momentum
            moved = batch.box.clamp(x + column(unit, x) * ball.eps * moved) - x
            w = moved * ball.inverse / column(unit, x)
            going = search.unfinished(rows)
            if not going.all():
                values = (rows, x, w, momentum, power, unit, rate, began)
                rows, x, w, momentum, power, unit, rate, began = (v[going] for v in values)
                multipliers.keep(going)


class Multipliers:
    """Multiplier and penalty of the constraint, for each sample.

    Parameters
    ----------
    margin : tensor of shape (n,)
        By how much the clean samples are classified correctly.
    """

    def __init__(self, margin: torch.Tensor) -> None:
        self.margin = margin
        self.mu, self.rho = torch.ones_like(margin), torch.ones_like(margin)
        self.before = torch.ones_like(margin)
        self.found = torch.zeros_like(margin, dtype=torch.bool)

    def follow(self, value: torch.Tensor, hit: torch.Tensor, step: int) -> torch.Tensor:
        """Fit both to the margin ``value`` by which the points fool; return its weight.

        The weight is that of the gradient of ``value`` in the penalty's descent.
        """
        y = -value / self.margin
        if step and (step + 1) % _CHECK == 0:
            stuck = ~self.found & (y >= _PROGRESS * self.before)
            self.rho = torch.where(stuck, _HARDER * self.rho, self.rho)
            self.before = y
        if step:
            slope = self._slope(y)
            self.mu = (_AVERAGE * self.mu + (1 - _AVERAGE) * slope).clamp(1e-6, 1e12)
        self.found |= hit
        return self._slope(y) / self.margin

    def _slope(self, y: torch.Tensor) -> torch.Tensor:
        """Slope of the penalty in y."""
        beyond = self.mu + 2 * self.mu * self.rho * y + self.rho**2 * y**2 / 2
        inside = self.mu / (1 - self.rho * y.clamp_max(0)) ** 2
        return torch.where(y >= 0, beyond, inside)

    def keep(self, rows: torch.Tensor) -> None:
        """Forget the other samples."""
        for name, value in vars(self).items():
            setattr(self, name, value[rows])


def _length(ball: Norm, w: torch.Tensor) -> torch.Tensor:
    """Norm of each sample where the ball is round, shape (n,)."""
    return type(ball).length(w)


def _distance_slope(ball: Norm, w: torch.Tensor) -> torch.Tensor:
    """Gradient of the squared length in l2, of the length in l1."""
    return 2 * w if ball.name == "l2" else w.sign()
