"""The balls that attacks search: a norm is ``sample``, ``ascend``, ``project`` and ``reach``.

A ball is {d : ||d / eps|| <= 1}. With one eps that is ||d|| <= eps; with one eps a feature the
ball is stretched along the axes, and a feature whose eps is 0 cannot move.
"""

import torch
from torch.nn.functional import pad

from .._functional import flat_norm

__all__ = ["ORDERS", "column", "make_ball"]

ORDERS = {"linf": torch.inf, "l2": 2.0, "l1": 1.0}


def column(values, like):
    """Reshape one number a row so that it broadcasts over the rows of ``like``."""
    return values.reshape(-1, *[1] * (like.ndim - 1))


class Ball:
    """Ball of perturbations around zero.

    Parameters
    ----------
    eps : tensor
        Radius, 0-d or broadcastable to a sample; infinite for no limit.
    """

    order: float
    dual: float

    def __init__(self, eps):
        self.eps = eps
        self.free = eps > 0
        self.inverse = torch.where(self.free, 1 / eps, torch.zeros_like(eps))
        self.radius = float(eps.max())
        self.all_free = bool(self.free.all())

    def to(self, x):
        """Return the ball in the dtype and on the device of ``x``."""
        return type(self)(self.eps.to(x))

    def unit(self):
        """Return the ball of the same shape whose ``size`` is in the units of the input."""
        if self.radius in (0, torch.inf):
            return type(self)(self.free.to(self.eps))
        return type(self)(self.eps / self.radius)

    def size(self, d):
        """Relative size of each perturbation: 1 on the surface of the ball, shape (n,)."""
        return flat_norm(d * self.inverse, self.order)

    def slope(self, grad):
        """Gain of a linear function over the distance 1, shape (n,): the dual norm."""
        return flat_norm(self.eps * grad, self.dual)

    def start(self, noise, x, stream):
        """Random perturbations that a search begins with."""
        return self.sample(noise, x, stream)

    def project(self, d, room=None):
        """Nearest perturbations inside the ball."""
        raise NotImplementedError

    def hold(self, d):
        """Perturbations without a part in the features that cannot move."""
        return d if self.all_free else d * self.free

    def ahead(self, x_adv, grad, step, box):
        """Step from ``x_adv`` of relative size ``step`` that gains most along ``grad``."""
        return self.ascend(grad, step, box.room(x_adv, grad))

    def confine(self, d, x, box):
        """Points of the box near ``x + d`` that lie in the ball around ``x``."""
        return box.clamp(x + self.project(d))

    def reach(self, grad, gain, room=None):
        """Smallest perturbations by which a linear function of slope ``grad`` gains ``gain``.

        Parameters
        ----------
        grad : tensor of shape (n, ...)
            Slopes; they also say which way each feature goes.
        gain : tensor of shape (n,)
            What to gain, at least 0.
        room : tensor of shape (n, ...), optional
            How far each feature may go that way. Where the gain is out of reach, all go so far.
        """
        slope = (self.eps * grad).flatten(1)
        moved = self._fill(slope.abs(), gain[:, None], self._limit(room))
        return self.eps * (moved * slope.sign()).reshape(grad.shape)

    def _limit(self, room):
        """Relative room of each feature, (n, d); None where there is no box."""
        if room is None:
            return None
        return torch.where(self.free, room * self.inverse, 0).flatten(1)

    def _fill(self, slope, gain, limit):
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

    def _pace(self, slope):
        """Relative speeds at which the features move along the steepest direction."""
        raise NotImplementedError

    def seal(self, x_adv, x, box):
        """Points of ball and box nearest to ``x_adv``, exact after rounding to x's dtype.

        Rounding goes toward ``x``, so no coordinate is farther from it than before, and with
        it no norm of the difference.
        """
        wide = x.double()
        d = self.to(wide).project(x_adv.double() - wide)
        inside = box.clamp(wide + d)
        sealed = inside.to(x.dtype)
        over = (sealed.double() - wide).abs() > torch.minimum(d.abs(), (inside - wide).abs())
        return torch.where(over, torch.nextafter(sealed, x), sealed)


class LinfBall(Ball):
    """Every feature moves by at most eps."""

    order, dual = torch.inf, 1.0

    def sample(self, noise, x, stream):
        """Uniform perturbations of the ball."""
        return self.eps * (2 * noise.uniform(x, stream) - 1)

    def ahead(self, x_adv, grad, step, box):
        """Step of relative size ``step`` that gains most along ``grad``, box or no box."""
        return (step * self.eps) * grad.sign()

    def project(self, d, room=None):
        """Nearest perturbations inside the ball."""
        return d.clamp(-self.eps, self.eps)

    def _pace(self, slope):
        return (slope > 0).to(slope)


class L2Ball(Ball):
    """Euclidean length of at most eps."""

    order, dual = 2.0, 2.0

    def sample(self, noise, x, stream):
        """Uniform perturbations of the ball."""
        n_free = self.free.expand(x.shape[1:]).sum().clamp_min(1)
        return self._ray(noise, x, stream) * noise.scalar(x, stream + (1 << 16)) ** (1 / n_free)

    def start(self, noise, x, stream):
        """Perturbations of uniform length: most of the ball is surface, slow to turn from."""
        return self._ray(noise, x, stream) * noise.scalar(x, stream + (1 << 16))

    def _ray(self, noise, x, stream):
        """Random perturbations of length eps."""
        direction = self.hold(noise.normal(x, stream))
        return self.eps * direction / column(flat_norm(direction, 2), x).clamp_min(1e-30)

    def ascend(self, grad, step, room=None):
        """Step of relative size ``step`` that gains most along ``grad``.

        Features pressed against the box give up their share to those that can move.
        """
        v = self.eps * grad
        if room is not None:
            v = v * (room > 0)
        tiny = torch.finfo(v.dtype).tiny
        peak = column(v.flatten(1).abs().amax(1), v).clamp_min(tiny)
        v = v / peak  # a tiny gradient must not vanish when it is squared
        return (step * self.eps) * v / column(flat_norm(v, 2), v).clamp_min(tiny)

    def project(self, d, room=None):
        """Nearest perturbations inside the ball (along the ray, when eps varies)."""
        size = column(self.size(d), d)
        return self.hold(torch.where(size > 1, d * ((1 - 1e-12) / size), d))

    def _pace(self, slope):
        return slope


class L1Ball(Ball):
    """Absolute changes that add up to at most eps."""

    order, dual = 1.0, torch.inf

    def sample(self, noise, x, stream):
        """Uniform perturbations of the ball."""
        u = noise.uniform(x, stream)
        side = (2 * noise.uniform(x, stream + (1 << 17)) - 1).sign()
        length = self.hold(-u.log())
        n_free = self.free.expand(x.shape[1:]).sum().clamp_min(1)
        radius = noise.scalar(x, stream + (1 << 16)) ** (1 / n_free)
        total = column(length.flatten(1).sum(1), x).clamp_min(1e-30)
        return self.eps * side * length / total * radius

    def ascend(self, grad, step, room=None):
        """Step of relative size ``step`` that gains most along ``grad`` inside the box.

        The features of largest gradient are filled up to the box one after the other until
        the step is spent.
        """
        gain = (self.eps * grad).flatten(1)
        take = _greedy(gain.abs(), step, self._limit(room), torch.ones_like(gain))
        return self.eps * (take * gain.sign()).reshape(grad.shape)

    def confine(self, d, x, box):
        """Nearest points to ``x + d`` that lie in the box and in the ball around ``x``."""
        return box.clamp(x + self.project(d, box.room(x, d)))

    def project(self, d, room=None):
        """Nearest perturbations inside the ball that leave no feature's ``room``."""
        u = (d * self.inverse).flatten(1)
        size = u.abs()
        limit = self._limit(room)
        inside = size if limit is None else torch.minimum(size, limit)
        outside = inside.sum(1) > 1
        if outside.any():
            small = (size - _threshold(size, limit)).clamp_min(0)
            small = small if limit is None else torch.minimum(small, limit)
            inside = torch.where(outside[:, None], small, inside)
        elif limit is None:
            return self.hold(d)
        changed = self.eps * (u.sign() * inside).reshape(d.shape)
        return self.hold(torch.where(column(outside, d), changed, d)) if limit is None else changed

    def _fill(self, slope, gain, limit):
        return _greedy(slope, gain, limit, slope)


def _greedy(rank, budget, limit, cost):
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


def _threshold(size, limit):
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


_BALLS = {"linf": LinfBall, "l2": L2Ball, "l1": L1Ball}


def make_ball(norm, eps):
    """Ball of the named norm; ``eps`` is a tensor of no dimension or of a sample's shape."""
    return _BALLS[norm](eps)
