"""The core of every attack: tensors in, tensors out."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch

from .. import _validation as check
from .._norms import Bounds, Box
from .._norms._registry import NORMS
from .._random import RowNoise, seed_of
from .._tables import Table, constraints_of, flips_of
from .._threat_model import ThreatModel
from ..differentiable import DifferentiableModel
from ..differentiable._state import frozen_logits, records
from ._batch import AttackBatch
from ._flips import search_flips
from ._losses import check_loss
from ._parameters import check_numbers
from ._result import AttackResult

__all__ = ["TABLE_PARAMS", "TensorAttack"]

TABLE_PARAMS = ("increasing", "categorical", "max_flips", "relations")


class TensorAttack:
    """What an attack does with one batch: the exact ball, box and grid around ``run``.

    Class attributes stand in for the parameters that a subclass does not offer.
    """

    eps: Any
    norm: Any
    bounds: Any
    mask: Any = None
    integer: Any = None
    increasing: Any = None
    categorical: Any = None
    max_flips: int | None = None
    relations: Any = None
    targeted: bool = False
    loss: Any = "margin"
    max_iter: int = 1
    step_size: float | None = None
    n_restarts: int = 1
    random_start: bool = False
    on_nan: str = "raise"
    random_state: Any

    needs_gradient: bool = True
    supported_norms: ClassVar[tuple[str, ...] | None] = None

    # -- hooks ------------------------------------------------------------------------------

    def run(self, batch: AttackBatch) -> AttackResult:
        """Search for adversarial examples of one batch; written by subclasses.

        Parameters
        ----------
        batch : AttackBatch
            Samples ``batch.x`` and class codes ``batch.y``. The search asks the model by
            ``batch.forward(x_adv, rows)`` and stays in ball and box by
            ``batch.confine(x_adv, x)``.

        Returns
        -------
        result : AttackResult
            ``AttackResult.of(batch)``, in which ``record`` keeps what was found.
        """
        raise NotImplementedError(f"{type(self).__name__} must define run(batch).")

    def check_parameters(self) -> None:
        """Raise unless all parameters are valid; a subclass may add checks of its own."""
        first = vars(self).get("estimator")
        if isinstance(first, (int, float)):
            raise ValueError(
                f"estimator is {first!r}, a number: name the radius, "
                f"{type(self).__name__}(eps={first!r})."
            )
        norm = check.check_norm(self.norm)
        known = self.supported_norms
        if known is not None and norm not in known:
            raise ValueError(
                f"norm is {norm!r}, which {type(self).__name__} does not support: choose one of "
                f"{list(known)}, or another attack, such as PGD."
            )
        if np.ndim(self.eps) == 0 and not isinstance(self.eps, (dict, str)):
            self._check_radius(norm)
        check_loss(self.loss, self.targeted)
        self._check_settings()

    def _check_radius(self, norm: str) -> None:
        NORMS[norm].check_eps(check.check_eps(self.eps, norm, ()), None)

    def _check_settings(self) -> None:
        """Check the parameters that say how to search, not where."""
        check.check_choice("on_nan", self.on_nan, ("raise", "robust"))
        check_numbers(vars(self))

    @property
    def threat_model(self) -> ThreatModel:
        """How samples may move, by the attack's parameters."""
        return ThreatModel(
            self.eps,
            norm=self.norm,
            bounds=self.bounds,
            mask=self.mask,
            integer=self.integer,
            increasing=self.increasing,
            categorical=self.categorical,
            max_flips=self.max_flips,
            relations=self.relations,
        )

    @property
    def has_default_radius(self) -> bool:
        """Whether the radius is the one that stands for None, 8/255."""
        return self.eps is None

    # -- tensors ----------------------------------------------------------------------------

    def perturb(
        self,
        logits: Callable[[torch.Tensor], torch.Tensor],
        x: torch.Tensor,
        y: torch.Tensor,
        *,
        observe: Callable[..., Any] | None = None,
        noise: Any = None,
    ) -> torch.Tensor:
        """Perturb a batch of tensors with all ``max_iter`` steps.

        Parameters
        ----------
        logits : callable
            Maps (n, ...) to logits (n, n_classes). Of a torch module (or a bound method of one)
            a twin in eval mode is asked; the module itself is not touched.
        x : tensor of shape (n, ...)
            Clean samples.
        y : tensor of shape (n,), int64
            Class codes; the targets when ``targeted``.
        observe : callable, optional
            ``observe(step, rows, z, x_adv)`` is called on each forward that gives a gradient. A
            bool tensor that it returns tells PGD and its kin which of the rows stop there.
        noise : optional
            Source of random numbers; by default they follow from ``random_state`` and ``x``.

        Returns
        -------
        x_adv : tensor of shape (n, ...)
            Perturbed samples, detached.
        """
        return self._perturb(logits, x, y, observe=observe, noise=noise).x_adv

    def robust_mask(
        self, logits: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, y: torch.Tensor
    ) -> torch.Tensor:
        """Say which samples are classified correctly whatever the attack does to them.

        Parameters
        ----------
        logits : callable
            Maps (n, ...) to logits (n, n_classes).
        x : tensor of shape (n, ...)
            Clean samples.
        y : tensor of shape (n,), int64
            True class codes (targets, when ``targeted``).

        Returns
        -------
        robust : bool tensor of shape (n,)
            True where the attack fails; a clean error is never robust.
        """
        return ~self._perturb(logits, x, y, stop=True, on_nan=self.on_nan).fooled

    def verdict(
        self, logits: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, y: torch.Tensor
    ) -> torch.Tensor:
        """Old name of :meth:`robust_mask`.

        Parameters
        ----------
        logits, x, y
            As for :meth:`robust_mask`.

        Returns
        -------
        robust : bool tensor of shape (n,)
            As of :meth:`robust_mask`.
        """
        warnings.warn(
            "verdict is called robust_mask now, and the old name will go in version 0.3.",
            FutureWarning,
            stacklevel=2,
        )
        return self.robust_mask(logits, x, y)

    @records
    def _perturb(
        self,
        logits: Callable[[torch.Tensor], torch.Tensor],
        x: torch.Tensor,
        y: torch.Tensor,
        *,
        noise: Any = None,
        **flags: Any,
    ) -> AttackResult:
        self.check_parameters()
        self._refuse_columns()
        x = x.detach()
        if x.is_inference():
            x = x.clone()
        if y.is_inference():
            y = y.clone()
        box = Box(self._bounds_around(x), x)
        if noise is None:
            noise = RowNoise(seed_of(self.random_state), x)
        batch = AttackBatch(logits=frozen_logits(logits), x=x, y=y, box=box, noise=noise, **flags)
        return self._attack(batch)

    def _refuse_columns(self) -> None:
        """Raise if a parameter speaks of columns, which tensors do not have."""
        for name in TABLE_PARAMS:
            if vars(self).get(name) is not None:
                raise ValueError(
                    f"{name} is {check.shown(vars(self)[name])}, which speaks of the columns of a "
                    "table, and tensors have none: leave it out of attacks in training."
                )

    def _bounds_around(self, x: torch.Tensor) -> Bounds:
        """Box of a batch: that of ``fit``, if there was one; data that leave "auto" have none."""
        auto = isinstance(self.bounds, str)
        if auto and "bounds_" in vars(self):
            bounds = vars(self)["bounds_"]
        else:
            bounds = check.check_bounds(self.bounds, np.empty((0, *x.shape[1:]), np.float32))
        if Box(bounds, x).contains(x):
            return bounds
        return None if auto else check.check_bounds(self.bounds, x.cpu().numpy())

    def _attack(self, batch: AttackBatch) -> AttackResult:
        """AttackResult of one batch; categories are searched where they may change."""
        if batch.table is not None:
            batch = replace(batch, **self._for_table(batch.table))
        if not batch.flips:
            return self._attack_numbers(batch)
        batch = replace(batch, judge=True, targeted=self.targeted)
        return search_flips(self._attack_numbers, batch, self._attack_numbers(batch))

    def _for_table(self, table: Table) -> dict[str, Any]:
        """Constraints and categories of a batch of a table."""
        params = {name: vars(self).get(name) for name in TABLE_PARAMS}
        mask = np.ones(len(table.names), dtype=bool) if self.mask is None else self.mask
        moves = mask & (np.asarray(self.threat_model.eps) != 0)
        constraints = constraints_of(params, table, moves, self.integer)
        return {
            "constraints": constraints if constraints.active or table.rounds else None,
            "flips": flips_of(params, table),
            "max_flips": self.max_flips,
        }

    def _attack_numbers(self, batch: AttackBatch) -> AttackResult:
        """AttackResult of one batch; what the estimator denies is searched again."""
        result = self._search(batch)
        agreed = batch.confirmed(result)
        denied = torch.nonzero(result.fooled & ~agreed).flatten()
        if len(denied):  # rounding flipped a near tie: search on to the last step
            part = batch.part(denied, stop=False, judge=True, strict=True)
            logits = batch.logits
            exact = logits.exact if isinstance(logits, DifferentiableModel) else logits
            part = replace(part, logits=exact, clean_logits=None)
            again = self._search(part)
            again.fooled = part.confirmed(again)
            result.update(denied, again)
        if batch.on_nan != "ignore":
            result.fooled |= batch.missed(result)
        return result

    def _search(self, batch: AttackBatch) -> AttackResult:
        """Run the attack in the exact geometry that its parameters ask for."""
        threat = self.threat_model.with_shape(batch.x.shape[1:], batch.box.bounds)
        ball, integer = threat.ball(batch.x), self._integers(batch, threat)
        batch = replace(
            batch, ball=ball.to(batch.x), exact_ball=ball, integer=integer, targeted=self.targeted
        )
        with torch.enable_grad():
            result = self.run(batch)
        return self._land(batch, result)

    def _integers(self, batch: AttackBatch, threat: ThreatModel) -> torch.Tensor | None:
        """Which features stay on the grid of integers, where all samples must begin."""
        if threat.integer is None:
            return None
        check.check_on_grid(batch.x.cpu().numpy(), threat.integer, batch.index.cpu().numpy())
        return torch.as_tensor(threat.integer, device=batch.x.device)

    def _land(self, batch: AttackBatch, result: AttackResult) -> AttackResult:
        """Put the points exactly into ball, box and grid; on a grid success is judged again."""
        inside = batch.exact_ball.project_exact(result.x_adv, batch.x, batch.box)
        rows = batch.rows()
        if batch.integer is not None:
            rounded = batch.round_to_grid(result.x_adv, rows)
            outside = batch.exact_ball.size(rounded.double() - batch.x.double()) > 1 + 1e-9
            rounded[outside] = batch.x[outside] + (inside - batch.x)[outside].trunc()
            inside = torch.where(batch.integer, rounded, inside)
        if batch.constraints is not None:
            inside = batch.repaired(inside, rows)
        result.x_adv = inside
        if batch.integer is None and batch.constraints is None:
            return result
        if batch.stop or batch.judge:
            with torch.no_grad():
                result.fooled &= batch.fooled(batch.forward(result.x_adv, rows), rows)
        return result
