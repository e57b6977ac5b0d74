"""The core of every attack: tensors in, tensors out."""

from dataclasses import replace

import numpy as np
import torch

from .. import _validation as check
from .._random import RowNoise, seed_of
from ..differentiable._state import frozen_logits, records
from ._batch import AttackBatch, Box
from ._losses import check_loss
from ._norms import make_ball

__all__ = ["TensorAttack"]

_COUNTS = {
    "batch_size",
    "max_iter",
    "n_candidates",
    "n_eot",
    "n_restarts",
    "n_searches",
    "n_target_classes",
}
_NUMBERS = {
    "decay": {},
    "overshoot": {},
    "p_init": {"high": 1.0, "strict": True},
    "step_size": {"strict": True},
}
_MAY_BE_NONE = {"batch_size", "n_target_classes", "step_size"}


class TensorAttack:
    """What an attack does with one batch: the exact ball, box and grid around ``_run``.

    A subclass writes ``_run(batch) -> AttackResult``: it moves the samples inside ``batch.ball``
    and ``batch.box``. Class attributes stand in for the parameters that a subclass does not offer.
    """

    targeted = False
    mask = None
    integer = None
    on_nan = "raise"
    _needs_gradient = True

    def perturb(self, logits, x, y, *, observe=None, noise=None):
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

    def verdict(self, logits, x, y):
        """Say which samples withstand the attack.

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

    @records
    def _perturb(self, logits, x, y, *, noise=None, **flags):
        self._check_parameters()
        x, y = (t.clone() if t.is_inference() else t for t in (x.detach(), y))
        bounds = self._box_around(x)
        if noise is None:
            noise = RowNoise(seed_of(self.random_state), x)
        logits = frozen_logits(logits)
        batch = AttackBatch(logits=logits, x=x, y=y, box=Box(bounds, x), noise=noise, **flags)
        return self._attack(batch)

    def _box_around(self, x):
        """Box of a batch: that of ``fit``, if there was one; data that leave "auto" have none."""
        auto = isinstance(self.bounds, str)
        if auto and hasattr(self, "bounds_"):
            box = self.bounds_
        else:
            box = check.check_bounds(self.bounds, np.empty((0, *x.shape[1:]), np.float32))
        if box is None or Box(box, x).holds(x):
            return box
        return None if auto else check.check_bounds(self.bounds, x.cpu().numpy())

    def _attack(self, batch):
        """AttackResult of the attack on one batch; what the estimator denies is searched again."""
        result = self._search(batch)
        agreed = batch.confirmed(result)
        denied = torch.nonzero(result.fooled & ~agreed).flatten()
        if len(denied):  # rounding flipped a near tie: search on to the last step
            part = batch.part(denied, stop=False, judge=True)
            part = replace(part, logits=getattr(batch.logits, "exact", batch.logits), known=None)
            again = self._search(part)
            again.fooled = part.confirmed(again)
            result.update(denied, again)
        if batch.on_nan != "ignore":
            result.fooled |= batch.missed(result)
        return result

    def _search(self, batch):
        """Run the attack in the exact geometry that its parameters ask for."""
        shape = batch.x.shape[1:]
        norm = check.check_norm(self.norm)
        exact = make_ball(norm, torch.as_tensor(self._radius(norm, shape), device=batch.x.device))
        ball, integer = exact.to(batch.x), self._integers(batch)
        batch = replace(batch, ball=ball, integer=integer, targeted=self.targeted, seal=exact.seal)
        with torch.enable_grad():
            result = self._run(batch)
        return self._land(batch, result, exact)

    def _integers(self, batch):
        """Which features stay on the grid of integers, where all samples must begin."""
        if self.integer is None:
            return None
        integer = check.check_features("integer", self.integer, batch.x.shape[1:])
        check.check_on_grid(batch.x.cpu().numpy(), integer, batch.index.cpu().numpy())
        return torch.as_tensor(integer, device=batch.x.device)

    def _limit(self, norm, shape):
        """Radius that the parameters ask for, float64."""
        return check.check_eps(self.eps, norm, shape)

    def _radius(self, norm, shape):
        """Radius as float64, 0-d or one number a feature: 0 where nothing may move."""
        eps = self._limit(norm, shape)
        if self.mask is None:
            return eps
        return np.where(check.check_features("mask", self.mask, shape), eps, 0.0)

    def _land(self, batch, result, exact):
        """Put the points exactly into ball, box and grid; on a grid success is judged again."""
        sealed = exact.seal(result.x_adv, batch.x, batch.box)
        if batch.integer is None:
            result.x_adv = sealed
            return result
        rows = batch.rows()
        rounded = batch.snap(result.x_adv, rows)
        outside = exact.size(rounded.double() - batch.x.double()) > 1 + 1e-9
        rounded[outside] = batch.x[outside] + (sealed - batch.x)[outside].trunc()
        result.x_adv = torch.where(batch.integer, rounded, sealed)
        if batch.stop or batch.judge:
            with torch.no_grad():
                result.fooled &= batch.fooled(batch.forward(result.x_adv, rows), rows)
        return result

    def _run(self, batch):
        raise NotImplementedError

    def _check_parameters(self):
        norm = check.check_norm(self.norm)
        if np.ndim(self.eps) == 0:
            self._limit(norm, ())
        check_loss(getattr(self, "loss", "margin"), self.targeted)
        self._check_settings()

    def _check_settings(self):
        """Check the parameters that say how to search, not where."""
        check.check_choice("on_nan", self.on_nan, ("raise", "robust"))
        given = {
            name: value
            for name, value in vars(self).items()
            if not (value is None and name in _MAY_BE_NONE)
        }
        for name in _COUNTS & given.keys():
            check.check_count(name, given[name])
        for name in _NUMBERS.keys() & given.keys():
            check.check_number(name, given[name], **_NUMBERS[name])
