"""One loop for all attacks that climb the gradient of a loss inside a ball."""

import torch

from .._functional import ascent_gradient
from ._base import BaseAttack
from ._batch import AttackResult
from ._losses import make_objective

__all__ = ["GradientAttack"]


class GradientAttack(BaseAttack):
    """Projected gradient ascent; subclasses differ in defaults and in ``_direction``.

    Class attributes stand in for the parameters that a subclass does not offer.
    """

    max_iter = 1
    n_restarts = 1
    random_start = False
    step_size = None

    def _relative_step(self, batch):
        """Length of a step as a share of the radius."""
        if self.step_size is None or batch.ball.radius == 0:
            return 2.5 / self.max_iter
        return self.step_size / batch.ball.radius

    def _direction(self, grad, memory):
        """Choose what to climb, from this step's gradient and the last step's memory."""
        return grad, memory

    def _run(self, batch):
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

    def _start(self, batch, rows, restart):
        x = batch.x[rows]
        if not (self.random_start or restart):
            return x.clone()
        return batch.box.clamp(x + batch.ball.start(batch.noise[rows], x, restart))

    def _climb(self, batch, result, objective, rows, restart):
        """Take ``max_iter`` steps with the samples ``rows``, recording what comes of each."""
        x, grad, memory = batch.x[rows], None, None
        x_adv = self._start(batch, rows, restart)
        step_length = self._relative_step(batch)
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
            grad, memory = self._direction(grad, memory)
            ahead = batch.ball.ahead(x_adv, grad, step_length, batch.box)
            x_adv = batch.confine(x_adv + ahead, x)
        if grad is not None:
            batch.note_slope(rows, grad)
        self._finish(batch, result, objective, rows, x_adv)

    def _finish(self, batch, result, objective, rows, x_adv):
        """Keep the last iterate; judge it by one more forward where that is asked for."""
        if not (batch.stop or batch.judge or self.n_restarts > 1):
            result.x_adv[rows] = x_adv
            return
        with torch.no_grad():
            x_adv, z, fooled = batch.last_look(x_adv, rows)
            result.record(rows, x_adv, objective(z, rows), fooled)
