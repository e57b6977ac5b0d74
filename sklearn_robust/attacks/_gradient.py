"""One loop for all attacks that climb the gradient of a loss inside a ball."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from .._functional import ascent_gradient
from ._base import BaseAttack
from ._batch import AttackBatch, Objective
from ._losses import make_objective
from ._parameters import attack_class
from ._result import AttackResult

__all__ = ["GradientAttack"]


@attack_class
class GradientAttack(BaseAttack):
    """Base of attacks that take ``max_iter`` steps along the gradient of a loss.

    A subclass may write ``direction(grad, memory)``, which says what to climb, and
    ``relative_step(batch)``, the length of a step. Class attributes stand in for the parameters
    ``max_iter``, ``step_size``, ``n_restarts`` and ``random_start`` where a subclass does not
    offer them.

    Parameters
    ----------
    %(estimator)s
    %(eps)s
    %(norm)s
    %(constraints)s
    %(targeted)s
    %(loss)s
    %(settings)s

    See Also
    --------
    PGD : The attack with all parameters.

    Examples
    --------
    An attack along the sign of the gradient in any norm, averaged over the steps:

    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.attacks import GradientAttack
    >>> class MeanSign(GradientAttack):
    ...     max_iter = 10
    ...     def direction(self, grad, memory):
    ...         memory = grad.sign() if memory is None else memory + grad.sign()
    ...         return memory, memory
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> X_adv = MeanSign(eps=0.5).generate(model, X, y)
    >>> bool(model.score(X_adv, y) < model.score(X, y))
    True
    """

    targeted: bool = False
    loss: str | Callable[..., torch.Tensor] = "cross_entropy"

    def relative_step(self, batch: AttackBatch) -> float:
        """Length of a step as a share of the radius.

        Parameters
        ----------
        batch : AttackBatch
            What is attacked.

        Returns
        -------
        step : float
            By default ``step_size``, or 2.5 radii over all steps.
        """
        if self.step_size is None or batch.ball.radius == 0:
            return 2.5 / self.max_iter
        return self.step_size / batch.ball.radius

    def direction(self, grad: torch.Tensor, memory: Any) -> tuple[torch.Tensor, Any]:
        """Choose what to climb, from the gradient and what the last step remembered.

        Parameters
        ----------
        grad : tensor of shape (n, ...)
            Gradient of the loss.
        memory : tensor of shape (n, ...) or None
            What the last step returned; None before the first one.

        Returns
        -------
        direction : tensor of shape (n, ...)
            What the step climbs, steepest in the norm.
        memory : tensor of shape (n, ...) or None
            For the next step.
        """
        return grad, memory

    def run(self, batch: AttackBatch) -> AttackResult:
        """Climb ``n_restarts`` times.

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
        # Without a random start the first forward sees the clean samples anyway.
        seen = not self.random_start
        result = AttackResult.of(batch) if seen else AttackResult.after_clean(batch, objective)
        for restart in range(self.n_restarts):
            rows = batch.rows()
            if batch.stop:
                rows = rows[~result.fooled]
            if len(rows):
                self._climb(batch, result, objective, rows, restart)
        return result

    def _start(self, batch: AttackBatch, rows: torch.Tensor, restart: int) -> torch.Tensor:
        x = batch.x[rows]
        if not (self.random_start or restart):
            return x.clone()
        return batch.box.clamp(x + batch.ball.sample_start(batch.noise[rows], x, restart))

    def _climb(
        self,
        batch: AttackBatch,
        result: AttackResult,
        objective: Objective,
        rows: torch.Tensor,
        restart: int,
    ) -> None:
        """Take ``max_iter`` steps with the samples ``rows``, recording what comes of each."""
        x, grad, memory = batch.x[rows], None, None
        x_adv = self._start(batch, rows, restart)
        step_length = self.relative_step(batch)
        for step in range(self.max_iter):
            x_adv.requires_grad_(True)
            z = batch.forward(x_adv, rows)
            values = objective(z, rows)
            done = batch.leaving(step, rows, z, x_adv)
            if done is not None and bool(done.all()):
                result.record(rows, x_adv, values, done)
                return
            grad = ascent_gradient(values, x_adv)
            x_adv, grad = x_adv.detach(), grad.detach()
            if done is not None and bool(done.any()):
                result.record(rows[done], x_adv[done], values[done], done[done])
                left = ~done
                rows, x, x_adv, grad = rows[left], x[left], x_adv[left], grad[left]
                memory = None if memory is None else memory[left]
            grad, memory = self.direction(grad, memory)
            step_taken = batch.ball.ascent_step(x_adv, grad, step_length, batch.box)
            x_adv = batch.confine(x_adv + step_taken, x)
        if grad is not None:
            batch.note_gradient(rows, grad)
        self._finish(batch, result, objective, rows, x_adv)

    def _finish(
        self,
        batch: AttackBatch,
        result: AttackResult,
        objective: Objective,
        rows: torch.Tensor,
        x_adv: torch.Tensor,
    ) -> None:
        """Keep the last iterate; judge it by one more forward where that is asked for."""
        if not (batch.stop or batch.judge or self.n_restarts > 1):
            result.x_adv[rows] = x_adv
            return
        with torch.no_grad():
            x_adv, z, fooled = batch.judge_last(x_adv, rows)
            result.record(rows, x_adv, objective(z, rows), fooled)
