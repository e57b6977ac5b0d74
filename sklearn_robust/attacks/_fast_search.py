"""The search of AutoAttack's fast version: effort goes where the boundary is near."""

from __future__ import annotations

from typing import Any

import torch

from .._functional import ascent_gradient, competing_classes, targeted_dlr
from ._apgd import APGD
from ._base import BaseAttack
from ._batch import AttackBatch
from ._fab import FAB
from ._losses import make_objective
from ._parameters import attack_class
from ._result import AttackResult
from ._square import Square

__all__ = ["FastSearch"]

_MOST_TARGETS = 9
_FIRST_TARGETS = 3  # tried for every sample that is left
_NEAR = 0.2  # share of the clean margin below which all classes are tried
_CLOSE = 0.05  # share below which restarts, FAB and many queries are spent
_STILL = 0.98  # share above which the gradient did not move the sample
_FALLING = 0.97  # of the margin before, where another restart pays
_MOST_RESTARTS = 6
# Numbers of the searches, each of which has random numbers of its own.
_RESTART, _NEAREST, _SCORES = 20, 40, 50
_PROBE = 100  # queries that look for a sign of masking


@attack_class
class FastSearch(BaseAttack):
    """One search with the attacks of the standard cascade, which stops early far from boundaries.

    Every decision is about one sample and follows from its own margins, so that neither the size
    nor the order of batches changes a verdict.

    Parameters
    ----------
    %(estimator)s
    %(eps)s
    %(norm)s
    %(constraints)s
    max_iter : int, default=100
        Steps of the longest climbs.
    n_queries : int, default=5000
        Queries of the random search, for samples with a sign of masking; a fifth of
        them for samples close to a boundary.
    %(settings)s
    """

    supported_norms = ("linf", "l2", "l1")

    max_iter: int = 100
    n_queries: int = 5000

    def run(self, batch: AttackBatch) -> AttackResult:
        """Attack the samples, the cheapest search first.

        Parameters
        ----------
        batch : AttackBatch
            What is attacked.

        Returns
        -------
        result : AttackResult
            Of each sample the first success, or the point of the least margin.
        """
        left = SamplesLeft(batch)
        left.attack(APGD(max_iter=max(self.max_iter // 3, 1), loss="dlr"), left.rows(), 0)
        targets = self._aim(left)
        for number in range(targets.shape[1]):
            first = number < _FIRST_TARGETS
            rows = left.rows() if first else left.rows(_NEAR)
            steps = self.max_iter // 2 if first else self.max_iter
            self._climb(left, rows, targets[:, number], max(steps, 1), 1 + number)
        self._restart(left, targets)
        n_nearest = min(_FIRST_TARGETS, targets.shape[1])
        fab = FAB(max_iter=max(self.max_iter // 2, 1), n_target_classes=n_nearest)
        left.attack(fab, left.rows(_CLOSE), _NEAREST)
        self._search_by_scores(left)
        return left.result

    def _climb(
        self,
        left: SamplesLeft,
        rows: torch.Tensor,
        targets: torch.Tensor,
        n_iter: int,
        number: int,
    ) -> None:
        """Climb the ratio of logits toward ``targets``."""
        left.attack(_Aimed(max_iter=n_iter, targets=targets[rows]), rows, number)

    def _aim(self, left: SamplesLeft) -> torch.Tensor:
        """Classes to aim at, (n, k): those that logits or gradients put first come first."""
        batch, rows = left.batch, left.rows()
        others = competing_classes(batch.clean(), batch.y)[:, :_MOST_TARGETS]
        if others.shape[1] < 3 or not len(rows):
            return others
        x = batch.x[rows].detach().requires_grad_(True)
        z = batch.forward(x, rows)
        gaps = z.gather(1, batch.y[rows][:, None]) - z.gather(1, others[rows])
        away = []
        for k in range(gaps.shape[1]):
            grad = ascent_gradient(gaps[:, k], x, retain_graph=k + 1 < gaps.shape[1])
            away.append(gaps[:, k].detach() / batch.ball.dual_norm(grad).clamp_min(1e-30))
        by_gradient = torch.stack(away, dim=1).argsort(dim=1).argsort(dim=1)
        by_logit = torch.arange(gaps.shape[1], device=z.device)
        best = torch.minimum(by_gradient, by_logit) + 0.01 * by_gradient
        ranked = others.clone()
        ranked[rows] = others[rows].gather(1, best.argsort(dim=1))
        return ranked

    def _restart(self, left: SamplesLeft, targets: torch.Tensor) -> None:
        """Climb again toward the class that came nearest, while close or falling."""
        rows = left.rows(_NEAR)
        for number in range(_RESTART, _RESTART + _MOST_RESTARTS):
            if not len(rows):
                return
            before = left.margin[rows]
            self._climb(left, rows, left.rival, self.max_iter, number)
            falls = left.margin[rows] < _FALLING * before
            close = left.margin[rows] < _CLOSE * left.clean_margin[rows]
            rows = rows[(falls | close) & ~left.result.fooled[rows]]

    def _search_by_scores(self, left: SamplesLeft) -> None:
        """Spend few queries on all samples, many where they are close or scores beat gradients."""
        rows = left.rows()
        if not len(rows):
            return
        before = left.margin[rows]
        left.attack(Square(max_iter=_PROBE), rows, _SCORES)
        still = before > _STILL * left.clean_margin[rows]
        masked = still | (left.margin[rows] < before)
        close = left.margin[rows] < _CLOSE * left.clean_margin[rows]
        open_ = ~left.result.fooled[rows]
        for chosen, n_queries in ((masked, self.n_queries), (close & ~masked, self.n_queries // 5)):
            square = Square(max_iter=max(n_queries, 1), patience=max(n_queries // 4, 1))
            left.attack(square, rows[chosen & open_], _SCORES + 1)


@attack_class
class _Aimed(APGD):
    """APGD toward one class of each sample."""

    targets: Any = None

    def run(self, batch: AttackBatch) -> AttackResult:
        """Climb once from a random point."""
        result = AttackResult.of(batch)

        def objective(z: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
            return targeted_dlr(z, batch.y[rows], self.targets[rows])

        self._climb(batch, result, objective, batch.rows(), 0)
        return result


class SamplesLeft:
    """What the attacks so far left of a batch, and how near each sample came to a boundary.

    Parameters
    ----------
    batch : AttackBatch
        What is attacked.

    Attributes
    ----------
    result : AttackResult
        The best point of each sample; its loss is minus the margin.
    clean_margin : tensor of shape (n,)
        Margins of the clean samples.
    rival : int tensor of shape (n,)
        Class that is the strongest other one at the best point.
    """

    def __init__(self, batch: AttackBatch) -> None:
        self.batch = batch
        self.objective = make_objective("margin", False, batch.y, batch.clean)
        self.result = AttackResult.after_clean(batch, self.objective)
        self.result.has_gradient.fill_(-1)
        z = batch.clean()
        self.clean_margin = -self.objective(z, batch.rows()).double()
        self.result.loss = torch.maximum(self.result.loss, -self.clean_margin)
        self.rival = competing_classes(z, batch.y)[:, 0].clone()

    @property
    def margin(self) -> torch.Tensor:
        """Least margin of each sample so far, float64 tensor of shape (n,)."""
        return -self.result.loss

    def rows(self, near: float | None = None) -> torch.Tensor:
        """Return samples that no attack fooled; ``near``: those of less than this share left."""
        left = ~self.result.fooled
        if near is not None:
            left = left & (self.margin < near * self.clean_margin)
        return torch.nonzero(left).flatten()

    def attack(self, attack: BaseAttack, rows: torch.Tensor, number: int) -> None:
        """Run the attack ``number`` on ``rows``, and keep what comes nearer to a boundary."""
        if not len(rows):
            return
        batch = self.batch
        part = batch.part(rows, number, judge=True, checked=True)
        with torch.enable_grad():
            found = attack.run(part)
        with torch.no_grad():
            z = part.forward(found.x_adv, part.rows())
        fooled = part.fooled(z, part.rows())
        value = self.objective(z, rows).detach().double()
        nearer = value > self.result.loss[rows]
        rival = competing_classes(z, part.y)[:, 0]
        self.rival[rows] = torch.where(nearer, rival, self.rival[rows])
        self.result.record(rows, found.x_adv, value, fooled)
        batch.n_queries[rows] += part.n_queries
        batch.has_gradient[rows] = torch.maximum(batch.has_gradient[rows], part.has_gradient)
