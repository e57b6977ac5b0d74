"""Result of an attack on one batch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from ._batch import AttackBatch, Objective

__all__ = ["AttackResult"]


@dataclass
class AttackResult:
    """Result of an attack on one batch, one entry per sample.

    Attributes
    ----------
    x_adv : tensor of shape (n, ...)
        Perturbed samples.
    fooled : bool tensor of shape (n,)
        Whether they are adversarial.
    loss : float64 tensor of shape (n,)
        Objective at ``x_adv``.
    n_queries, has_gradient : int tensors of shape (n,)
        As of :class:`AttackBatch`.
    """

    x_adv: torch.Tensor
    fooled: torch.Tensor
    loss: torch.Tensor
    n_queries: torch.Tensor
    has_gradient: torch.Tensor

    @classmethod
    def of(cls, batch: AttackBatch) -> AttackResult:
        """AttackResult before the first step: the clean samples, nothing fooled."""
        n, device = len(batch.x), batch.x.device
        return cls(
            x_adv=batch.x.clone(),
            fooled=torch.zeros(n, dtype=torch.bool, device=device),
            loss=torch.full((n,), -torch.inf, dtype=torch.float64, device=device),
            n_queries=batch.n_queries,
            has_gradient=batch.has_gradient,
        )

    @classmethod
    def after_clean(cls, batch: AttackBatch, objective: Objective) -> AttackResult:
        """Judge the clean samples where a verdict is asked for."""
        result = cls.of(batch)
        if batch.stop and not batch.checked:
            z, rows = batch.clean(), batch.rows()
            result.record(rows, batch.x, objective(z, rows), batch.fooled(z, rows))
        return result

    @classmethod
    def join(cls, parts: Iterable[AttackResult]) -> AttackResult:
        """AttackResult of all samples, from those of the batches."""
        names = [field.name for field in fields(cls)]
        columns = zip(*([getattr(part, name) for name in names] for part in parts), strict=True)
        return cls(*(torch.cat(column) for column in columns))

    def record(
        self, rows: torch.Tensor, x_adv: torch.Tensor, loss: torch.Tensor, fooled: torch.Tensor
    ) -> None:
        """Keep the points that are better: success first, the larger loss next."""
        loss = loss.detach().double()
        better = (fooled & ~self.fooled[rows]) | (
            (fooled == self.fooled[rows]) & (loss >= self.loss[rows])
        )
        rows = rows[better]
        self.x_adv[rows] = x_adv.detach()[better]
        self.loss[rows] = loss[better]
        self.fooled[rows] = fooled[better]

    def update(self, rows: torch.Tensor, part: AttackResult) -> AttackResult:
        """Replace the entries of ``rows`` by those of a later attack; queries add up.

        A row whose gradient was zero in one of them and not in the other has moved.
        """
        self.x_adv[rows] = part.x_adv
        self.fooled[rows] = part.fooled
        self.loss[rows] = part.loss
        self.n_queries[rows] += part.n_queries
        self.has_gradient[rows] = torch.maximum(self.has_gradient[rows], part.has_gradient)
        return self
