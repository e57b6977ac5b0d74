"""What one batch of an attack is given, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import torch

from .. import _validation as check

__all__ = ["Box", "AttackResult", "AttackBatch"]


class Box:
    """The range of the data: ``lower <= x <= upper``, or no limits at all."""

    def __init__(self, bounds, like):
        self.bounds = bounds
        if bounds is not None:
            self.lower, self.upper = (torch.as_tensor(side).to(like) for side in bounds)

    def clamp(self, x):
        """Nearest points inside the box."""
        return x if self.bounds is None else x.clamp(self.lower.to(x), self.upper.to(x))

    def holds(self, x):
        """Whether all samples lie inside."""
        inside = (x >= self.lower.to(x)) & (x <= self.upper.to(x))
        return bool(inside.all())

    def room(self, x, grad):
        """How far each feature may move in the direction of ``grad``; None without a box."""
        if self.bounds is None:
            return None
        return torch.where(grad > 0, self.upper - x, x - self.lower).clamp_min(0)


@dataclass
class AttackBatch:
    """One batch to attack.

    Attributes
    ----------
    logits : callable
        (n, ...) -> (n, n_classes).
    x, y : tensors
        Clean samples and class codes (targets, when targeted).
    ball, box
        Where the perturbed samples may go; each attack brings its own ball.
    noise
        Source of random numbers; ``noise[rows]`` serves a part of the batch.
    index : tensor
        Numbers of the samples, as the user counts them.
    integer : bool tensor or None
        Features that stay on the grid of integers.
    stop : bool
        Whether samples leave as soon as they are fooled.
    checked : bool
        Whether it is known that no clean sample counts as fooled.
    judge : bool
        Whether the last iterate's success and loss must be known.
    on_nan : {"raise", "robust", "ignore"}
        What NaN logits mean.
    observe : callable or None
        ``observe(step, rows, z, x_adv)`` on each gradient forward. A bool tensor that it returns
        says which of ``rows`` stay where they are from now on.
    confirm : callable or None
        ``confirm(x_adv, y) -> bool tensor``: whether the estimator itself agrees.
    own : callable or None
        (n, ...) -> (n, n_classes), the logits that the estimator's own prediction is made of.
    seal : callable or None
        ``seal(x_adv, x, box)``: the points exactly in ball and box.
    n_queries : int tensor of shape (n,)
        Forward passes so far.
    sure : bool tensor of shape (n,)
        Samples whose success ``own`` found: no need to confirm it.
    slope : int tensor of shape (n,)
        -1 where every run ended on a gradient of exactly zero, 1 where one did not, 0 unknown.
    """

    logits: Callable
    x: torch.Tensor
    y: torch.Tensor
    box: Box
    noise: Any
    ball: Any = None
    index: Any = None
    integer: torch.Tensor | None = None
    targeted: bool = False
    stop: bool = False
    checked: bool = False
    judge: bool = False
    on_nan: str = "ignore"
    observe: Callable | None = None
    confirm: Callable | None = None
    own: Callable | None = None
    seal: Callable | None = None
    n_queries: Any = None
    sure: Any = None
    slope: Any = None
    known: torch.Tensor | None = None

    def __post_init__(self):
        if self.index is None:
            self.index = self.rows()
        if self.n_queries is None:
            self.n_queries = torch.zeros_like(self.rows())
        if self.sure is None:
            self.sure = torch.zeros_like(self.rows(), dtype=torch.bool)
        if self.slope is None:
            self.slope = torch.zeros_like(self.rows())

    def rows(self):
        """Positions of all samples of the batch."""
        return torch.arange(len(self.x), device=self.x.device)

    def part(self, rows, number=None, **changes):
        """AttackBatch of some rows; a ``number`` gives it random numbers of its own."""
        noise = self.noise[rows]
        return replace(
            self,
            x=self.x[rows],
            y=self.y[rows],
            noise=noise if number is None else noise.spawn(number),
            index=self.index[rows],
            known=None if self.known is None else self.known[rows],
            n_queries=None,
            sure=None,
            slope=None,
            **changes,
        )

    def forward(self, x_adv, rows, logits=None):
        """Logits of the perturbed samples ``rows``; every query of the model goes through here."""
        self.n_queries[rows] += 1
        x_adv = self.snap(x_adv, rows)
        logits = logits or self.logits
        z = check.logits_in("logits", logits(x_adv))
        if self.on_nan == "ignore" or not z.isnan().any():
            return z
        broken = z.isnan().any(1)
        if self.on_nan == "raise":
            raise ValueError(
                f"The model's logits are NaN for sample {int(self.index[rows][broken][0])} or a "
                "point near it: mend the model or leave the sample out, or type "
                "on_nan='robust' to count such points as withstood."
            )
        # Constant logits that are no success; NaN must not reach the gradient of the others.
        calm = (self.y[rows] + self.targeted) % z.shape[1]
        z = torch.nn.functional.one_hot(calm, z.shape[1]).to(z)
        if not broken.all():
            z[~broken] = check.logits_in("logits", logits(x_adv[~broken]))
        return z + 0 * x_adv.flatten(1).sum(1, keepdim=True)

    def snap(self, x_adv, rows):
        """Round integer features toward the clean sample; the gradient passes straight through."""
        if self.integer is None:
            return x_adv
        x, latent = self.x[rows], x_adv.detach()
        steps = ((latent - x) * (1 + 1e-5)).trunc()  # 2.999999 steps are 3
        return torch.where(self.integer, x + steps + (x_adv - latent), x_adv)

    def clean(self):
        """Logits of the clean samples, computed once."""
        if self.known is None:
            with torch.no_grad():
                self.known = self.forward(self.x, self.rows()).detach()
        return self.known

    def fooled(self, z, rows):
        """Whether the logits ``z`` of ``rows`` mean success, shape (n_rows,)."""
        hit = z.detach().argmax(1) == self.y[rows]
        return hit if self.targeted else ~hit

    def last_look(self, x_adv, rows):
        """Points, logits and success of samples that are not looked at again."""
        if self.own is None or self.integer is not None:
            z = self.forward(x_adv, rows)
            return x_adv, z, self.fooled(z, rows)
        x_adv = self.seal(x_adv, self.x[rows], self.box)
        z = self.forward(x_adv, rows, self.own)
        fooled = self.sure[rows] = self.fooled(z, rows)
        return x_adv, z, fooled

    def leaving(self, step, rows, z, x_adv):
        """Which of ``rows`` take no further step, bool tensor (n_rows,); None if all do."""
        told = None
        if self.observe is not None:
            told = self.observe(step, rows, z.detach(), x_adv.detach())
        return self.fooled(z, rows) if self.stop else told

    def note_slope(self, rows, grad):
        """Remember which of ``rows`` the last gradient of a run leaves where they are."""
        moves = grad.flatten(1).any(1) | (self.slope[rows] > 0)
        self.slope[rows] = torch.where(moves, 1, -1)

    def confirmed(self, result):
        """Which successes the estimator itself confirms, bool tensor of shape (n,)."""
        confirmed = result.fooled.clone()
        open_ = confirmed & ~self.sure
        if self.confirm is not None and bool(open_.any()):
            confirmed[open_] = self.confirm(result.x_adv[open_], self.y[open_])
        return confirmed

    def missed(self, result):
        """Which points fool the estimator though its scores deny it, bool tensor of shape (n,).

        Thresholds and votes of pairs predict other than by the largest score.
        """
        missed = torch.zeros_like(result.fooled)
        if self.confirm is not None and self.own is None and not bool(result.fooled.all()):
            open_ = ~result.fooled
            if self.on_nan == "robust":  # of those nothing need be asked
                rows = self.rows()[open_]
                z = self.logits(self.snap(result.x_adv[rows], rows))
                open_[rows[z.isnan().any(1)]] = False
            missed[open_] = self.confirm(result.x_adv[open_], self.y[open_])
        return missed

    def confine(self, x_adv, x):
        """Points of ball and box near ``x_adv``, up to rounding."""
        return self.ball.confine(x_adv - x, x, self.box)


@dataclass
class AttackResult:
    """Result of an attack on one batch, one entry a sample."""

    x_adv: torch.Tensor
    fooled: torch.Tensor
    loss: torch.Tensor
    n_queries: torch.Tensor
    slope: torch.Tensor  # as in AttackBatch

    @classmethod
    def of(cls, batch):
        """AttackResult before the first step: the clean samples, nothing fooled."""
        n, device = len(batch.x), batch.x.device
        return cls(
            x_adv=batch.x.clone(),
            fooled=torch.zeros(n, dtype=torch.bool, device=device),
            loss=torch.full((n,), -torch.inf, dtype=torch.float64, device=device),
            n_queries=batch.n_queries,
            slope=batch.slope,
        )

    @classmethod
    def after_clean(cls, batch, objective):
        """Judge the clean samples where a verdict is asked for."""
        result = cls.of(batch)
        if batch.stop and not batch.checked:
            z, rows = batch.clean(), batch.rows()
            result.record(rows, batch.x, objective(z, rows), batch.fooled(z, rows))
        return result

    @classmethod
    def join(cls, parts):
        """AttackResult of all samples, from those of the batches."""
        names = [field.name for field in fields(cls)]
        columns = zip(*([getattr(part, name) for name in names] for part in parts), strict=True)
        return cls(*(torch.cat(column) for column in columns))

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
        """Replace the entries of ``rows`` by those of a later attack; queries add up.

        A row whose gradient was zero in one of them and not in the other has moved.
        """
        self.x_adv[rows] = part.x_adv
        self.fooled[rows] = part.fooled
        self.loss[rows] = part.loss
        self.n_queries[rows] += part.n_queries
        self.slope[rows] = torch.maximum(self.slope[rows], part.slope)
        return self
