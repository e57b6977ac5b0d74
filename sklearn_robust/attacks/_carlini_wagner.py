"""Carlini and Wagner's attack."""

from __future__ import annotations

from typing import Any

import torch

from .. import _functional as F
from .._functional import ascent_gradient
from .._norms import LinfNorm, column
from ._batch import AttackBatch
from ._minimum_norm import MinimumNormAttack, MinimumNormSearch
from ._parameters import attack_class

__all__ = ["CarliniWagner"]

_DECAY = (0.9, 0.999)  # of Adam's mean gradient and mean square
_OVERSHOOT = 1.01  # how far beyond the linearised boundary the searches start
_RATE = 0.1  # first step, as a share of the distance to the boundary
_N_CANDIDATES = 10  # classes whose boundary is looked at before the first step
_TINY = 1e-30


@attack_class
class CarliniWagner(MinimumNormAttack):
    """Carlini and Wagner's attack: minimise the distance plus a penalty on failure.

    Parameters
    ----------
    %(estimator)s
    %(largest_distance)s
    norm : {"l2", "linf"}, default="l2"
        Norm of the distance.
    %(constraints)s
    max_iter : int, default=100
        Number of Adam steps of each of the ``n_searches``.
    step_size : float, default=None
        First step of each feature, in the units of X; the steps shrink to zero during a search.
        None sets it for each sample from the distance to the boundary of the linearised model.
    n_searches : int, default=6
        Number of minimisations, each with another balance.
    %(targeted)s
    %(settings)s

    See Also
    --------
    PGD : With ``loss="margin"`` it is the attack inside a ball that is also called C&W.
    FAB : Usually nearer for the same cost.

    Notes
    -----
    l2 minimises ``||d||^2 + c max(S(x + d), 0)`` with the margin S; c is bisected. linf
    minimises ``sum_i max(|d_i| - t, 0) + c max(S(x + d), 0)``; the threshold t is bisected. All
    searches start just beyond where a linear model has its nearest boundary, with the balance that
    suits it, so that neither the scale of the logits nor that of the data matters. The box is
    kept by projection: a pixel that is black or white moves as freely as any other.

    %(nearest)s

    References
    ----------
    Carlini, Wagner, "Towards evaluating the robustness of neural networks", IEEE S&P 2017.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.attacks import CarliniWagner
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> result = CarliniWagner(max_iter=30).evaluate(model, X, y)
    >>> bool(result.fooled.all())
    True
    """

    norm: Any = "l2"
    max_iter: int = 100
    step_size: float | None = None
    n_searches: int = 6
    targeted: bool = False

    supported_norms = ("l2", "linf")

    def find_nearest(self, batch: AttackBatch, search: MinimumNormSearch) -> None:
        """Search for the nearest adversarial examples.

        Parameters
        ----------
        batch : AttackBatch
            What is attacked.
        search : MinimumNormSearch
            Keeps what is found.
        """
        balance = TradeoffConstant(batch, search, self.step_size)
        for _ in range(self.n_searches):
            rows = batch.rows()
            rows = rows[search.unfinished(rows)]
            if not len(rows):
                return
            self._minimise(batch, search, balance, rows)
            search.polish()
            balance.adjust(rows, -search.result.loss[rows])

    def _minimise(
        self,
        batch: AttackBatch,
        search: MinimumNormSearch,
        balance: TradeoffConstant,
        rows: torch.Tensor,
    ) -> None:
        """Search once, in units in which the ball is round, and tell ``balance`` of successes."""
        ball, x = search.ball, batch.x[rows]
        u, mean, power = balance.start[rows], torch.zeros_like(x), torch.zeros_like(x)
        balance.found[rows] = torch.inf
        for step in range(self.max_iter):
            x_adv = (x + ball.eps * u).requires_grad_(True)
            z = batch.forward(x_adv, rows)
            hit = search.note(rows, x_adv, z)
            grad = ball.eps * ascent_gradient(search.crossing(z, rows), x_adv)
            balance.note(rows, hit, ball.size(x_adv.detach() - x))
            slope = balance.gradient(rows, u, grad, hit)
            mean = _DECAY[0] * mean + (1 - _DECAY[0]) * slope
            power = _DECAY[1] * power + (1 - _DECAY[1]) * balance.power(slope)
            scale = (power / (1 - _DECAY[1] ** (step + 1))).sqrt().clamp_min(_TINY)
            rate = column(balance.step[rows], x) * (1 - step / self.max_iter)
            move = rate / (1 - _DECAY[0] ** (step + 1)) * mean / scale
            u = (batch.box.clamp(x + ball.eps * (u - move)) - x) * ball.inverse
            going = search.unfinished(rows)
            if not going.all():
                rows, x, u, mean, power = (v[going] for v in (rows, x, u, mean, power))
                if not len(rows):
                    return


class TradeoffConstant:
    """What weighs distance against success, for each sample: ``c`` in l2, ``t`` in linf.

    Attributes
    ----------
    start : tensor of shape (n, ...)
        Just beyond the nearest boundary of the linearised model; the searches start there.
    step : tensor of shape (n,)
        First step of each feature.
    value, low, high : tensors of shape (n,)
        The balance and the bracket it is bisected in.
    found : tensor of shape (n,)
        Least distance at which the current search succeeded.
    """

    def __init__(
        self, batch: AttackBatch, search: MinimumNormSearch, step_size: float | None
    ) -> None:
        rows = batch.rows()
        x = batch.x.detach().requires_grad_(True)
        z = batch.forward(x, rows)
        batch.clean_logits = z.detach()
        search.note(rows, x, z)
        others = (
            None
            if batch.targeted
            else F.competing_classes(batch.clean_logits, batch.y)[:, :_N_CANDIDATES]
        )
        gap, grad = search.nearest(search.gaps(z, rows, others), x)
        gain = _OVERSHOOT * (-gap).clamp_min(0)
        slope = search.ball.dual_norm(grad).clamp_min(_TINY)
        self.search = search
        self.linf = isinstance(search.ball, LinfNorm)
        self.start = (
            search.ball.smallest_step(grad, gain, batch.box.slack(batch.x, grad))
            * search.ball.inverse
        )
        distance = search.ball.size(self.start * search.ball.eps).clamp_min(_TINY)
        self.step_size = step_size
        self.step = torch.zeros_like(distance)
        self.pace(rows, distance)
        n_free = search.ball.free.expand(x.shape[1:]).sum()
        self.weight = 2 * n_free / slope  # of success in linf: most features follow it
        self.value = 1.5 * distance if self.linf else 4 * distance / slope
        self.most = 0.97 * search.limit if self.linf else torch.inf  # a wider way leads too far
        self.value = self.value.clamp_max(self.most)
        self.low, self.high = torch.zeros_like(gap), torch.full_like(gap, torch.inf)
        self.found = torch.full_like(gap, torch.inf)

    def pace(self, rows: torch.Tensor, distance: torch.Tensor) -> None:
        """Fit the steps to the distance that the search is about."""
        all_move = self.search.ball.eps.expand(self.start.shape[1:])[None]
        step = _RATE * distance / self.search.ball.size(all_move).clamp_min(_TINY)
        self.step[rows] = step if self.step_size is None else self.step_size

    def gradient(
        self, rows: torch.Tensor, u: torch.Tensor, grad: torch.Tensor, hit: torch.Tensor
    ) -> torch.Tensor:
        """Gradient of what is minimised."""
        value = column(self.value[rows], u)
        lack = column(~hit, u) * grad
        if self.linf:
            return u.sign() * (u.abs() > value) - column(self.weight[rows], u) * lack
        return 2 * u - value * lack

    def power(self, slope: torch.Tensor) -> torch.Tensor:
        """Square that scales the steps: feature by feature in linf, of the whole sample in l2."""
        square = slope**2
        return square if self.linf else column(square.flatten(1).mean(1), slope)

    def note(self, rows: torch.Tensor, hit: torch.Tensor, length: torch.Tensor) -> None:
        """Remember the nearest success of a search."""
        self.found[rows] = torch.where(hit, length, torch.inf).minimum(self.found[rows])

    def adjust(self, rows: torch.Tensor, best: torch.Tensor) -> None:
        """Bisect: less weight on success where the search succeeded, more where it failed."""
        value, low, high, found = (v[rows] for v in (self.value, self.low, self.high, self.found))
        best = best.to(value)
        if self.linf:
            high = high.minimum(best)
            low = torch.where(found <= 1.02 * value, low, value)
            value = torch.where(low > 0, (low + high) / 2, 0.9 * high)
            value = torch.where(high < torch.inf, value, 2 * low)
        else:
            success = found < torch.inf
            high, low = torch.where(success, value, high), torch.where(success, low, value)
            value = torch.where(low > 0, (low * high).sqrt(), high / 4)
            value = torch.where(high < torch.inf, value, 4 * low)
        self.value[rows] = value.clamp_max(self.most)
        self.low[rows], self.high[rows] = low, high
        reached = best < torch.inf
        self.pace(rows[reached], best[reached])
