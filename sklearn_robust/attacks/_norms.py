"""The balls that attacks search: each norm is three functions, ``sample``, ``ascend``, ``project``.

A ball is {d : ||d / eps|| <= 1}. With one eps that is ||d|| <= eps; with one eps a feature the
ball is stretched along the axes, and a feature whose eps is 0 cannot move.
"""

import torch

from .._functional import flat_norm

__all__ = ["ORDERS", "make_ball"]

ORDERS = {"linf": torch.inf, "l2": 2.0, "l1": 1.0}


def _column(values, like):
    """Reshape one number a row so that it broadcasts over the rows of ``like``."""
    return values.reshape(-1, *[1] * (like.ndim - 1))


class Ball:
    """Ball of perturbations around zero.

    Parameters
    ----------
    eps : tensor
        Radius, 0-d or broadcastable to a sample.
    """

    order: float

    def __init__(self, eps):
        self.eps = eps
        self.inverse = torch.where(eps > 0, 1 / eps, torch.zeros_like(eps))
        self.radius = float(eps.max())

    def to(self, x):
        """Return the ball in the dtype and on the device of ``x``."""
        return type(self)(self.eps.to(x))

    def size(self, d):
        """Relative size of each perturbation: 1 on the surface of the ball, shape (n,)."""
        return flat_norm(d * self.inverse, self.order)

    def distance(self, d):
        """Plain norm of each perturbation, in the units of the input, shape (n,)."""
        return flat_norm(d, self.order)

    def seal(self, x_adv, x, box):
        """Points of ball and box nearest to ``x_adv``, exact after rounding to x's dtype.

        Rounding goes toward ``x``, so no coordinate is farther from it than before, and with
        it no norm of the difference.
        """
        wide = x.double()
        d = self.to(wide).project(x_adv.double() - wide)
        d = box.clamp(wide + d) - wide
        sealed = (wide + d).to(x.dtype)
        over = (sealed.double() - wide).abs() > d.abs()
        return torch.where(over, torch.nextafter(sealed, x), sealed)


class LinfBall(Ball):
    """Every feature moves by at most eps."""

    order = torch.inf

    def sample(self, noise, x, stream):
        """Uniform perturbations of the ball."""
        return self.eps * (2 * noise.uniform(x, stream) - 1)

    def ascend(self, grad, step, room=None):
        """Step of relative size ``step`` that gains most along ``grad``."""
        return (step * self.eps) * grad.sign()

    def project(self, d):
        """Nearest perturbations inside the ball."""
        return d.clamp(-self.eps, self.eps)


class L2Ball(Ball):
    """Euclidean length of at most eps."""

    order = 2.0

    def sample(self, noise, x, stream):
        """Uniform perturbations of the ball."""
        direction = noise.normal(x, stream)
        n_free = (self.eps.expand(x.shape[1:]) > 0).sum().clamp_min(1)
        direction = direction * (self.eps > 0)
        radius = noise.scalar(x, stream + (1 << 16)) ** (1 / n_free)
        return self.eps * direction / _column(flat_norm(direction, 2), x).clamp_min(1e-30) * radius

    def ascend(self, grad, step, room=None):
        """Step of relative size ``step`` that gains most along ``grad``.

        Features pressed against the box give up their share to those that can move.
        """
        v = self.eps * grad
        if room is not None:
            v = v * (room > 0)
        tiny = torch.finfo(v.dtype).tiny
        peak = _column(v.flatten(1).abs().amax(1), v).clamp_min(tiny)
        v = v / peak  # a tiny gradient must not vanish when it is squared
        return (step * self.eps) * v / _column(flat_norm(v, 2), v).clamp_min(tiny)

    def project(self, d):
        """Nearest perturbations inside the ball (along the ray, when eps varies)."""
        size = _column(self.size(d), d)
        return torch.where(size > 1, d * ((1 - 1e-12) / size), d)


class L1Ball(Ball):
    """Absolute changes that add up to at most eps."""

    order = 1.0

    def sample(self, noise, x, stream):
        """Uniform perturbations of the ball."""
        u = noise.uniform(x, stream)
        side = (2 * noise.uniform(x, stream + (1 << 17)) - 1).sign()
        length = -u.log() * (self.eps > 0)
        n_free = (self.eps.expand(x.shape[1:]) > 0).sum().clamp_min(1)
        radius = noise.scalar(x, stream + (1 << 16)) ** (1 / n_free)
        total = _column(length.flatten(1).sum(1), x).clamp_min(1e-30)
        return self.eps * side * length / total * radius

    def ascend(self, grad, step, room=None):
        """Step of relative size ``step`` that gains most along ``grad`` inside the box.

        The features of largest gradient are filled up to the box one after the other until
        the step is spent.
        """
        gain = (self.eps * grad).flatten(1)
        if room is None:
            take = torch.zeros_like(gain).scatter(1, gain.abs().argmax(1, keepdim=True), step)
        else:
            free = (room * self.inverse).flatten(1)
            gain = gain * (free > 0)
            order = gain.abs().argsort(dim=1, descending=True)
            filled = free.gather(1, order)
            before = filled.cumsum(1) - filled
            share = torch.minimum(filled, (step - before).clamp_min(0))
            take = torch.zeros_like(gain).scatter(1, order, share)
        return self.eps * (take * gain.sign()).reshape(grad.shape)

    def project(self, d):
        """Nearest perturbations inside the ball, by soft thresholding."""
        u = (d * self.inverse).flatten(1)
        outside = u.abs().sum(1) > 1
        if not outside.any():
            return d
        size = u.abs()
        ordered = size.sort(dim=1, descending=True).values
        rank = torch.arange(1, u.shape[1] + 1, device=u.device, dtype=u.dtype)
        excess = (ordered.cumsum(1) - (1 - 1e-12)) / rank
        last = (ordered > excess).sum(1, keepdim=True) - 1
        threshold = excess.gather(1, last.clamp_min(0))
        inside = (self.eps * (u.sign() * (size - threshold).clamp_min(0)).reshape(d.shape))
        return torch.where(_column(outside, d), inside, d)


_BALLS = {"linf": LinfBall, "l2": L2Ball, "l1": L1Ball}


def make_ball(norm, eps):
    """Ball of the named norm; ``eps`` is a tensor of no dimension or of a sample's shape."""
    return _BALLS[norm](eps)
