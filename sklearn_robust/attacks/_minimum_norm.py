"""Attacks that look for the nearest adversarial example: their base and their search state."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch

from .. import _validation as check
from .._functional import ascent_gradient, competing_classes
from .._norms import column, keep_largest
from .._tables import Table
from .._threat_model import ThreatModel
from ..differentiable import Model
from ._base import BaseAttack
from ._batch import AttackBatch
from ._losses import make_objective
from ._parameters import attack_class
from ._result import AttackResult

__all__ = ["MinimumNormSearch", "MinimumNormAttack", "check_nearest"]

_SLACK_FACTOR = 1.5  # points up to so many limits away are worth pulling back
_BEYOND = 1.0005  # how far beyond a plane points go
_NO_WAY = 1e20  # gap of logits that only a class which is switched off explains


def check_nearest(attack: Any, norm: str | None = None) -> MinimumNormAttack:
    """Return an attack if it looks for the nearest adversarial example, in ``norm`` if given."""
    nearest = isinstance(check.check_attack(attack), MinimumNormAttack)
    if not nearest or norm not in (None, check.check_norm(attack.norm)):
        wanted = f"norm={norm!r}" if norm else ""
        raise ValueError(
            f"attack is {attack!r}, and a distance to the boundary is wanted: give "
            f"MinimumNorm({wanted}), or one attack such as FAB({wanted})."
        )
    return attack


@attack_class
class MinimumNormAttack(BaseAttack):
    """Base of attacks that minimise the distance; ``eps`` only limits what counts as success.

    A subclass writes ``find_nearest(batch, search)``, which moves samples and shows them to
    ``search``.

    Parameters
    ----------
    %(estimator)s
    %(largest_distance)s
    %(norm)s
    %(constraints)s
    %(settings)s
    """

    supported_norms: ClassVar[tuple[str, ...] | None] = ("linf", "l2", "l1")

    @property
    def has_default_radius(self) -> bool:
        """Whether the radius is a default; here None means no limit."""
        return False

    @property
    def threat_model(self) -> ThreatModel:
        """How samples may move: without a limit unless there is an eps."""
        threat = super().threat_model
        threat.eps = math.inf if self.eps is None else self.eps
        return threat

    def _on_table(self, table: Table) -> dict[str, Any]:
        if self.categorical is not None and self.eps is None:
            raise ValueError(
                f"{type(self).__name__} looks for the nearest point, and a change of category has "
                "no distance: give it an eps, or use PGD with categorical."
            )
        return super()._on_table(table)

    def _check_radius(self, norm: str) -> None:
        if self.eps is not None:
            super()._check_radius(norm)

    def _generating(self, model: Model) -> dict[str, Any]:
        return {"confirm": self._confirm(model)}

    def find_nearest(self, batch: AttackBatch, search: MinimumNormSearch) -> None:
        """Move samples and show each point to the search; written by subclasses.

        Parameters
        ----------
        batch : AttackBatch
            What is attacked.
        search : MinimumNormSearch
            Its ``note(rows, x_adv, z)`` keeps the nearest adversarial examples.
        """
        raise NotImplementedError(f"{type(self).__name__} must define find_nearest.")

    def run(self, batch: AttackBatch) -> AttackResult:
        """Search for the nearest adversarial examples.

        Parameters
        ----------
        batch : AttackBatch
            What is attacked.

        Returns
        -------
        result : AttackResult
            The nearest point of each sample; clean samples where none was found.
        """
        search = MinimumNormSearch(batch)
        self.find_nearest(batch, search)
        return search.close()


class MinimumNormSearch:
    """The nearest adversarial examples so far, and the geometry they are measured in.

    Attributes
    ----------
    result : AttackResult
        Its loss is minus the distance; samples without an adversarial example stay clean.
    ball : Norm
        Its ``size`` is the distance in the units of the input.
    limit : float
        Greatest distance that counts as success.
    any_success : bool
        Whether any point within the limit will do.
    kept_up_to : float
        Greatest distance of points that are kept, to be pulled within the limit by the end.
    guess : float64 tensor of shape (n,)
        Distances to the boundary as linearised models told them; the least so far.
    """

    def __init__(self, batch: AttackBatch) -> None:
        self.batch = batch
        self.result = AttackResult.of(batch)
        self.ball = batch.ball.unit()
        self.limit = batch.ball.radius
        self.any_success = batch.stop and math.isfinite(self.limit)
        self.kept_up_to = _SLACK_FACTOR * self.limit if self.any_success else self.limit
        self.guess = torch.full_like(self.result.loss, torch.inf)
        self.crossing = make_objective("margin", batch.targeted, batch.y, batch.clean)
        self.n_seen = 0

    def note(self, rows: torch.Tensor, x_adv: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        """Keep the points that are adversarial and nearer; say which are adversarial."""
        point = self.batch.round_to_grid(x_adv.detach(), rows)
        length = self.ball.size(point - self.batch.x[rows])
        hit = self.batch.agreed(self.batch.fooled(z, rows), point, rows)
        if z.requires_grad and self.batch.observe is not None:
            self.batch.observe(self.n_seen, rows, z.detach(), point)
            self.n_seen += 1
        near = hit & (length <= self.kept_up_to)
        self.result.record(rows[near], point[near], -length[near], hit[near])
        return hit

    def unfinished(self, rows: torch.Tensor) -> torch.Tensor:
        """Which of the rows may still gain: no clean errors, no success that is good enough."""
        going = self.result.loss[rows] < 0
        done = self.result.fooled[rows] & (-self.result.loss[rows] <= self.limit)
        return going & ~done if self.any_success else going

    def close(self) -> AttackResult:
        """AttackResult without the points that stayed beyond the limit."""
        lost = self.result.fooled & (-self.result.loss > self.limit)
        self.result.x_adv[lost] = self.batch.x[lost]
        self.result.loss[lost] = -torch.inf
        self.result.fooled[lost] = False
        return self.result

    def gaps(
        self, z: torch.Tensor, rows: torch.Tensor, others: torch.Tensor | None
    ) -> torch.Tensor:
        """How far each boundary is crossed, in logits, (n_rows, n_boundaries).

        ``others`` holds the classes (n, k) whose boundary with class ``y`` counts; None stands
        for the boundary of the target's class.
        """
        if others is None:
            return self.crossing(z, rows)[:, None]
        return z.gather(1, others[rows]) - z.gather(1, self.batch.y[rows][:, None])

    def nearest(self, gaps: torch.Tensor, x_adv: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Gap (n,) and gradient of the boundary that is nearest when all are taken as planes."""
        n_planes = gaps.shape[1]
        gap = grad = distance = gaps[:, 0].detach()  # replaced in the first round
        for k in range(n_planes):
            g = ascent_gradient(gaps[:, k], x_adv, retain_graph=k + 1 < n_planes)
            value = gaps[:, k].detach().to(g)
            far = self._distance_to_plane(value, g, x_adv.detach())
            if k == 0:
                gap, grad, distance = value, g, far
                continue
            nearer = far < distance
            distance = torch.where(nearer, far, distance)
            gap = torch.where(nearer, value, gap)
            grad = torch.where(column(nearer, g), g, grad)
        known = gap.abs() < _NO_WAY  # else there is no step to a class that is masked out
        return torch.where(known, gap, 0), torch.where(column(known, grad), grad, 0)

    def _distance_to_plane(
        self, value: torch.Tensor, grad: torch.Tensor, x_adv: torch.Tensor
    ) -> torch.Tensor:
        """How far a linear function is from 0; in a norm without a dual by the step there."""
        if self.ball.dual is not None:
            tiny = torch.finfo(grad.dtype).tiny
            return value.abs() / self.ball.dual_norm(grad).clamp_min(tiny)
        way = -grad * column(value.sign(), grad)
        step = self.ball.smallest_step(way, value.abs(), self.batch.box.slack(x_adv, way))
        return self.ball.size(step)

    def first_step(self, n_candidates: int = 10, *, judged: bool = False) -> torch.Tensor:
        """Perturbations just beyond the nearest boundary of the linearised model, (n, ...).

        The clean samples are judged on the way, and what is found there is kept.

        Parameters
        ----------
        n_candidates : int
            Classes whose boundary is looked at, the likeliest first.
        judged : bool
            Whether the points that these perturbations lead to are judged, too.
        """
        batch, rows = self.batch, self.batch.rows()
        x = batch.x.detach().requires_grad_(True)
        z = batch.forward(x, rows)
        batch.clean_logits = z.detach()
        self.note(rows, x, z)
        others = None
        if not batch.targeted:
            others = competing_classes(batch.clean_logits, batch.y)[:, :n_candidates]
        gap, grad = self.nearest(self.gaps(z, rows, others), x)
        slack = batch.box.slack(batch.x, grad)
        step = self.ball.smallest_step(grad, _BEYOND * (-gap).clamp_min(0), slack)
        if judged:
            with torch.no_grad():
                point = batch.box.clamp(batch.x + step)
                self.note(rows, point, batch.forward(point, rows))
        return step

    def refine(self, n_steps: int = 2) -> None:
        """Move the points found to where the boundary, as a plane through them, is nearest."""
        batch = self.batch
        for _ in range(n_steps):
            self.polish()
            rows = batch.rows()
            rows = rows[self.result.fooled & self.unfinished(rows)]
            if not len(rows):
                return
            x, at = batch.x[rows], self.result.x_adv[rows].requires_grad_(True)
            z = batch.forward(at, rows)
            value = self.crossing(z, rows)
            grad = ascent_gradient(value, at)
            with torch.no_grad():
                gain = (grad * (at - x)).flatten(1).sum(1) - value.detach().to(grad)
                step = self.ball.smallest_step(
                    grad, _BEYOND * gain.clamp_min(0), batch.box.slack(x, grad)
                )
                point = batch.box.clamp(x + step)
                self.note(rows, point, batch.forward(point, rows))
        self.polish()

    @torch.no_grad()
    def polish(self, n_steps: int = 3) -> None:
        """Pull the points found straight back toward the clean samples, by false position.

        Where any point within the limit will do, only those beyond it.
        """
        batch = self.batch
        far = self.result.loss < (-self.limit if self.any_success else 0)
        rows = torch.nonzero(self.result.fooled & far).flatten()
        if not len(rows) or (batch.judge and not batch.strict and not self.any_success):
            return
        if self.ball.dual is None:  # on the way back as many features differ as before
            self._thin_out(rows)
            return
        x, far = batch.x[rows], self.result.x_adv[rows]
        low, high = torch.zeros(len(rows)).to(x), torch.ones(len(rows)).to(x)
        below = self.crossing(batch.clean()[rows], rows).to(x)
        above = self.crossing(batch.forward(far, rows), rows).to(x)
        for _ in range(n_steps):
            t = low + (high - low) * (below / (below - above)).nan_to_num(0.5).clamp(0, 1)
            # To land on the far side, far enough for other roundings to agree.
            t = (t + torch.maximum(0.05 * (high - t), 1e-4 * high)).minimum(high)
            point = batch.box.clamp(x + column(t, x) * (far - x))
            z = batch.forward(point, rows)
            hit = self.note(rows, point, z)
            value = self.crossing(z, rows).to(x)
            low, below = torch.where(hit, low, t), torch.where(hit, below, value)
            high, above = torch.where(hit, t, high), torch.where(hit, value, above)

    def _thin_out(self, rows: torch.Tensor) -> None:
        """Take back the features that add least to the success, as many as can be."""
        batch = self.batch
        x, at = batch.x[rows], self.result.x_adv[rows]
        with torch.enable_grad():
            point = at.clone().requires_grad_(True)
            value = self.crossing(batch.forward(point, rows), rows)
            worth = (ascent_gradient(value, point) * (at - x)).flatten(1)
        worth = torch.where((at != x).flatten(1), worth - worth.amin(1, keepdim=True) + 1, 0)
        high = (worth > 0).sum(1)
        low = torch.zeros_like(high)
        for _ in range(int(high.max()).bit_length()):
            middle = (low + high) // 2
            kept = keep_largest(worth, middle).reshape(x.shape)
            point = torch.where(kept, at, x)
            hit = self.note(rows, point, batch.forward(point, rows))
            low, high = torch.where(hit, low, middle), torch.where(hit, middle, high)
