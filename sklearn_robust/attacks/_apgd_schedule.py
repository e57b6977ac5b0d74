"""How APGD chooses its steps, sample by sample, from the progress it sees.

A schedule works on a state: a dict of tensors with one entry per sample. It holds ``x``, ``x_adv``,
``last`` (the iterate before), ``reached`` (where loss and gradient were taken), ``loss``, ``grad``,
``fooled``, and of the best iterate ``best``, ``best_loss``, ``best_grad``, ``best_fooled``.
"""

from __future__ import annotations

from typing import TypeAlias

import torch

from .._norms import Norm, column
from ._batch import AttackBatch

__all__ = ["HalvingSchedule", "Schedule", "SparseSchedule", "keep_best"]

State: TypeAlias = dict[str, torch.Tensor]


class HalvingSchedule:
    """Step of twice the radius with momentum, halved where progress stalls (linf and l2).

    Parameters
    ----------
    n_iter : int
        Number of steps.
    """

    share_kept = 0.75  # of a step against the momentum
    share_of_gains = 0.75  # least share of steps that must gain

    def __init__(self, n_iter: int) -> None:
        self.checks, at, gap = [0], 22, 22  # in percent of the steps: 0.22, then 0.19 more, ...
        while at <= 100:
            self.checks.append(-(-at * n_iter // 100))
            gap = max(gap - 3, 6)
            at += gap

    def begin(self, state: State, ball: Norm) -> None:
        """Add to a fresh state what the schedule remembers."""
        like = state["loss"]
        state["step"] = torch.full_like(like, 2.0)
        state["gains"] = torch.zeros_like(like)
        state["loss_then"] = like.clone()
        state["halved"] = torch.ones_like(like, dtype=torch.bool)

    def propose(
        self, state: State, batch: AttackBatch, ball: Norm, x: torch.Tensor, step: int
    ) -> torch.Tensor:
        """Next iterates."""
        x_adv = state["x_adv"]
        step_taken = ball.ascent_step(x_adv, state["grad"], column(state["step"], x), batch.box)
        x_new = ball.confine(x_adv + step_taken - x, x, batch.box)
        if step == 1:
            return x_new
        blend = self.share_kept * (x_new - x_adv) + (1 - self.share_kept) * (x_adv - state["last"])
        return ball.confine(x_adv + blend - x, x, batch.box)

    def review(self, state: State, step: int, gained: torch.Tensor) -> None:
        """At a checkpoint, halve the steps that stalled and return to the best point."""
        state["gains"] += gained
        if step not in self.checks:
            return
        window = step - self.checks[self.checks.index(step) - 1]
        idle = state["gains"] <= self.share_of_gains * window
        idle |= ~state["halved"] & (state["best_loss"] <= state["loss_then"])
        state["halved"], state["gains"] = idle, torch.zeros_like(state["gains"])
        state["loss_then"] = state["best_loss"].clone()
        state["step"] = torch.where(idle, state["step"] / 2, state["step"])
        go_back(state, idle)


class SparseSchedule:
    """Steps along few coordinates; sparser and longer as the best point is sparse (l1).

    Parameters
    ----------
    n_iter : int
        Number of steps.
    """

    def __init__(self, n_iter: int) -> None:
        self.every = max(n_iter // 25, 1)

    def begin(self, state: State, ball: Norm) -> None:
        """Add to a fresh state what the schedule remembers."""
        like, n_features = state["loss"], state["x_adv"][0].numel()
        used = n_changed(state["x_adv"] - state["x"])
        state["step"] = torch.ones_like(like)
        state["share"] = torch.where(used > 0, used / (1.5 * n_features), 0.2).to(like)
        state["used"] = torch.full_like(like, n_features)

    def propose(
        self, state: State, batch: AttackBatch, ball: Norm, x: torch.Tensor, step: int
    ) -> torch.Tensor:
        """Next iterates."""
        gain = (ball.eps * state["grad"]).flatten(1)
        size, n_features = gain.abs(), gain.shape[1]
        rank = ((1 - state["share"]) * n_features).long().clamp(0, n_features - 1)
        # Rounding would keep two of two features for ever, where one is best.
        rank[state["share"] * n_features < 1.999] = n_features - 1
        least = size.sort(dim=1).values.gather(1, rank[:, None])
        signs = gain.sign() * (size >= least)
        ahead = signs * (state["step"][:, None] / signs.abs().sum(1, keepdim=True).clamp_min(1))
        ahead = ball.eps * ahead.reshape(x.shape)
        return ball.confine(state["x_adv"] + ahead - x, x, batch.box)

    def review(self, state: State, step: int, gained: torch.Tensor) -> None:
        """At a checkpoint, fit the sparsity to that of the best point."""
        if step % self.every:
            return
        used = n_changed(state["best"] - state["x"]).to(state["used"])
        sparser = used < 0.95 * state["used"]
        state["share"] = used / (1.5 * state["best"][0].numel())
        state["step"] = torch.where(sparser, 1.0, (state["step"] / 1.5).clamp_min(0.1))
        state["used"] = used
        go_back(state, sparser)


Schedule: TypeAlias = HalvingSchedule | SparseSchedule


def n_changed(d: torch.Tensor) -> torch.Tensor:
    """Count the features that each perturbation changes, shape (n,)."""
    return (d != 0).flatten(1).sum(1)


def keep_best(state: State) -> None:
    """Remember the iterate where it beats the best so far."""
    names = {"reached": "best", "grad": "best_grad", "loss": "best_loss", "fooled": "best_fooled"}
    for name, best in names.items():
        state.setdefault(best, state[name])
    better = state["loss"] > state["best_loss"]
    for name, best in names.items():
        state[best] = torch.where(column(better, state[name]), state[name], state[best])


def go_back(state: State, rows: torch.Tensor) -> None:
    """Continue the flagged samples from their best point."""
    where = column(rows, state["best"])
    state["x_adv"] = torch.where(where, state["best"], state["x_adv"])
    state["grad"] = torch.where(where, state["best_grad"], state["grad"])
