"""The norms linf, l2 and l1."""

from __future__ import annotations

import math

import torch
from torch.nn.functional import pad

from .._functional import flat_norm
from ._base import Norm
from ._box import Box
from ._noise import Noise, column
from ._register import register_norm

__all__ = ["L1Norm", "L2Norm", "LinfNorm"]


class PNorm(Norm):
    """Norm ``(sum |d_i|^p)^(1/p)``, whose smallest step fills feature after feature."""

    def smallest_step(
        self, grad: torch.Tensor, gain: torch.Tensor, slack: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Smallest perturbations by which a linear function of gradient ``grad`` gains ``gain``."""
        slope = (self.eps * grad).flatten(1)
        moved = self._fill(slope.abs(), gain[:, None], self._limit(slack))
        return self.eps * (moved * slope.sign()).reshape(grad.shape)

    def _limit(self, slack: torch.Tensor | None) -> torch.Tensor | None:
        """Relative slack of each feature, (n, d); None where there is no box."""
        if slack is None:
            return None
        return torch.where(self.free, slack * self.inverse, 0).flatten(1)

    def _fill(
        self, slope: torch.Tensor, gain: torch.Tensor, limit: torch.Tensor | None
    ) -> torch.Tensor:
        """Shares of the features, (n, d): the smallest that together gain ``gain``."""
        pace = self._pace(slope)
        worth = slope * pace
        tiny = torch.finfo(slope.dtype).tiny
        if limit is None:
            return pace * gain / worth.sum(1, keepdim=True).clamp_min(tiny)
        gains = torch.where(slope > 0, slope * limit, 0)  # of the features at their limits
        full = torch.zeros_like(slope, dtype=torch.bool)
        # Features that hit their limit stay there while the others go on: at most d rounds.
        while True:
            left = gain - torch.where(full, gains, 0).sum(1, keepdim=True)
            speed = (worth * ~full).sum(1, keepdim=True).clamp_min(tiny)
            moved = (left / speed).clamp_max(1 / tiny) * pace
            now = full | (moved > limit)
            if torch.equal(now, full):
                return torch.where(full, limit, moved)
            full = now

    def _pace(self, slope: torch.Tensor) -> torch.Tensor:
        """Relative speeds at which the features move along the steepest direction."""
        raise NotImplementedError


@register_norm
class LinfNorm(PNorm):
    """Every feature moves by at most eps."""

    name, aliases, order, dual = "linf", (math.inf,), math.inf, "l1"

    def sample(self, noise: Noise, x: torch.Tensor, stream: int) -> torch.Tensor:
        """Uniform perturbations of the ball."""
        return self.eps * (2 * noise.uniform(x, stream) - 1)

    def ascent_step(
        self, x_adv: torch.Tensor, grad: torch.Tensor, step: float | torch.Tensor, box: Box
    ) -> torch.Tensor:
        """Step of relative size ``step`` that gains most along ``grad``, box or no box."""
        return self.steepest_step(grad, step)

    def steepest_step(
        self, grad: torch.Tensor, step: float | torch.Tensor, slack: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Step of relative size ``step`` that gains most along ``grad``."""
        return (step * self.eps) * grad.sign()

    @classmethod
    def random_direction(cls, noise: Noise, x: torch.Tensor, stream: int) -> torch.Tensor:
        """Random signs."""
        return cls.steepest_direction(noise.normal(x, stream))

    def project(self, d: torch.Tensor, slack: torch.Tensor | None = None) -> torch.Tensor:
        """Nearest perturbations inside the ball."""
        return d.clamp(-self.eps, self.eps)

    def _pace(self, slope: torch.Tensor) -> torch.Tensor:
        return (slope > 0).to(slope)


@register_norm
class L2Norm(PNorm):
    """Euclidean length of at most eps."""

    name, aliases, order, dual = "l2", (2,), 2.0, "l2"

    def sample(self, noise: Noise, x: torch.Tensor, stream: int) -> torch.Tensor:
        """Uniform perturbations of the ball."""
        n_free = self.free.expand(x.shape[1:]).sum().clamp_min(1)
        return self._ray(noise, x, stream) * noise.scalar(x, stream + (1 << 16)) ** (1 / n_free)

    def sample_start(self, noise: Noise, x: torch.Tensor, stream: int) -> torch.Tensor:
        """Perturbations of uniform length: most of the ball is surface, slow to turn from."""
        return self._ray(noise, x, stream) * noise.scalar(x, stream + (1 << 16))

    def _ray(self, noise: Noise, x: torch.Tensor, stream: int) -> torch.Tensor:
        """Random perturbations of length eps."""
        direction = self.only_free(noise.normal(x, stream))
        return self.eps * direction / column(flat_norm(direction, 2), x).clamp_min(1e-30)

    def steepest_step(
        self, grad: torch.Tensor, step: float | torch.Tensor, slack: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Step of relative size ``step`` that gains most along ``grad``.

        Features pressed against the box give up their share to those that can move.
        """
        v = self.eps * grad
        if slack is not None:
            v = v * (slack > 0)
        tiny = torch.finfo(v.dtype).tiny
        peak = column(v.flatten(1).abs().amax(1), v).clamp_min(tiny)
        v = v / peak  # a tiny gradient must not vanish when it is squared
        return (step * self.eps) * v / column(flat_norm(v, 2), v).clamp_min(tiny)

    def project(self, d: torch.Tensor, slack: torch.Tensor | None = None) -> torch.Tensor:
        """Nearest perturbations inside the ball (along the ray, when eps varies)."""
        size = column(self.size(d), d)
        return self.only_free(torch.where(size > 1, d * ((1 - 1e-12) / size), d))

    def _pace(self, slope: torch.Tensor) -> torch.Tensor:
        return slope


@register_norm
class L1Norm(PNorm):
    """Absolute changes that add up to at most eps."""

    name, aliases, order, dual = "l1", (1,), 1.0, "linf"

    def sample(self, noise: Noise, x: torch.Tensor, stream: int) -> torch.Tensor:
        """Uniform perturbations of the ball."""
        u = noise.uniform(x, stream)
        side = (2 * noise.uniform(x, stream + (1 << 17)) - 1).sign()
        length = self.only_free(-u.log())
        n_free = self.free.expand(x.shape[1:]).sum().clamp_min(1)
        radius = noise.scalar(x, stream + (1 << 16)) ** (1 / n_free)
        total = column(length.flatten(1).sum(1), x).clamp_min(1e-30)
        return self.eps * side * length / total * radius

    @classmethod
    def random_direction(cls, noise: Noise, x: torch.Tensor, stream: int) -> torch.Tensor:
        """Perturbations spread evenly over the faces of the ball of radius 1."""
        normal = noise.normal(x, stream)
        u = torch.special.ndtr(normal.double()).clamp(1e-12, 1 - 1e-12)
        laplace = (0.5 - u).sign() * (1 - 2 * (u - 0.5).abs()).log()
        return cls.unit_directions(laplace.to(normal))

    def steepest_step(
        self, grad: torch.Tensor, step: float | torch.Tensor, slack: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Step of relative size ``step`` that gains most along ``grad`` inside the box.

        The features of largest gradient are filled up to the box one after the other until
        the step is spent.
        """
        gain = (self.eps * grad).flatten(1)
        take = _greedy(gain.abs(), step, self._limit(slack), torch.ones_like(gain))
        return self.eps * (take * gain.sign()).reshape(grad.shape)

    def confine(self, d: torch.Tensor, x: torch.Tensor, box: Box) -> torch.Tensor:
        """Nearest points to ``x + d`` that lie in the box and in the ball around ``x``."""
        return box.clamp(x + self.project(d, box.slack(x, d)))

    def project(self, d: torch.Tensor, slack: torch.Tensor | None = None) -> torch.Tensor:
        """Nearest perturbations inside the ball that leave no feature's ``slack``."""
        u = (d * self.inverse).flatten(1)
        size = u.abs()
        limit = self._limit(slack)
        inside = size if limit is None else torch.minimum(size, limit)
        outside = inside.sum(1) > 1
        if outside.any():
            small = (size - _threshold(size, limit)).clamp_min(0)
            small = small if limit is None else torch.minimum(small, limit)
            inside = torch.where(outside[:, None], small, inside)
        elif limit is None:
            return self.only_free(d)
        changed = self.eps * (u.sign() * inside).reshape(d.shape)
        if limit is not None:
            return changed
        return self.only_free(torch.where(column(outside, d), changed, d))

    def _fill(
        self, slope: torch.Tensor, gain: torch.Tensor, limit: torch.Tensor | None
    ) -> torch.Tensor:
        return _greedy(slope, gain, limit, slope)


def _greedy(
    rank: torch.Tensor, budget: float | torch.Tensor, limit: torch.Tensor | None, cost: torch.Tensor
) -> torch.Tensor:
    """Fill features up to ``limit``, the largest ``rank`` first, until the budget is spent."""
    tiny = torch.finfo(cost.dtype).tiny
    if limit is None:
        order = rank.argmax(1, keepdim=True)
        price = cost.gather(1, order)
        share = torch.where(price > 0, budget / price.clamp_min(tiny), 0)
        return torch.zeros_like(rank).scatter(1, order, share)
    order = rank.argsort(dim=1, descending=True)
    limit, cost = limit.gather(1, order), cost.gather(1, order)
    spent = torch.where(cost > 0, limit * cost, 0).cumsum(1)
    before = pad(spent[:, :-1], (1, 0))
    share = torch.minimum((budget - before).clamp_min(0) / cost.clamp_min(tiny), limit)
    return torch.zeros_like(rank).scatter(1, order, torch.where(cost > 0, share, 0))


def _threshold(size: torch.Tensor, limit: torch.Tensor | None) -> torch.Tensor:
    """Shift t >= 0 at which sum(min((size - t)_+, limit)) falls to 1, shape (n, 1).

    The sum is piecewise linear in t: a feature joins at t = size and is full at size - limit.
    """
    one = torch.ones_like(size[0])
    knots, slopes = [size, torch.zeros_like(size[:, :1])], [one, torch.zeros_like(one[:1])]
    if limit is not None:
        knots.append((size - limit).clamp_min(0))
        slopes.append(-one)
    t, order = torch.cat(knots, dim=1).sort(dim=1, descending=True)
    slope = torch.cat(slopes)[order].cumsum(1)
    level = (slope[:, :-1] * (t[:, :-1] - t[:, 1:])).cumsum(1)
    last = (level < 1).sum(1, keepdim=True).clamp_max(level.shape[1] - 1)
    before = pad(level, (1, 0)).gather(1, last)
    return t.gather(1, last) - (1 - 1e-12 - before) / slope.gather(1, last).clamp_min(1)
