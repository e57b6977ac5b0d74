"""One loop for all attacks that climb the gradient of a loss inside a ball."""

import torch

from .._functional import ascent_gradient
from ._base import BaseAttack
from ._losses import make_objective
from ._task import Outcome

__all__ = ["GradientAttack"]


class GradientAttack(BaseAttack):
    """Projected gradient ascent; subclasses differ in defaults and in ``_direction``.

    Class attributes stand in for the parameters that a subclass does not offer.
    """

    max_iter = 1
    n_restarts = 1
    random_start = False
    step_size = None

    def _relative_step(self, task):
        """Length of a step as a share of the radius."""
        if self.step_size is None or task.ball.radius == 0:
            return 2.5 / self.max_iter
        return self.step_size / task.ball.radius

    def _direction(self, grad, memory):
        """Choose what to climb, from this step's gradient and the last step's memory."""
        return grad, memory

    def _run(self, task):
        objective = make_objective(self.loss, task.targeted, task.y, task.clean)
        # Without a random start the first forward sees the clean samples anyway.
        seen = not self.random_start
        outcome = Outcome.of(task) if seen else Outcome.after_clean(task, objective)
        for restart in range(self.n_restarts):
            rows = task.rows()
            if task.stop:
                rows = rows[~outcome.fooled]
            if len(rows):
                self._climb(task, outcome, objective, rows, restart)
        return outcome

    def _start(self, task, rows, restart):
        x = task.x[rows]
        if not (self.random_start or restart):
            return x.clone()
        return task.box.clamp(x + task.ball.start(task.noise[rows], x, restart))

    def _climb(self, task, outcome, objective, rows, restart):
        """Take ``max_iter`` steps with the samples ``rows``, recording what comes of each."""
        x, grad, memory = task.x[rows], None, None
        x_adv = self._start(task, rows, restart)
        step_length = self._relative_step(task)
        for step in range(self.max_iter):
            x_adv.requires_grad_(True)
            z = task.forward(x_adv, rows)
            values = objective(z, rows)
            done = task.leaving(step, rows, z, x_adv)
            if done is not None and bool(done.all()):
                outcome.record(rows, x_adv, values, done)
                return
            grad = ascent_gradient(values, x_adv)
            x_adv, grad = x_adv.detach(), grad.detach()
            if done is not None and bool(done.any()):
                outcome.record(rows[done], x_adv[done], values[done], done[done])
                left = ~done
                rows, x, x_adv, grad = rows[left], x[left], x_adv[left], grad[left]
                memory = None if memory is None else memory[left]
            grad, memory = self._direction(grad, memory)
            ahead = task.ball.ahead(x_adv, grad, step_length, task.box)
            x_adv = task.confine(x_adv + ahead, x)
        if grad is not None:
            task.note_slope(rows, grad)
        self._finish(task, outcome, objective, rows, x_adv)

    def _finish(self, task, outcome, objective, rows, x_adv):
        """Keep the last iterate; judge it by one more forward where that is asked for."""
        if not (task.stop or task.judge or self.n_restarts > 1):
            outcome.x_adv[rows] = x_adv
            return
        with torch.no_grad():
            x_adv, z, fooled = task.last_look(x_adv, rows)
            outcome.record(rows, x_adv, objective(z, rows), fooled)
