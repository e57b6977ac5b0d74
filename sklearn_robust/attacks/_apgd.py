"""Auto-PGD."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from .._functional import ascent_gradient
from .._norms import L1Norm, Norm
from ._apgd_schedule import HalvingSchedule, Schedule, SparseSchedule, keep_best
from ._base import BaseAttack
from ._batch import AttackBatch, Objective
from ._losses import make_objective
from ._parameters import attack_class
from ._result import AttackResult

__all__ = ["APGD"]

# Radii, in units of eps, and the share of the steps spent inside each: in l1 the search starts
# in a larger ball, where its steps are longer.
_PHASES = {True: ((3, 0.3), (2, 0.3), (1, 0.4)), False: ((1, 1.0),)}


@attack_class
class APGD(BaseAttack):
    """Auto-PGD: gradient ascent with momentum that sets its own step size for each sample.

    Parameters
    ----------
    %(estimator)s
    %(eps)s
    %(norm)s
    %(constraints)s
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
    %(targeted)s
    %(loss)s
    %(settings)s

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

    max_iter: int = 100
    n_restarts: int = 1
    n_target_classes: int | None = 9
    n_eot: int = 1
    targeted: bool = False
    loss: str | Callable[..., torch.Tensor] = "cross_entropy"

    supported_norms = ("linf", "l2", "l1")

    def run(self, batch: AttackBatch) -> AttackResult:
        """Climb from random points, for each class that is aimed at.

        Parameters
        ----------
        batch : AttackBatch
            What is attacked.

        Returns
        -------
        result : AttackResult
            The best point of each sample.
        """
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

    def _n_ranks(self, batch: AttackBatch) -> int:
        """Return the number of classes to aim at one after the other."""
        if batch.targeted or self.loss != "targeted_dlr":
            return 1
        n_others = batch.clean().shape[1] - 1
        return min(self.n_target_classes or n_others, n_others)

    def _climb(
        self,
        batch: AttackBatch,
        result: AttackResult,
        objective: Objective,
        rows: torch.Tensor,
        stream: int,
    ) -> None:
        """Run through the phases with the samples ``rows``, recording what comes of each."""
        x = batch.x[rows]
        start = x + batch.ball.sample(batch.noise[rows], x, stream)
        sparse = isinstance(batch.ball, L1Norm)
        for scale, share in _PHASES[sparse]:
            ball = batch.ball.scaled(scale)
            n_iter = max(round(share * self.max_iter), 1)
            schedule: Schedule = (SparseSchedule if sparse else HalvingSchedule)(n_iter)
            start = ball.confine(start - x, x, batch.box)
            final = result if scale == 1 else None
            start = self._phase(batch, final, objective, rows, start, ball, schedule, n_iter)

    def _phase(
        self,
        batch: AttackBatch,
        result: AttackResult | None,
        objective: Objective,
        rows: torch.Tensor,
        x_adv: torch.Tensor,
        ball: Norm,
        schedule: Schedule,
        n_iter: int,
    ) -> Any:
        """Climb inside one ball; return the best points, or record them in ``result``."""
        state: dict[str, torch.Tensor] = {
            "rows": rows,
            "x": batch.x[rows],
            "x_adv": x_adv,
            "last": x_adv,
        }
        leave = batch.stop and result is not None
        for step in range(n_iter + 1):
            if step:
                x_new = schedule.propose(state, batch, ball, state["x"], step)
                state["last"], state["x_adv"] = state["x_adv"], x_new
            before = state.get("loss", torch.zeros(()))
            state |= self._look(batch, objective, state["x_adv"], state["rows"], step, leave)
            keep_best(state)
            if step:
                schedule.review(state, step, state["loss"] > before)
            else:
                schedule.begin(state, ball)
            if result is not None and leave and bool(state["fooled"].any()):
                fooled = state["fooled"]
                found = (state[key][fooled] for key in ("rows", "reached", "loss", "fooled"))
                result.record(*found)
                state = {key: value[~fooled] for key, value in state.items()}
                if not len(state["rows"]):
                    return None
        batch.note_gradient(state["rows"], state["grad"])
        if result is None:
            return state["best"]
        return result.record(*(state[key] for key in ("rows", "best", "best_loss", "best_fooled")))

    def _look(
        self,
        batch: AttackBatch,
        objective: Objective,
        x_adv: torch.Tensor,
        rows: torch.Tensor,
        step: int,
        leave: bool,
    ) -> dict[str, torch.Tensor]:
        """Loss, its gradient and success at ``x_adv``, averaged over ``n_eot`` draws."""
        x_adv = x_adv.detach().requires_grad_(True)
        loss: Any = 0
        grad: Any = 0
        logits: Any = 0
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
