"""Fast adaptive boundary attack."""

from __future__ import annotations

import torch

from .. import _functional as F
from .._norms import column
from ._batch import AttackBatch
from ._minimum_norm import MinimumNormAttack, MinimumNormSearch
from ._parameters import attack_class

__all__ = ["FAB"]

_OVERSHOOT = 1.05  # length of a step to the boundary's plane
_GREATEST_PULL = 0.1  # toward the clean sample's own projection
_BACKWARD = 0.9  # how far a successful point goes back to the clean sample


@attack_class
class FAB(MinimumNormAttack):
    """Fast adaptive boundary: walk along the decision boundary toward the clean sample.

    Parameters
    ----------
    %(estimator)s
    %(largest_distance)s
    norm : {"linf", "l2", "l1"}, default="linf"
        Norm of the distance.
    %(constraints)s
    max_iter : int, default=100
        Number of steps of each run.
    n_restarts : int, default=1
        Number of runs (for each target class); those after the first start at random points.
    n_target_classes : int, default=None
        None walks to the nearest boundary of any class, which takes one backward pass for each
        class. A number walks to the boundary of that many classes one after the other, the
        likeliest first (FAB-T, which is cheaper with many classes).
    %(targeted)s
    %(settings)s

    See Also
    --------
    DeepFool : Quicker and coarser.

    Notes
    -----
    A step projects both the iterate and the clean sample onto the plane of the linearised
    boundary, inside the box, and takes a convex combination of the two with slight overshoot;
    it weighs the clean sample's projection by the ratio of the distances, at most 0.1. A
    point that fools goes back by a tenth of its way.

    %(nearest)s

    References
    ----------
    Croce, Hein, "Minimally distorted adversarial examples with a fast adaptive boundary
    attack", ICML 2020.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.attacks import FAB
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> result = FAB(max_iter=20).evaluate(model, X, y)
    >>> bool(result.fooled.all())
    True
    """

    max_iter: int = 100
    n_restarts: int = 1
    n_target_classes: int | None = None
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
        search.note(batch.rows(), batch.x, batch.clean())
        boundaries = self._boundaries(batch)
        for restart in range(self.n_restarts):
            for number, others in enumerate(boundaries):
                rows = batch.rows()
                rows = rows[search.unfinished(rows)]
                if len(rows):
                    stream = restart * len(boundaries) + number
                    x_adv = self._start(batch, search, rows, restart, stream)
                    self._walk(batch, search, rows, x_adv, others)
            search.polish()

    def _boundaries(self, batch: AttackBatch) -> list[torch.Tensor | None]:
        """List the sets of classes to walk to the boundary of, one after the other."""
        if batch.targeted:
            return [None]
        others = F.competing_classes(batch.clean(), batch.y)
        if self.n_target_classes is None:
            return [others]
        return list(others[:, : self.n_target_classes].split(1, dim=1))

    def _start(
        self,
        batch: AttackBatch,
        search: MinimumNormSearch,
        rows: torch.Tensor,
        restart: int,
        stream: int,
    ) -> torch.Tensor:
        x = batch.x[rows]
        if restart == 0:
            return x
        found = search.result.fooled[rows]
        away = torch.where(found, -search.result.loss[rows], search.guess[rows]).clamp_max(
            search.limit
        )
        noise = search.ball.sample(batch.noise[rows], x, stream)
        return batch.box.clamp(x + column(away.to(x), x) / 2 * noise)

    def _walk(
        self,
        batch: AttackBatch,
        search: MinimumNormSearch,
        rows: torch.Tensor,
        x_adv: torch.Tensor,
        others: torch.Tensor | None,
    ) -> None:
        """Take ``max_iter`` steps along the boundary with ``others``."""
        for step in range(self.max_iter + 1):
            x_adv = x_adv.detach().requires_grad_(True)
            z = batch.forward(x_adv, rows)
            hit = search.note(rows, x_adv, z)
            going = search.unfinished(rows)
            if step == self.max_iter or not going.any():
                return
            gap, grad = search.nearest(search.gaps(z, rows, others), x_adv)
            rows, gap, grad, hit = rows[going], gap[going], grad[going], hit[going]
            x, at = batch.x[rows], x_adv.detach()[going]
            back = torch.where(column(hit, x), x + _BACKWARD * (at - x), at)
            x_adv = self._step(batch, search, rows, x, back, at, gap, grad)

    def _step(
        self,
        batch: AttackBatch,
        search: MinimumNormSearch,
        rows: torch.Tensor,
        x: torch.Tensor,
        back: torch.Tensor,
        at: torch.Tensor,
        gap: torch.Tensor,
        grad: torch.Tensor,
    ) -> torch.Tensor:
        """From ``back``, with the boundary linearised at ``at``."""
        both = torch.cat([back, x])
        grads = torch.cat([grad, grad])
        height = torch.cat([gap, gap]) + (grads * (both - torch.cat([at, at]))).flatten(1).sum(1)
        grads = -grads * column(height.sign(), grads)  # downhill, or up if not yet across
        d = search.ball.smallest_step(grads, height.abs(), batch.box.slack(both, grads))
        d_back, d_clean = d.chunk(2)
        far, near = search.ball.size(d_back), search.ball.size(d_clean)
        search.guess[rows] = torch.minimum(search.guess[rows], near.double())
        pull = column((far / (far + near).clamp_min(1e-30)).clamp_max(_GREATEST_PULL), x)
        ahead = (1 - pull) * (back + _OVERSHOOT * d_back) + pull * (x + _OVERSHOOT * d_clean)
        return batch.box.clamp(ahead)
