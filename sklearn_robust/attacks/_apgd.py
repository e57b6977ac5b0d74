"""Auto-PGD."""

import torch

from .._functional import ascent_gradient
from ._apgd_schedule import HalvingSchedule, SparseSchedule, keep_best
from ._base import BaseAttack
from ._batch import AttackResult
from ._losses import make_objective
from ._norms import L1Ball

__all__ = ["APGD"]

# Radii, in units of eps, and the share of the steps spent inside each: in l1 the search starts
# in a larger ball, where its steps are longer.
_PHASES = {True: ((3, 0.3), (2, 0.3), (1, 0.4)), False: ((1, 1.0),)}


class APGD(BaseAttack):
    """Auto-PGD: gradient ascent with momentum that sets its own step size for each sample.

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
    max_iter : int, default=100
        Number of steps of each run.
    n_restarts : int, default=1
        Number of runs (for each target class), each from another random point.
    n_target_classes : int, default=9
        With ``loss="targeted_dlr"`` and no target given: how many classes to aim at, the
        likeliest first; never more than there are, and None means all.
    n_eot : int, default=1
        Draws over which loss, gradient and logits are averaged, for models that draw random
        numbers (expectation over transformation).
    targeted : bool, default=False
        Whether ``y`` holds the classes to reach.
    loss : str or callable, default="cross_entropy"
        As for :class:`FGSM`.
    batch_size : int, default=None
        Rows attacked together; None fits the cache.
    on_nan : {"raise", "robust"}, default="raise"
        What to make of NaN logits: an error that names the sample, or a point withstood.
    random_state : int, RandomState or None, default=None
        Seed of the starting points.
    verbose : int, default=0
        Whether to show a progress bar.

    See Also
    --------
    PGD : Fixed steps.
    AutoAttack : This attack with two losses, then two attacks of other kinds.

    Notes
    -----
    ``x' = P(x_k + s sign g)``, ``x_{k+1} = P(x_k + a (x' - x_k) + (1 - a) (x_k - x_{k-1}))``
    with a = 0.75, starting from s = 2 eps. At checkpoints s is halved, and the best point
    taken up again, where too few steps gained or the best loss stood still. In l1 the steps
    run along few coordinates, as sparse as the best point so far, through balls of 3, 2 and 1
    times eps. The best point is returned.

    References
    ----------
    Croce, Hein, "Reliable evaluation of adversarial robustness with an ensemble of diverse
    parameter-free attacks", ICML 2020. Croce, Hein, "Mind the box: l1-APGD for sparse
    adversarial attacks on image classifiers", ICML 2021.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.attacks import APGD
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> X_adv = APGD(eps=0.5, loss="dlr", max_iter=20, random_state=0).generate(model, X, y)
    >>> bool(model.score(X_adv, y) < model.score(X, y))
    True
    """

    def __init__(
        self,
        estimator=None,
        *,
        eps=None,
        norm="linf",
        bounds="auto",
        mask=None,
        integer=None,
        max_iter=100,
        n_restarts=1,
        n_target_classes=9,
        n_eot=1,
        targeted=False,
        loss="cross_entropy",
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
        self.n_target_classes = n_target_classes
        self.n_eot = n_eot
        self.targeted = targeted
        self.loss = loss
        self.batch_size = batch_size
        self.on_nan = on_nan
        self.random_state = random_state
        self.verbose = verbose

    def _run(self, batch):
        objectives = [
            make_objective(self.loss, batch.targeted, batch.y, batch.clean, rank)
            for rank in range(self._n_ranks(batch))
        ]
        result = AttackResult.after_clean(batch, objectives[0])
        stream = 0
        for _ in range(self.n_restarts):
            for objective in objectives:
                rows = torch.nonzero(~result.fooled).flatten() if batch.stop else batch.rows()
                if len(rows):
                    self._climb(batch, result, objective, rows, stream)
                stream += 1
        return result

    def _n_ranks(self, batch):
        """Return the number of classes to aim at one after the other."""
        if batch.targeted or self.loss != "targeted_dlr":
            return 1
        n_others = batch.clean().shape[1] - 1
        return min(self.n_target_classes or n_others, n_others)

    def _climb(self, batch, result, objective, rows, stream):
        """Run through the phases with the samples ``rows``, recording what comes of each."""
        x = batch.x[rows]
        start = x + batch.ball.sample(batch.noise[rows], x, stream)
        sparse = isinstance(batch.ball, L1Ball)
        for scale, share in _PHASES[sparse]:
            ball = type(batch.ball)(scale * batch.ball.eps)
            n_iter = max(round(share * self.max_iter), 1)
            schedule = (SparseSchedule if sparse else HalvingSchedule)(n_iter)
            start = ball.confine(start - x, x, batch.box)
            final = result if scale == 1 else None
            start = self._phase(batch, final, objective, rows, start, ball, schedule, n_iter)

    def _phase(self, batch, result, objective, rows, x_adv, ball, schedule, n_iter):
        """Climb inside one ball; return the best points, or record them in ``result``."""
        state = {"rows": rows, "x": batch.x[rows], "x_adv": x_adv, "last": x_adv}
        leave = batch.stop and result is not None
        for step in range(n_iter + 1):
            if step:
                x_new = schedule.propose(state, batch, ball, state["x"], step)
                state["last"], state["x_adv"] = state["x_adv"], x_new
            before = state.get("loss")
            state |= self._look(batch, objective, state["x_adv"], state["rows"], step, leave)
            keep_best(state)
            if step:
                schedule.review(state, step, state["loss"] > before)
            else:
                schedule.begin(state, ball)
            if leave and bool(state["fooled"].any()):
                fooled = state["fooled"]
                found = (state[key][fooled] for key in ("rows", "reached", "loss", "fooled"))
                result.record(*found)
                state = {key: value[~fooled] for key, value in state.items()}
                if not len(state["rows"]):
                    return None
        batch.note_slope(state["rows"], state["grad"])
        if result is None:
            return state["best"]
        return result.record(*(state[key] for key in ("rows", "best", "best_loss", "best_fooled")))

    def _look(self, batch, objective, x_adv, rows, step, leave):
        """Loss, its gradient and success at ``x_adv``, averaged over ``n_eot`` draws."""
        x_adv = x_adv.detach().requires_grad_(True)
        loss = grad = logits = 0
        for draw in range(self.n_eot):
            z = batch.forward(x_adv, rows)
            values = objective(z, rows)
            if batch.observe is not None and draw == 0:
                batch.observe(step, rows, z.detach(), x_adv.detach())
            loss, logits = loss + values.detach().to(x_adv), logits + z.detach()
            if leave and self.n_eot == 1 and bool(batch.fooled(z, rows).all()):
                grad = torch.zeros_like(x_adv)  # all leave: nobody needs it
            else:
                grad = grad + ascent_gradient(values, x_adv)
        return {
            "reached": x_adv.detach(),
            "loss": loss / self.n_eot,
            "grad": grad / self.n_eot,
            "fooled": batch.fooled(logits, rows),
        }
