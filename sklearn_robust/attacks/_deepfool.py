"""DeepFool."""

from __future__ import annotations

from typing import Any

import torch

from .. import _functional as F
from ._batch import AttackBatch
from ._minimum_norm import MinimumNormAttack, MinimumNormSearch
from ._parameters import attack_class

__all__ = ["DeepFool"]

_STUCK = 0.1  # share of a step below which the box counts as having stopped it


@attack_class
class DeepFool(MinimumNormAttack):
    """DeepFool: steps to the nearest boundary of the linearised model until it is crossed.

    Parameters
    ----------
    %(estimator)s
    %(largest_distance)s
    norm : {"l2", "linf", "l1"}, default="l2"
        Norm of the distance.
    %(constraints)s
    max_iter : int, default=50
        Greatest number of steps.
    overshoot : float, default=0.02
        How far beyond the boundary to step, as a share of the clean sample's gap.
    n_candidates : int, default=10
        Number of classes considered, the likeliest of the clean sample.
    %(targeted)s
    %(settings)s

    See Also
    --------
    FAB : Finer and slower.
    CarliniWagner : By optimisation.

    Notes
    -----
    One step moves by the least amount, inside the box, that closes the gap z_y - z_k of the
    linearised model to the nearest of the boundaries k. For a linear model the first step is
    exact. A found point is drawn back along its line to the clean sample, so that the
    overshoot does not count.

    %(nearest)s

    References
    ----------
    Moosavi-Dezfooli, Fawzi, Frossard, "DeepFool: a simple and accurate method to fool deep
    neural networks", CVPR 2016.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.attacks import DeepFool
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> result = DeepFool(bounds=None).evaluate(model, X, y)
    >>> bool(result.fooled.all())
    True
    """

    norm: Any = "l2"
    max_iter: int = 50
    overshoot: float = 0.02
    n_candidates: int = 10
    targeted: bool = False

    def find_nearest(self, batch: AttackBatch, search: MinimumNormSearch) -> None:
        """Search for the nearest adversarial examples.

        Parameters
        ----------
        batch : AttackBatch
            What is attacked.
        search : MinimumNormSearch
            Keeps what is found.
        """
        self._walk(batch, search)
        search.polish()

    def _walk(self, batch: AttackBatch, search: MinimumNormSearch) -> None:
        """Step until all samples are fooled or the steps are spent."""
        rows, x_adv = batch.rows(), batch.x
        others: torch.Tensor | None = None
        extra = torch.zeros(len(batch.x)).to(batch.x)  # overshoot, known after the first step
        for step in range(self.max_iter + 1):
            x_adv = x_adv.detach().requires_grad_(True)
            z = batch.forward(x_adv, rows)
            left = ~search.note(rows, x_adv, z)
            n_left = int(left.sum())
            if step == self.max_iter or not n_left:
                return
            if step == 0:
                batch.clean_logits = z.detach()
                if not batch.targeted:
                    others = F.competing_classes(batch.clean_logits, batch.y)[
                        :, : self.n_candidates
                    ]
            gaps = search.gaps(z, rows, others)
            if gaps.shape[1] * (len(rows) - n_left) > n_left:
                # A forward of the samples left is cheaper than all backwards of those done.
                rows, x_adv = rows[left], x_adv.detach()[left].requires_grad_(True)
                gaps = search.gaps(batch.forward(x_adv, rows), rows, others)
                left = left[left]
            gap, grad = search.nearest(gaps, x_adv)
            if step == 0:
                extra = extra.to(gap).index_copy(0, rows, -self.overshoot * gap)
            rows, x_adv, gap, grad = (v[left] for v in (rows, x_adv.detach(), gap, grad))
            x_adv = self._step(batch, search, x_adv, grad, extra[rows] - gap)

    def _step(
        self,
        batch: AttackBatch,
        search: MinimumNormSearch,
        x_adv: torch.Tensor,
        grad: torch.Tensor,
        gain: torch.Tensor,
    ) -> torch.Tensor:
        """Toward the plane, cut off by the box; several short steps end nearer than a long one."""
        d = search.ball.smallest_step(grad, gain)
        ahead = batch.box.clamp(x_adv + d)
        slack = batch.box.slack(x_adv, grad)
        if slack is None:
            return ahead
        stuck = search.ball.size(ahead - x_adv) < _STUCK * search.ball.size(d)
        if stuck.any():  # nearly all of the step led out: the features with room make up for it
            d = search.ball.smallest_step(grad[stuck], gain[stuck], slack[stuck])
            ahead[stuck] = batch.box.clamp(x_adv[stuck] + d)
        return ahead
