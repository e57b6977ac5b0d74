"""Search over categories: which of them to change, while an attack moves the numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from .. import _validation as check
from ._batch import AttackBatch
from ._losses import make_objective
from ._result import AttackResult

__all__ = ["search_flips"]

_ALL = 64  # so many ways to change the categories of a row are all attacked
_BEAM = 8  # else so many of each number of changes
_CHUNK = 4096


def search_flips(
    attack: Callable[[AttackBatch], AttackResult], batch: AttackBatch, result: AttackResult
) -> AttackResult:
    """Change categories of the rows that moving numbers alone does not fool.

    Parameters
    ----------
    attack : callable
        Moves the numbers of a batch, and judges.
    batch : AttackBatch
        Its ``flips`` say which categories may change.
    result : AttackResult
        What moving numbers alone found; updated.

    Returns
    -------
    result : AttackResult
        The same.

    Notes
    -----
    Each round changes one category more: all single changes of the rows kept so far are scored
    with the numbers moved as before, and the best are attacked. Where a row has few combinations,
    all are kept, so that nothing is missed but by the attack on numbers.
    """
    most = len(batch.flips) if batch.max_flips is None else min(batch.max_flips, len(batch.flips))
    n_ways = 1
    for _, codes in batch.flips:
        n_ways *= len(codes) + 1
    width = _ALL if n_ways <= _ALL else _BEAM
    rows = torch.nonzero(~result.fooled).flatten()
    beam = _Beam(batch, rows, result.x_adv[rows])
    for number in range(1, most + 1):
        if not len(beam.rows):
            break
        kept = beam.widen(number, width)
        for place in range(kept):
            _attack_one(attack, batch, result, beam, place, number)
        beam.leave(result.fooled[beam.rows])
    return result


def _attack_one(
    attack: Callable[[AttackBatch], AttackResult],
    batch: AttackBatch,
    result: AttackResult,
    beam: _Beam,
    place: int,
    number: int,
) -> None:
    """Attack the numbers of one state of each row, and keep what is better."""
    open_ = ~result.fooled[beam.rows] & beam.valid[:, place]
    rows = beam.rows[open_]
    if not len(rows):
        return
    part = batch.part(rows, (number << 8) + place, checked=False, flips=())
    part = replace(part, x=beam.states[open_, place], clean_logits=None)
    found = attack(part)
    batch.n_queries[rows] += found.n_queries
    result.record(rows, found.x_adv, found.loss, found.fooled)
    result.has_gradient[rows] = torch.maximum(result.has_gradient[rows], found.has_gradient)
    beam.points[open_, place] = found.x_adv


class _Beam:
    """States of the rows, (n_rows, width, n_columns): clean rows with other categories.

    Parameters
    ----------
    batch : AttackBatch
        What is attacked.
    rows : tensor
        Rows of the batch.
    points : tensor of shape (n_rows, n_columns)
        Where moving numbers alone has got to.
    """

    def __init__(self, batch: AttackBatch, rows: torch.Tensor, points: torch.Tensor) -> None:
        self.batch, self.rows = batch, rows
        self.states, self.points = batch.x[rows][:, None], points[:, None]
        self.alive = self.valid = torch.ones(len(rows), 1, dtype=torch.bool)
        self.places = torch.tensor([place for place, _ in batch.flips])
        pairs = [(place, float(code)) for place, codes in batch.flips for code in codes]
        self.single = pairs

    def leave(self, done: torch.Tensor) -> None:
        """Forget rows."""
        kept = ~done
        self.rows, self.alive, self.valid = self.rows[kept], self.alive[kept], self.valid[kept]
        self.states, self.points = self.states[kept], self.points[kept]

    def widen(self, number: int, width: int) -> int:
        """Keep the best states of ``number`` changes; return how many.

        States that violate a relation are not attacked, but their changes go on.
        """
        n, before, d = self.states.shape
        states = self.states.repeat_interleave(len(self.single), 1)
        points = self.points.repeat_interleave(len(self.single), 1)
        alive = self.alive.repeat_interleave(len(self.single), 1)
        for k, (place, code) in enumerate(self.single * before):
            states[:, k, place] = points[:, k, place] = code
        changed = (states != self.batch.x[self.rows][:, None])[..., self.places].sum(2)
        alive &= changed == number
        alive &= ~self._repeated(states, alive)
        valid = alive.clone()
        if self.batch.constraints is not None:
            good = self.batch.constraints.satisfied(states.reshape(-1, d).numpy())
            valid &= torch.as_tensor(good).reshape(n, -1)
        score = torch.where(alive & ~valid, -1e300, self._scores(states, points, valid))
        kept = min(width, states.shape[1])
        best = score.topk(kept, dim=1).indices
        self.alive, self.valid = alive.gather(1, best), valid.gather(1, best)
        index = best[..., None].expand(-1, -1, d)
        self.states, self.points = states.gather(1, index), points.gather(1, index)
        return kept

    def _repeated(self, states: torch.Tensor, alive: torch.Tensor) -> torch.Tensor:
        """Say which states of a row came before, (n_rows, n_states)."""
        weights = torch.arange(1.0, states.shape[2] + 1, dtype=states.dtype).sqrt()
        key = (states * weights)[..., self.places].sum(2)
        key = torch.where(alive, key, torch.inf)
        order = key.argsort(dim=1, stable=True)
        ordered = key.gather(1, order)
        same = torch.zeros_like(ordered, dtype=torch.bool)
        same[:, 1:] = ordered[:, 1:] == ordered[:, :-1]
        return torch.zeros_like(same).scatter(1, order, same)

    @torch.no_grad()
    def _scores(self, states: Any, points: Any, valid: Any) -> torch.Tensor:
        """Margin objective of every valid state, its numbers moved as before."""
        batch, score = self.batch, torch.full(valid.shape, -torch.inf, dtype=torch.float64)
        row, place = torch.nonzero(valid, as_tuple=True)
        for start in range(0, len(row), _CHUNK):
            r, p = row[start : start + _CHUNK], place[start : start + _CHUNK]
            part = batch.part(self.rows[r], checked=False, flips=())
            part = replace(part, x=states[r, p], clean_logits=None)
            z = check.logits_in("logits", part.logits(points[r, p]))
            objective = make_objective("margin", batch.targeted, part.y, part.clean)
            score[r, p] = objective(z, part.rows()).double().nan_to_num(-1e299)
            batch.n_queries.index_add_(0, self.rows[r], torch.ones_like(r))
        return score
