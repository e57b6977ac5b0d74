"""HopSkipJump attack."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .._functional import flat_norm
from .._norms import LinfNorm, column
from ..differentiable import Model
from ..differentiable._scores import ScoreFunction
from ._batch import AttackBatch
from ._minimum_norm import MinimumNormAttack, MinimumNormSearch
from ._parameters import attack_class

__all__ = ["HopSkipJump"]

_STARTS = 30  # random points that are tried at most for a first success
_CHOICES = 8  # random points that each sample tries: it begins with the one nearest by
_HALVINGS = 12  # of the way to the boundary, and of a jump
_PROBE = (0.01, 0.1)  # least and greatest radius of the probes, as a share of the distance
_ROWS = 1024  # points that are asked for at once
_TINY = 1e-30


@attack_class
class HopSkipJump(MinimumNormAttack):
    """HopSkipJump: walks along the boundary, and asks for nothing but predicted labels.

    It attacks any fitted classifier that has ``predict``.

    Parameters
    ----------
    %(estimator)s
    %(largest_distance)s
    norm : {"l2", "linf"}, default="l2"
        Norm of the distance.
    %(constraints)s
    max_iter : int, default=20
        Number of jumps.
    n_directions : int, default=50
        Random directions that the first jump asks in; the jump number t asks in sqrt(t) times as
        many.
    %(targeted)s
    %(settings)s

    See Also
    --------
    Square : Asks for scores and finds more.
    FAB : Follows gradients.

    Notes
    -----
    At a point of the boundary the labels of nearby points estimate its normal,
    ``v = sum_b (phi_b - mean phi) u_b``, where phi_b is 1 if the point in the random direction u_b
    is adversarial and -1 otherwise. A jump of length ``distance / sqrt(t)`` along v (in linf along
    its signs), halved until it ends at an adversarial point, is followed by a bisection toward the
    clean sample. The walk begins with the nearest of several random adversarial points; where none
    of 30 is adversarial, the distance is infinite. Distances are upper bounds, and looser than
    those of attacks by gradient.

    %(nearest)s

    References
    ----------
    Chen, Jordan, Wainwright, "HopSkipJumpAttack: a query-efficient decision-based attack", IEEE
    Symposium on Security and Privacy 2020.

    Examples
    --------
    A classifier that gives labels and no scores:

    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import Perceptron
    >>> from sklearn.ensemble import VotingClassifier
    >>> from sklearn_robust.attacks import HopSkipJump
    >>> X, y = load_iris(return_X_y=True)
    >>> votes = VotingClassifier([("a", Perceptron()), ("b", Perceptron(alpha=0.1))]).fit(X, y)
    >>> result = HopSkipJump(max_iter=5, random_state=0).evaluate(votes, X[:10], y[:10])
    >>> bool(result.fooled.all()), bool((votes.predict(result.X_adv) != y[:10]).all())
    (True, True)
    """

    norm: Any = "l2"
    max_iter: int = 20
    n_directions: int = 50
    targeted: bool = False

    needs_gradient = False
    supported_norms = ("l2", "linf")

    def logits_of(self, model: Model) -> Any:
        """Choose what to ask: labels of a model without a gradient, else logits for their labels.

        Parameters
        ----------
        model : Model
            As of ``open_model``.

        Returns
        -------
        logits : callable
            Maps a tensor of samples to logits, whose largest one is all that is looked at.
        """
        return model.scores if model.differentiable else LabelFunction(model)

    @torch.no_grad()
    def find_nearest(self, batch: AttackBatch, search: MinimumNormSearch) -> None:
        """Search for the nearest adversarial examples.

        Parameters
        ----------
        batch : AttackBatch
            What is attacked.
        search : MinimumNormSearch
            Keeps what is found.
        """
        walk = BoundaryWalk(batch, search, self.n_directions)
        search.note(batch.rows(), batch.x, batch.clean())
        walk.begin()
        for jump in range(1, self.max_iter + 1):
            rows = torch.nonzero(walk.found).flatten()
            rows = rows[search.unfinished(rows)]
            if not len(rows):
                return
            walk.jump(rows, jump)


class LabelFunction(ScoreFunction):
    """What a label-only attack sees of a classifier: 1 for the predicted class, 0 for others."""

    def __init__(self, model: Model) -> None:
        super().__init__(model.estimator)
        self.model = model

    def _scores(self, X: Any) -> NDArray[np.float64]:
        return np.eye(len(self.classes_))[self.model.predict_codes(X)]


class BoundaryWalk:
    """Adversarial points next to the boundary, in units in which the ball is round.

    Attributes
    ----------
    w : tensor of shape (n, ...)
        Perturbation of each sample, adversarial where ``found``.
    found : bool tensor of shape (n,)
        Samples that have an adversarial point.
    """

    def __init__(self, batch: AttackBatch, search: MinimumNormSearch, n_directions: int) -> None:
        self.batch, self.search, self.n_directions = batch, search, n_directions
        self.linf = isinstance(search.ball, LinfNorm)
        self.order = math.inf if self.linf else 2
        self.w = torch.zeros_like(batch.x)
        self.found = torch.zeros_like(batch.rows(), dtype=torch.bool)
        self.stream = _STARTS  # the same for a sample whatever its batch

    def begin(self) -> None:
        """Look for adversarial points at random, and begin next to the nearest by."""
        batch, ball = self.batch, self.search.ball
        for number in range(_STARTS):
            rows = batch.rows()
            if number >= _CHOICES:
                rows = rows[~self.found]
            rows = rows[self.search.unfinished(rows)]
            if not len(rows):
                return
            x = batch.x[rows]
            d = self._anywhere(x, batch.noise[rows].uniform(x, number), number) * ball.free
            w = self._inside(rows, d * ball.inverse)
            hit = self._fools(rows, w, noted=True)
            rows, w = rows[hit], w[hit]
            if len(rows):
                self._keep_nearer(rows, self._bisect(rows, w))

    def _keep_nearer(self, rows: torch.Tensor, w: torch.Tensor) -> None:
        before = flat_norm(self.w[rows], self.order)
        nearer = ~self.found[rows] | (flat_norm(w, self.order) <= before)
        self.w[rows[nearer]] = w[nearer]
        self.found[rows] = True

    def _anywhere(self, x: torch.Tensor, u: torch.Tensor, number: int) -> torch.Tensor:
        """Perturbations to random points of the box; without one, ever farther away."""
        spread = column(x.flatten(1).abs().amax(1) + 1, x) * 2.0 ** (number - 2)
        away = (2 * u - 1) * spread
        if self.batch.box.bounds is None:
            return away
        low, high = self.batch.box.lower, self.batch.box.upper
        inside = low + u * (high - low) - x
        return torch.where(torch.isfinite(inside), inside, away).to(x)

    def jump(self, rows: torch.Tensor, number: int) -> None:
        """Jump along the estimated normal, and go back to the boundary."""
        w = self.w[rows]
        size = flat_norm(w, self.order)
        normal = self._normal(rows, w, size, round(self.n_directions * math.sqrt(number)))
        length, landed = size / math.sqrt(number), torch.zeros_like(self.found[rows])
        ahead = w.clone()
        for _ in range(_HALVINGS):
            left = torch.nonzero(~landed).flatten()
            if not len(left):
                break
            there = w[left] + column(length[left], w) * normal[left]
            there = self._inside(rows[left], there)
            hit = self._fools(rows[left], there)
            ahead[left[hit]], landed[left[hit]] = there[hit], True
            length = length / 2
        self._keep_nearer(rows, self._bisect(rows, ahead))

    def _normal(
        self, rows: torch.Tensor, w: torch.Tensor, size: torch.Tensor, n_directions: int
    ) -> torch.Tensor:
        """Directions away from the clean classes, of length 1, estimated from labels."""
        free = self.search.ball.free
        n_free = max(int(free.expand(w.shape[1:]).sum()), 1)
        radius = column(size * min(max(1 / n_free, _PROBE[0]), _PROBE[1]), w)
        total, signed, mean = torch.zeros_like(w), torch.zeros_like(w), torch.zeros_like(size)
        at_once = max(_ROWS // len(rows), 1)
        for first in range(0, n_directions, at_once):
            n = min(at_once, n_directions - first)
            u = torch.stack([self._direction(rows, w) for _ in range(n)])
            probes = self._inside(rows.repeat(n), (w + radius * u).flatten(0, 1)).view_as(u)
            u = (probes - w) / radius.clamp_min(_TINY)  # what the box left of the direction
            phi = 2 * self._fools(rows.repeat(n), probes.flatten(0, 1)).to(w).view(n, -1) - 1
            self.batch.n_queries[rows] += n - 1
            total, mean = total + u.sum(0), mean + phi.sum(0) / n_directions
            signed = signed + (phi.view(n, -1, *[1] * (w.ndim - 1)) * u).sum(0)
        one_sided = mean.abs() > 1 - 1e-9  # all probes agree: their mean says where they lie
        v = torch.where(column(one_sided, w), signed, signed - column(mean, w) * total)
        return v.sign() if self.linf else v / column(flat_norm(v, 2), v).clamp_min(_TINY)

    def _direction(self, rows: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        """Random directions of Euclidean length 1, one for each row."""
        noise, self.stream = self.batch.noise[rows], self.stream + 1
        u = 2 * noise.uniform(w, self.stream) - 1 if self.linf else noise.normal(w, self.stream)
        u = self.search.ball.only_free(u)
        return u / column(flat_norm(u, 2), u).clamp_min(_TINY)

    def _bisect(self, rows: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        """Nearest adversarial points toward the clean samples: on the line, in linf by clipping."""
        size = flat_norm(w, self.order)
        low, high = torch.zeros_like(size), size.clone()
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            hit = self._fools(rows, self._shrunk(w, size, middle), noted=True)
            low, high = torch.where(hit, low, middle), torch.where(hit, middle, high)
        return torch.where(column(high < size, w), self._shrunk(w, size, high), w)

    def _shrunk(self, w: torch.Tensor, size: torch.Tensor, to: torch.Tensor) -> torch.Tensor:
        if self.linf:
            return w.minimum(column(to, w)).maximum(-column(to, w))
        return w * column(to / size.clamp_min(_TINY), w)

    def _inside(self, rows: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        """Perturbations cut off by the box."""
        x = self.batch.x[rows]
        return (self.batch.box.clamp(x + self.search.ball.eps * w) - x) * self.search.ball.inverse

    def _fools(self, rows: torch.Tensor, w: torch.Tensor, *, noted: bool = False) -> torch.Tensor:
        """Whether the points are adversarial; with ``noted`` the nearest are kept."""
        x_adv = self.batch.box.clamp(self.batch.x[rows] + self.search.ball.eps * w)
        z = self.batch.forward(x_adv, rows)
        return self.search.note(rows, x_adv, z) if noted else self.batch.fooled(z, rows)
