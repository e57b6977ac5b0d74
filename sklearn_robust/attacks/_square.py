"""Square attack."""

import torch

from ._base import BaseAttack
from ._batch import AttackResult
from ._losses import make_objective
from ._norms import LinfBall, column
from ._square_moves import CornerMoves, MassMoves, Places, window_share

__all__ = ["Square"]


class Square(BaseAttack):
    """Square attack: random search that needs scores only, no gradient.

    It attacks any classifier with ``decision_function`` or ``predict_proba``.

    Parameters
    ----------
    estimator : classifier, default=None
        What ``fit`` fits and ``transform`` attacks; None means LogisticRegression.
    eps : float or array of the samples' shape, default=None
        Radius of the ball in the units of X; None means 8/255 for linf.
    norm : {"linf", "l2", "l1"}, default="linf"
        Norm of the ball.
    bounds : "auto", None or (low, high), default="auto"
        Box of the data.
    mask : bool array of the samples' shape, default=None
        Features that may move; None means all.
    integer : bool array of the samples' shape or indices, default=None
        Features that are kept on integers.
    max_iter : int, default=1000
        Number of queries of each run.
    n_restarts : int, default=1
        Number of runs.
    p_init : float, default=0.8
        Share of a sample that the first moves change.
    targeted : bool, default=False
        Whether ``y`` holds the classes to reach.
    loss : str or callable, default="margin"
        What a move must increase; as for :class:`FGSM`.
    batch_size : int, default=None
        Rows attacked together; None fits the cache.
    on_nan : {"raise", "robust"}, default="raise"
        What to make of NaN scores: an error that names the sample, or a point withstood.
    random_state : int, RandomState or None, default=None
        Seed of the search.
    verbose : int, default=0
        Whether to show a progress bar.

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

    _needs_gradient = False

    def __init__(
        self,
        estimator=None,
        *,
        eps=None,
        norm="linf",
        bounds="auto",
        mask=None,
        integer=None,
        max_iter=1000,
        n_restarts=1,
        p_init=0.8,
        targeted=False,
        loss="margin",
        batch_size=None,
        on_nan="raise",
        random_state=None,
        verbose=0,
    ):
        self.estimator = estimator
        self.eps = eps
        self.norm = norm
        self.bounds = bounds
        self.mask = mask
        self.integer = integer
        self.max_iter = max_iter
        self.n_restarts = n_restarts
        self.p_init = p_init
        self.targeted = targeted
        self.loss = loss
        self.batch_size = batch_size
        self.on_nan = on_nan
        self.random_state = random_state
        self.verbose = verbose

    @torch.no_grad()
    def _run(self, batch):
        objective = make_objective(self.loss, batch.targeted, batch.y, batch.clean)
        result = AttackResult.after_clean(batch, objective)
        places = Places(batch.x.shape[1:], batch.ball.free)
        for restart in range(self.n_restarts):
            rows = torch.nonzero(~result.fooled).flatten()
            if len(rows) and len(places.free):
                self._walk(batch, result, objective, rows, places, restart * self.max_iter)
        return result

    def _walk(self, batch, result, objective, rows, places, stream):
        """Spend ``max_iter`` queries on the samples ``rows``; those fooled leave."""
        moves = (CornerMoves if isinstance(batch.ball, LinfBall) else MassMoves)(batch, places)
        leave = batch.stop or not batch.judge
        x, noise = batch.x[rows], batch.noise[rows]
        best = new = moves.start(x, noise, stream)
        loss = torch.full_like(x.flatten(1)[:, 0], -torch.inf)
        fooled, idle = torch.zeros_like(rows, dtype=torch.bool), torch.zeros_like(rows)
        for query in range(self.max_iter):
            side = places.side(window_share(self.p_init, query, self.max_iter), moves.least_side)
            if query:
                new = moves.propose(x, best, side, noise, stream + query)
            z = batch.forward(new.reshape(x.shape), rows)
            value, hit = objective(z, rows).to(loss), batch.fooled(z, rows)
            better = value >= loss  # ties too: on a plateau the search wanders on
            best = torch.where(column(better, new), new, best)
            loss, fooled = torch.where(better, value, loss), torch.where(better, hit, fooled)
            idle = (idle + 1) * (~better & (side == 1))
            done = hit & leave | (idle >= places.patience)
            if bool(done.any()):
                points = best[done].reshape(-1, *x.shape[1:])
                result.record(rows[done], points, loss[done], fooled[done])
                state = rows, x, best, loss, fooled, idle
                rows, x, best, loss, fooled, idle = (v[~done] for v in state)
                if not len(rows):
                    return
                noise = batch.noise[rows]
                moves.keep(~done)
        result.record(rows, best.reshape(x.shape), loss, fooled)
