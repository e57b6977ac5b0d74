"""What one batch of an attack is given, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch

__all__ = ["Box", "Outcome", "Task"]


class Box:
    """The range of the data: ``lower <= x <= upper``, or no limits at all."""

    def __init__(self, bounds, like):
        self.bounds = bounds
        if bounds is not None:
            self.lower, self.upper = (torch.as_tensor(side).to(like) for side in bounds)

    def clamp(self, x):
        """Nearest points inside the box."""
        return x if self.bounds is None else x.clamp(self.lower.to(x), self.upper.to(x))

    def room(self, x, grad):
        """How far each feature may move in the direction of ``grad``; None without a box."""
        if self.bounds is None:
            return None
        return torch.where(grad > 0, self.upper - x, x - self.lower)


@dataclass
class Task:
    """One batch to attack.

    Attributes
    ----------
    logits : callable
        (n, ...) -> (n, n_classes).
    x, y : tensors
        Clean samples and class codes (targets, when targeted).
    ball, box
        Where the perturbed samples may go.
    noise
        Source of random numbers; ``noise[rows]`` serves a part of the batch.
    stop : bool
        Whether samples leave as soon as they are fooled.
    checked : bool
        Whether it is known that no clean sample counts as fooled.
    judge : bool
        Whether the last iterate's success and loss must be known.
    observe : callable or None
        ``observe(step, rows, z, x_adv)`` on each gradient forward.
    """

    logits: Callable
    x: torch.Tensor
    y: torch.Tensor
    ball: object
    box: Box
    noise: object
    targeted: bool = False
    stop: bool = False
    checked: bool = False
    judge: bool = False
    observe: Callable | None = None
    _clean: torch.Tensor | None = field(default=None, repr=False)

    def clean(self):
        """Logits of the clean samples, computed once."""
        if self._clean is None:
            with torch.no_grad():
                self._clean = self.logits(self.x).detach()
        return self._clean

    def fooled(self, z, rows):
        """Whether the logits ``z`` of ``rows`` mean success, shape (n_rows,)."""
        hit = z.detach().argmax(1) == self.y[rows]
        return hit if self.targeted else ~hit

    def confine(self, x_adv, x):
        """Nearest points of ball and box, up to rounding."""
        return self.box.clamp(x + self.ball.project(x_adv - x))


@dataclass
class Outcome:
    """Result of an attack on one batch, one entry a sample."""

    x_adv: torch.Tensor
    fooled: torch.Tensor
    loss: torch.Tensor
    n_queries: torch.Tensor

    @classmethod
    def of(cls, task):
        """Outcome before the first step: the clean samples, nothing fooled."""
        n, device = len(task.x), task.x.device
        return cls(
            x_adv=task.x.clone(),
            fooled=torch.zeros(n, dtype=torch.bool, device=device),
            loss=torch.full((n,), -torch.inf, dtype=torch.float64, device=device),
            n_queries=torch.zeros(n, dtype=torch.int64, device=device),
        )

    def record(self, rows, x_adv, loss, fooled):
        """Keep the points that are better: success first, the larger loss next."""
        loss = loss.detach().double()
        better = (fooled & ~self.fooled[rows]) | (
            (fooled == self.fooled[rows]) & (loss >= self.loss[rows])
        )
        rows = rows[better]
        self.x_adv[rows] = x_adv.detach()[better]
        self.loss[rows] = loss[better]
        self.fooled[rows] = fooled[better]

    def update(self, rows, part):
        """Replace the entries of ``rows`` by those of a later attack; queries add up."""
        self.x_adv[rows] = part.x_adv
        self.fooled[rows] = part.fooled
        self.loss[rows] = part.loss
        self.n_queries[rows] += part.n_queries
        return self
