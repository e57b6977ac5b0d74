"""Batch that an attack works on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from .. import _validation as check
from .._norms import Box, Noise, Norm, round_to_grid
from .._tables import Constraints, Table
from ._result import AttackResult

__all__ = ["AttackBatch", "Objective"]


Objective: TypeAlias = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
_LATER: Any = None  # filled in before an attack runs


@dataclass
class AttackBatch:
    """One batch to attack.

    Attributes
    ----------
    logits : callable
        (n, ...) -> (n, n_classes).
    x, y : tensors
        Clean samples and class codes (targets, when targeted).
    box : Box
        Range of the data.
    noise : RowNoise or StreamNoise
        Source of random numbers; ``noise[rows]`` serves a part of the batch.
    ball : Norm
        Ball of perturbations in the dtype of ``x``; each attack brings its own.
    exact_ball : Norm
        The same in float64.
    index : tensor
        Numbers of the samples, as the user counts them.
    integer : bool tensor or None
        Features that stay on the grid of integers.
    table : Table or None
        What the columns of rows are.
    constraints : Constraints or None
        What else a row of a table must meet.
    flips : list of (int, array)
        Columns of categories, and the codes that each may take.
    max_flips : int or None
        How many of them may change in one row.
    targeted : bool
        Whether ``y`` holds the classes to reach.
    stop : bool
        Whether samples leave as soon as they are fooled.
    checked : bool
        Whether it is known that no clean sample counts as fooled.
    judge : bool
        Whether the last iterate's success and loss must be known.
    strict : bool
        Whether ``confirm`` judges each nearest point as it is found.
    on_nan : {"raise", "robust", "ignore"}
        What NaN logits mean.
    observe : callable or None
        ``observe(step, rows, z, x_adv)`` on each gradient forward. A bool tensor that it returns
        says which of ``rows`` stay where they are from now on.
    confirm : callable or None
        ``confirm(x_adv, y) -> bool tensor``: whether the estimator itself agrees.
    native : callable or None
        (n, ...) -> (n, n_classes), the logits that the estimator's own prediction is made of.
    n_queries : int tensor of shape (n,)
        Forward passes so far.
    confirmed_natively : bool tensor of shape (n,)
        Samples whose success ``native`` found: no need to confirm it.
    has_gradient : int tensor of shape (n,)
        -1 where every run ended on a gradient of exactly zero, 1 where one did not, 0 unknown.
    clean_logits : tensor of shape (n, n_classes) or None
        Logits of the clean samples, once they are known.
    """

    logits: Callable[[torch.Tensor], torch.Tensor]
    x: torch.Tensor
    y: torch.Tensor
    box: Box
    noise: Noise
    ball: Norm = _LATER
    exact_ball: Norm = _LATER
    index: torch.Tensor = _LATER
    integer: torch.Tensor | None = None
    table: Table | None = None
    constraints: Constraints | None = None
    flips: Sequence[tuple[int, NDArray[np.float64]]] = ()
    max_flips: int | None = None
    targeted: bool = False
    stop: bool = False
    checked: bool = False
    judge: bool = False
    strict: bool = False
    on_nan: str = "ignore"
    observe: Callable[..., Any] | None = None
    confirm: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] | None = None
    native: Callable[[torch.Tensor], torch.Tensor] | None = None
    n_queries: torch.Tensor = _LATER
    confirmed_natively: torch.Tensor = _LATER
    has_gradient: torch.Tensor = _LATER
    clean_logits: torch.Tensor | None = None

    def __post_init__(self) -> None:
        rows = self.rows()
        if self.index is None:
            self.index = rows
        if self.n_queries is None:
            self.n_queries = torch.zeros_like(rows)
        if self.confirmed_natively is None:
            self.confirmed_natively = torch.zeros_like(rows, dtype=torch.bool)
        if self.has_gradient is None:
            self.has_gradient = torch.zeros_like(rows)

    def result(self) -> AttackResult:
        """AttackResult before the first step."""
        return AttackResult.of(self)

    def rows(self) -> torch.Tensor:
        """Positions of all samples of the batch."""
        return torch.arange(len(self.x), device=self.x.device)

    def part(self, rows: torch.Tensor, number: int | None = None, **changes: Any) -> AttackBatch:
        """AttackBatch of some rows; a ``number`` gives it random numbers of its own."""
        noise = self.noise[rows]
        return replace(
            self,
            x=self.x[rows],
            y=self.y[rows],
            noise=noise if number is None else noise.spawn(number),
            index=self.index[rows],
            clean_logits=None if self.clean_logits is None else self.clean_logits[rows],
            n_queries=_LATER,
            confirmed_natively=_LATER,
            has_gradient=_LATER,
            **changes,
        )

    def forward(
        self,
        x_adv: torch.Tensor,
        rows: torch.Tensor,
        logits: Callable[[torch.Tensor], torch.Tensor] | None = None,
    ) -> torch.Tensor:
        """Logits of the perturbed samples ``rows``; every query of the model goes through here."""
        self.n_queries[rows] += 1
        if self.integer is not None or self.constraints is not None:
            x_adv = self.round_to_grid(x_adv, rows)
        logits = logits or self.logits
        z = check.logits_in("logits", logits(x_adv))
        if self.on_nan == "ignore" or not z.isnan().any():
            return z
        broken = z.isnan().any(1)
        if self.on_nan == "raise":
            raise ValueError(
                f"The model's logits are NaN for sample {int(self.index[rows][broken][0])} or a "
                "point near it: fix the model or leave the sample out, or type on_nan='robust' to "
                "count such points as unsuccessful attacks."
            )
        # Constant logits that are no success; NaN must not reach the gradient of the others.
        calm = (self.y[rows] + self.targeted) % z.shape[1]
        z = torch.nn.functional.one_hot(calm, z.shape[1]).to(z)
        if not broken.all():
            z[~broken] = check.logits_in("logits", logits(x_adv[~broken]))
        return z + 0 * x_adv.flatten(1).sum(1, keepdim=True)

    def round_to_grid(self, x_adv: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Round to what a row may be, toward the clean one; the gradient passes through."""
        if self.integer is not None:
            x_adv = round_to_grid(x_adv, self.x[rows], self.integer)
        if self.constraints is None or not self.constraints.active or self.exact_ball is None:
            return x_adv
        latent = x_adv.detach()
        return latent + (self.repaired(latent, rows) - latent) + (x_adv - latent)

    def repaired(self, x_adv: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Rows of a table near ``x_adv`` that meet its constraints; float64, without a gradient."""
        assert self.constraints is not None
        ball, box = self.exact_ball, self.box

        def inside(moved: NDArray[np.float64], clean: NDArray[np.float64]) -> NDArray[np.bool_]:
            x, x_clean = torch.as_tensor(moved), torch.as_tensor(clean)
            within = ball.size(x - x_clean) <= 1 + 1e-9
            return (within & (box.clamp(x) == x).flatten(1).all(1)).numpy()

        moved, clean = x_adv.cpu().numpy(), self.x[rows].cpu().numpy()
        return torch.as_tensor(self.constraints.repair(moved, clean, inside)).to(x_adv)

    def clean(self) -> torch.Tensor:
        """Logits of the clean samples, computed once."""
        if self.clean_logits is None:
            with torch.no_grad():
                self.clean_logits = self.forward(self.x, self.rows()).detach()
        return self.clean_logits

    def fooled(self, z: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Whether the logits ``z`` of ``rows`` mean success, shape (n_rows,)."""
        hit = z.detach().argmax(1) == self.y[rows]
        return hit if self.targeted else ~hit

    def agreed(self, hit: torch.Tensor, x_adv: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Which successes of ``rows`` the estimator confirms, where it judges every point."""
        if not self.strict or self.confirm is None or not bool(hit.any()):
            return hit
        agreed = hit.clone()
        agreed[hit] = self.confirm(x_adv[hit], self.y[rows[hit]])
        return agreed

    def judge_last(
        self, x_adv: torch.Tensor, rows: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Points, logits and success of samples that are not looked at again."""
        if self.native is None or self.integer is not None or self.constraints is not None:
            z = self.forward(x_adv, rows)
            return x_adv, z, self.fooled(z, rows)
        x_adv = self.exact_ball.project_exact(x_adv, self.x[rows], self.box)
        z = self.forward(x_adv, rows, self.native)
        fooled = self.confirmed_natively[rows] = self.fooled(z, rows)
        return x_adv, z, fooled

    def leaving(
        self, step: int, rows: torch.Tensor, z: torch.Tensor, x_adv: torch.Tensor
    ) -> torch.Tensor | None:
        """Which of ``rows`` take no further step, bool tensor (n_rows,); None if all do."""
        told = None
        if self.observe is not None:
            told = self.observe(step, rows, z.detach(), x_adv.detach())
        return self.fooled(z, rows) if self.stop else told

    def note_gradient(self, rows: torch.Tensor, grad: torch.Tensor) -> None:
        """Remember which of ``rows`` the last gradient of a run leaves where they are."""
        moves = grad.flatten(1).any(1) | (self.has_gradient[rows] > 0)
        self.has_gradient[rows] = torch.where(moves, 1, -1)

    def confirmed(self, result: AttackResult) -> torch.Tensor:
        """Which successes the estimator itself confirms, bool tensor of shape (n,)."""
        confirmed = result.fooled.clone()
        open_ = confirmed & ~self.confirmed_natively
        if self.confirm is not None and bool(open_.any()):
            confirmed[open_] = self.confirm(result.x_adv[open_], self.y[open_])
        return confirmed

    def missed(self, result: AttackResult) -> torch.Tensor:
        """Which points fool the estimator though its scores deny it, bool tensor of shape (n,).

        Thresholds and votes of pairs predict other than by the largest score.
        """
        missed = torch.zeros_like(result.fooled)
        if self.confirm is not None and self.native is None and not bool(result.fooled.all()):
            open_ = ~result.fooled
            if self.on_nan == "robust":  # of those nothing need be asked
                rows = self.rows()[open_]
                z = self.logits(self.round_to_grid(result.x_adv[rows], rows))
                open_[rows[z.isnan().any(1)]] = False
            if bool(open_.any()):
                missed[open_] = self.confirm(result.x_adv[open_], self.y[open_])
        return missed

    def confine(self, x_adv: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Points of ball and box near ``x_adv``, up to rounding."""
        return self.ball.confine(x_adv - x, x, self.box)
