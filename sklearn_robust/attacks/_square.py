"""Square attack."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from .._norms import LinfNorm, column
from ._base import BaseAttack
from ._batch import AttackBatch, Objective
from ._losses import make_objective
from ._parameters import attack_class
from ._result import AttackResult
from ._square_moves import CornerMoves, MassMoves, Places, window_share

__all__ = ["Square"]


@attack_class
class Square(BaseAttack):
    """Square attack: a random search that needs scores and no gradient.

    It attacks any classifier with ``decision_function`` or ``predict_proba``.

    Parameters
    ----------
    %(estimator)s
    %(eps)s
    %(norm)s
    %(constraints)s
    max_iter : int, default=1000
        Number of queries of each run.
    n_restarts : int, default=1
        Number of runs.
    p_init : float, default=0.8
        Share of a sample that the first moves change.
    patience : int, default=None
        Queries in a row without a gain after which a sample is given up; None spends them all.
    %(targeted)s
    loss : str or callable, default="margin"
        What a move must increase; as for :class:`FGSM`.
    %(settings)s

    See Also
    --------
    sklearn_robust.metrics.robust_score : Uses it for models without a gradient.

    Notes
    -----
    A move is kept unless it lowers the loss. In linf it sends a square window of an image (of
    shape (height, width) or (channels, height, width)), or a random group of tabular features,
    to the edge of the ball; in l2 and l1 it empties one window and puts its mass, with a bump
    of random sign, on another. The windows shrink as the search goes on. A sample is done
    when it is fooled, a tabular one also after 20 losing moves in a row for each feature.
    Without gradients the result is an upper bound of robustness.

    References
    ----------
    Andriushchenko, Croce, Flammarion, Hein, "Square attack: a query-efficient black-box
    adversarial attack via random search", ECCV 2020.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn_robust.attacks import Square
    >>> X, y = load_iris(return_X_y=True)
    >>> model = RandomForestClassifier(10, random_state=0).fit(X, y)
    >>> result = Square(eps=0.5, max_iter=50, random_state=0).evaluate(model, X, y)
    >>> bool(result.fooled.mean() > 0.1)
    True
    """

    needs_gradient = False
    supported_norms = ("linf", "l2", "l1")

    max_iter: int = 1000
    n_restarts: int = 1
    p_init: float = 0.8
    patience: int | None = None
    targeted: bool = False
    loss: str | Callable[..., torch.Tensor] = "margin"

    @torch.no_grad()
    def run(self, batch: AttackBatch) -> AttackResult:
        """Spend the queries of each run on the samples that are not fooled.

        Parameters
        ----------
        batch : AttackBatch
            What is attacked.

        Returns
        -------
        result : AttackResult
            The best point of each sample.
        """
        objective = make_objective(self.loss, batch.targeted, batch.y, batch.clean)
        result = AttackResult.after_clean(batch, objective)
        places = Places(batch.x.shape[1:], batch.ball.free)
        for restart in range(self.n_restarts):
            rows = torch.nonzero(~result.fooled).flatten()
            if len(rows) and len(places.free):
                self._walk(batch, result, objective, rows, places, restart * self.max_iter)
        return result

    def _walk(
        self,
        batch: AttackBatch,
        result: AttackResult,
        objective: Objective,
        rows: torch.Tensor,
        places: Places,
        stream: int,
    ) -> None:
        """Spend ``max_iter`` queries on the samples ``rows``; those fooled leave."""
        corners = isinstance(batch.ball, LinfNorm)
        moves: CornerMoves | MassMoves = (CornerMoves if corners else MassMoves)(batch, places)
        leave = batch.stop or not batch.judge
        x, noise = batch.x[rows], batch.noise[rows]
        best = new = moves.start(x, noise, stream)
        loss = torch.full_like(x.flatten(1)[:, 0], -torch.inf)
        fooled, idle = torch.zeros_like(rows, dtype=torch.bool), torch.zeros_like(rows)
        stuck, patience = torch.zeros_like(rows), self.patience or math.inf
        for query in range(self.max_iter):
            side = places.side(window_share(self.p_init, query, self.max_iter), moves.least_side)
            if query:
                new = moves.propose(x, best, side, noise, stream + query)
            z = batch.forward(new.reshape(x.shape), rows)
            value, hit = objective(z, rows).to(loss), batch.fooled(z, rows)
            stuck = (stuck + 1) * (value <= loss)
            better = value >= loss  # ties too: on a plateau the search wanders on
            best = torch.where(column(better, new), new, best)
            loss, fooled = torch.where(better, value, loss), torch.where(better, hit, fooled)
            idle = (idle + 1) * (~better & (side == 1))
            done = hit & leave | (idle >= places.patience) | (stuck >= patience)
            if bool(done.any()):
                points = best[done].reshape(-1, *x.shape[1:])
                result.record(rows[done], points, loss[done], fooled[done])
                state = rows, x, best, loss, fooled, idle, stuck
                rows, x, best, loss, fooled, idle, stuck = (v[~done] for v in state)
                if not len(rows):
                    return
                noise = batch.noise[rows]
                moves.keep(~done)
        result.record(rows, best.reshape(x.shape), loss, fooled)
