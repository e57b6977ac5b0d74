"""What the attacks share that look for the nearest adversarial point."""

import math

import numpy as np
import torch

from .. import _validation as check
from .._functional import ascent_gradient
from ._base import BaseAttack
from ._batch import AttackResult
from ._losses import make_objective
from ._norms import column

__all__ = ["MinimumNormSearch", "MinimumNormAttack", "check_nearest", "check_radius"]

_HOPE = 1.5  # how far beyond the limit a point may lie that is worth pulling back, relative to it


def check_radius(attack):
    """Raise if an attack has no radius, without which every sample is fooled somewhere."""
    if isinstance(attack, MinimumNormAttack) and attack.eps is None:
        raise ValueError(
            f"{type(attack).__name__} has no radius: give it an eps, or ask robustness_curve(..., "
            f"attack={type(attack).__name__}()) for accuracies at several."
        )


def check_nearest(attack, norm=None):
    """Return an attack if it looks for the nearest adversarial point, in ``norm`` if given."""
    nearest = isinstance(check.check_attack(attack), MinimumNormAttack)
    if not nearest or norm not in (None, check.check_norm(attack.norm)):
        wanted = f"norm={norm!r}" if norm else ""
        raise ValueError(
            f"attack is {attack!r}, and a distance to the boundary is wanted: give "
            f"DeepFool({wanted}), FAB({wanted}) or CarliniWagner({wanted})."
        )
    return attack


class MinimumNormAttack(BaseAttack):
    """Base of attacks that minimise the distance; ``eps`` only limits what counts as success.

    A subclass writes ``_find_nearest(batch, search)``, which moves samples and shows them to
    ``search``.
    """

    def _limit(self, norm, shape):
        return np.array(np.inf) if self.eps is None else super()._limit(norm, shape)

    def _run(self, batch):
        search = MinimumNormSearch(batch)
        self._find_nearest(batch, search)
        return search.close()

    def _find_nearest(self, batch, search):
        raise NotImplementedError


class MinimumNormSearch:
    """The nearest adversarial points so far, and the geometry they are measured in.

    Attributes
    ----------
    result : AttackResult
        Its loss is minus the distance; samples without an adversarial point stay clean.
    ball : Ball
        Its ``size`` is the distance in the units of the input.
    limit : float
        Greatest distance that counts as success.
    any_success : bool
        Whether any point within the limit will do.
    reach : float
        Points up to there are kept until the end, in the hope to pull them within the limit.
    guess : float64 tensor of shape (n,)
        Distances to the boundary as linearised models told them; the least so far.
    """

    def __init__(self, batch):
        self.batch = batch
        self.result = AttackResult.of(batch)
        self.ball = batch.ball.unit()
        self.limit = batch.ball.radius
        self.any_success = batch.stop and math.isfinite(self.limit)
        self.reach = _HOPE * self.limit if self.any_success else self.limit
        self.guess = torch.full_like(self.result.loss, torch.inf)
        self.worth = make_objective("margin", batch.targeted, batch.y, None)
        self.n_seen = 0

    def note(self, rows, x_adv, z):
        """Keep the points that are adversarial and nearer; say which are adversarial."""
        point = self.batch.snap(x_adv.detach(), rows)
        length = self.ball.size(point - self.batch.x[rows])
        hit = self.batch.fooled(z, rows)
        if z.requires_grad and self.batch.observe is not None:
            self.batch.observe(self.n_seen, rows, z.detach(), point)
            self.n_seen += 1
        near = hit & (length <= self.reach)
        self.result.record(rows[near], point[near], -length[near], hit[near])
        return hit

    def unfinished(self, rows):
        """Which of the rows may still gain: no clean errors, no success that is good enough."""
        going = self.result.loss[rows] < 0
        done = self.result.fooled[rows] & (-self.result.loss[rows] <= self.limit)
        return going & ~done if self.any_success else going

    def close(self):
        """AttackResult without the points that stayed beyond the limit."""
        lost = self.result.fooled & (-self.result.loss > self.limit)
        self.result.x_adv[lost] = self.batch.x[lost]
        self.result.loss[lost] = -torch.inf
        self.result.fooled[lost] = False
        return self.result

    def gaps(self, z, rows, others):
        """How far each boundary is crossed, in logits, (n_rows, n_boundaries).

        ``others`` holds the classes (n, k) whose boundary with class ``y`` counts; None stands
        for the boundary of the target's class.
        """
        if others is None:
            return self.worth(z, rows)[:, None]
        return z.gather(1, others[rows]) - z.gather(1, self.batch.y[rows][:, None])

    def nearest(self, gaps, x_adv):
        """Gap (n,) and gradient of the boundary that is nearest when all are taken as planes."""
        n_planes = gaps.shape[1]
        gap = grad = distance = None
        for k in range(n_planes):
            g = ascent_gradient(gaps[:, k], x_adv, retain_graph=k + 1 < n_planes)
            value = gaps[:, k].detach().to(g)
            far = value.abs() / self.ball.slope(g).clamp_min(torch.finfo(g.dtype).tiny)
            if k == 0:
                gap, grad, distance = value, g, far
                continue
            nearer = far < distance
            distance = torch.where(nearer, far, distance)
            gap = torch.where(nearer, value, gap)
            grad = torch.where(column(nearer, g), g, grad)
        return gap, grad

    @torch.no_grad()
    def polish(self, n_steps=3):
        """Pull the points found straight back toward the clean samples, by false position.

        Where any point within the limit will do, only those beyond it.
        """
        batch = self.batch
        far = self.result.loss < (-self.limit if self.any_success else 0)
        rows = torch.nonzero(self.result.fooled & far).flatten()
        if not len(rows) or (batch.judge and not self.any_success):
            return
        x, far = batch.x[rows], self.result.x_adv[rows]
        low, high = torch.zeros(len(rows)).to(x), torch.ones(len(rows)).to(x)
        below = self.worth(batch.clean()[rows], rows).to(x)
        above = self.worth(batch.forward(far, rows), rows).to(x)
        for _ in range(n_steps):
            t = low + (high - low) * (below / (below - above)).nan_to_num(0.5).clamp(0, 1)
            # To land on the far side, far enough for other roundings to agree.
            t = (t + torch.maximum(0.05 * (high - t), 1e-4 * high)).minimum(high)
            point = batch.box.clamp(x + column(t, x) * (far - x))
            z = batch.forward(point, rows)
            hit = self.note(rows, point, z)
            value = self.worth(z, rows).to(x)
            low, below = torch.where(hit, low, t), torch.where(hit, below, value)
            high, above = torch.where(hit, t, high), torch.where(hit, value, above)
