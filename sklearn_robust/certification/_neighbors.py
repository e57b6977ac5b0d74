"""Certifier of nearest neighbours: exact for one neighbour, a bound for several."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.neighbors import KNeighborsClassifier

from .. import _validation as check
from .._norms import get_norm
from ._affine import AffineMap, affine_map
from ._nearest_point import NearestPoint
from ._problem import Certificate, Problem, Radii
from ._registry import register_certifier

__all__ = ["certify_neighbors", "neighbor_radii"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_DUAL = {1.0: np.inf, 2.0: 2.0, np.inf: 1.0}  # orders of the norms that are followed exactly


@dataclass
class _Voronoi:
    """Training samples, their codes, and the affine map of samples into their space."""

    points: Floats
    codes: Ints
    into: AffineMap
    n_needed: int  # neighbours of other classes that it takes to lose

    def rivals(self, problem: Problem, i: int) -> _Rivals:
        """Points that may become neighbours of one sample, and those that stand against them."""
        x = problem.X[i].ravel()
        image = x @ self.into.weight + self.into.bias
        same = self.codes == problem.codes[i]
        squares = np.square(self.points - image).sum(1)
        order = np.argsort(squares[same], kind="stable")
        return _Rivals(
            own=self.points[same][order],
            own_square=squares[same][order],
            other=self.points[~same],
            other_square=squares[~same],
            weight=self.into.weight,
        )


@dataclass
class _Rivals:
    """Points of the class of a sample, the nearest first, and of the others.

    A perturbation d makes another point z no farther than an own point t if
    ``slope(z, t) @ d <= level(z, t)``.
    """

    own: Floats
    own_square: Floats
    other: Floats
    other_square: Floats
    weight: Floats
    known: dict[int, tuple[Floats, Floats]] = field(default_factory=dict)

    def slopes(self, z: Ints | int, t: Ints | int) -> Floats:
        """Slopes of the bisectors, in the space of the samples."""
        return 2 * (self.own[t] - self.other[z]) @ self.weight.T

    def levels(self, z: Ints | int, t: Ints | int) -> Floats:
        """Levels of the bisectors."""
        return self.own_square[t] - self.other_square[z]

    def within(self, low: Floats, high: Floats, n_allowed: int) -> Ints:
        """Other points that more than ``n_allowed`` own ones do not rule out in a box of d."""
        alive = np.arange(len(self.other))
        beaten = np.zeros(len(self.other), dtype=np.int64)
        for t in range(len(self.own)):
            slope = self.slopes(alive, t)
            least = np.minimum(slope * low, slope * high).sum(1)
            level = self.levels(alive, t)
            size = np.abs(slope).max(initial=1) + np.abs(level).max(initial=0)
            beaten[alive[least > level + 1e-9 * size]] += 1
            alive = alive[beaten[alive] <= n_allowed]
            if not len(alive):
                break
        return alive

    def far(self, z: Ints, radius: Floats, dual: float, n_allowed: int = 0) -> Floats:
        """Lower bounds of the distances at which other points beat all but ``n_allowed`` own."""
        nearest = range(min(30, len(self.own)))
        bounds = np.zeros((len(nearest), len(z)))
        for t in nearest:
            size = np.linalg.norm(self.slopes(z, t) * radius, dual, axis=1)
            with np.errstate(divide="ignore", invalid="ignore"):
                bound = -self.levels(z, t) / size
            bounds[t] = np.maximum(np.where(np.isnan(bound), 0, bound), 0)
        if len(nearest) <= n_allowed:
            return np.zeros(len(z))
        return np.sort(bounds, axis=0)[-1 - n_allowed]

    def bisectors(self, z: int) -> tuple[Floats, Floats]:
        """Slopes and levels of the bisectors with all own points, scaled alike."""
        if z not in self.known:
            every = np.arange(len(self.own))
            slopes, levels = self.slopes(z, every), self.levels(z, every)
            scale = np.abs(slopes).sum(1) + 1e-300
            self.known[z] = slopes / scale[:, None], levels / scale
        return self.known[z]


def certify_neighbors(problem: Problem) -> Certificate | str:
    """Prove that no other training point can become a neighbour of the samples.

    Parameters
    ----------
    problem : Problem
        Whose classifier is KNeighborsClassifier.

    Returns
    -------
    certificate : Certificate or str
        Exact for one neighbour; or why the certifier does not apply.
    """
    space = _space(problem)
    if isinstance(space, str):
        return space
    low, high = (side - problem.X for side in problem.limits)
    proven = np.zeros(len(problem.X), dtype=bool)
    X_adv = np.full(problem.X.shape, np.nan, dtype=np.float32)
    n_late = 0
    for i in range(len(problem.X)):
        rivals = space.rivals(problem, i)
        search = _Search(problem, i, rivals, space.n_needed)
        box = low[i].ravel(), high[i].ravel()
        found = search.run(*box, time.perf_counter() + problem.time_limit)
        proven[i] = found is None
        n_late += found is False
        if isinstance(found, np.ndarray):
            X_adv[i] = (problem.X[i].ravel() + found).reshape(problem.X.shape[1:])
    if problem.factor is None and np.isfinite(X_adv).any():
        given = np.isfinite(X_adv.reshape(len(X_adv), -1)).all(1)
        X_adv[given] = problem.threat.project(X_adv[given], problem.X[given].astype(np.float32))
    note = None
    if n_late:
        note = (
            f"The search ran out of time on {n_late} of {len(proven)} samples, which are not "
            f"certified: raise time_limit={problem.time_limit:g}."
        )
    return Certificate(proven, X_adv, note)


class _Search:
    """Search for a perturbation of one sample that brings enough other neighbours.

    Parameters
    ----------
    problem : Problem
        Threat model.
    i : int
        Number of the sample.
    rivals : _Rivals
        Training points.
    n_needed : int
        How many points of other classes must be nearer than all but ``n_needed - 1`` own ones.
    """

    def __init__(self, problem: Problem, i: int, rivals: _Rivals, n_needed: int) -> None:
        self.order = get_norm(problem.threat.norm).order
        self.radius, self.rivals, self.n_needed = problem.radius[i].ravel(), rivals, n_needed

    def run(self, low: Floats, high: Floats, deadline: float) -> Floats | bool | None:
        """Return a perturbation; None if there is none, False if time was up before."""
        rivals, n_allowed = self.rivals, self.n_needed - 1
        alive = rivals.within(low, high, n_allowed)
        if self.order in _DUAL:
            far = rivals.far(alive, self.radius, _DUAL[self.order], n_allowed)
            alive = alive[far <= 1 + 1e-9]
        if len(alive) < self.n_needed:
            return None
        alive = alive[np.argsort(rivals.other_square[alive], kind="stable")]
        order = self.order if self.order in _DUAL else np.inf
        nearest = NearestPoint(order, self.radius, low, high)
        if n_allowed:  # what no point alone can do, several together cannot
            every = [self._together([int(z)], nearest, deadline) for z in alive]
            alive = alive[[found is not None for found in every]]
        for chosen in combinations(alive.tolist(), self.n_needed):
            d = self._together(list(chosen), nearest, deadline)
            if d is False:
                return False
            if isinstance(d, np.ndarray):
                return self._pushed(d, chosen[0], low, high)
        return None

    def _together(
        self, chosen: list[int], nearest: NearestPoint, deadline: float
    ) -> Floats | bool | None:
        distance, d = _set_distance(self.rivals, chosen, nearest, 1.0, self.n_needed - 1, deadline)
        if np.isnan(distance):
            return False
        return d if distance <= 1 + 1e-9 else None

    def _pushed(self, d: Floats, z: int, low: Floats, high: Floats) -> Floats:
        """Move a point of the boundary a little toward another point."""
        toward = -self.rivals.slopes(z, 0)
        step = 1e-5 * np.where(self.radius > 0, np.minimum(self.radius, 1), 0)
        return np.clip(d + step * toward / (np.abs(toward).max() or 1), low, high)


def _set_distance(
    rivals: _Rivals,
    chosen: list[int],
    nearest: NearestPoint,
    limit: float,
    n_allowed: int,
    deadline: float = np.inf,
) -> tuple[float, Floats]:
    """Distance at which all the ``chosen`` points are nearer than all but some own ones.

    Bisectors are added as they turn out to be violated; of ``n_allowed`` + 1 own points that are
    too near, one at least must be left behind, and each of them is tried. A distance above
    ``limit`` is a lower bound, and NaN says that time was up.
    """
    pairs = [rivals.bisectors(z) for z in chosen]
    slopes = np.concatenate([slope[None] for slope, _ in pairs])
    levels = np.stack([level for _, level in pairs])
    todo: list[list[int]] = [[]]
    least, nothing = np.inf, np.zeros(slopes.shape[-1])
    while todo:
        behind = todo.pop()
        if time.perf_counter() > deadline:
            return np.nan, nothing
        distance, d = 0.0, nothing
        if behind:
            rows = slopes[:, behind].reshape(-1, slopes.shape[-1])
            distance, d = nearest.solve(rows, levels[:, behind].ravel())
        if distance > limit:
            least = min(least, distance)
            continue
        excess = (slopes @ d - levels).max(0)
        excess[behind] = -np.inf
        violated = np.flatnonzero(excess > 1e-9)
        if len(violated) <= n_allowed:
            return distance, d
        worst = violated[np.argsort(-excess[violated], kind="stable")][: n_allowed + 1]
        todo += [[*behind, int(t)] for t in reversed(worst)]
    return least, nothing


def neighbor_radii(problem: Problem) -> Radii | None:
    """Distances at which a point of another class becomes the nearest.

    Parameters
    ----------
    problem : Problem
        Whose classifier is KNeighborsClassifier.

    Returns
    -------
    radii : Radii or None
        None where there are several neighbours, or a step cannot be followed.
    """
    space = _space(problem)
    order = get_norm(problem.threat.norm).order
    if isinstance(space, str) or space.n_needed > 1 or order not in _DUAL:
        return None
    low, high = (side - problem.X for side in problem.limits)
    unit = np.broadcast_to(problem.threat.radius, problem.X.shape[1:]).ravel()
    radius = np.full(len(problem.X), np.inf)
    for i in range(len(problem.X)):
        rivals = space.rivals(problem, i)
        nearest = NearestPoint(order, unit, low[i].ravel(), high[i].ravel())
        far = rivals.far(np.arange(len(rivals.other)), unit, _DUAL[order])
        for z in np.argsort(far, kind="stable"):
            if far[z] >= radius[i]:
                break
            distance, _ = _set_distance(rivals, [int(z)], nearest, radius[i], 0)
            radius[i] = min(radius[i], distance)
    exact = problem.threat.integer is None
    return Radii(radius * (1 - 1e-9), np.full(len(radius), exact))


def _space(problem: Problem) -> _Voronoi | str:
    """Training points, or why nothing can be said."""
    model = problem.classifier
    points, codes, metric = check.neighbors_of(model)
    if metric not in ("euclidean", "l2"):
        return f"Nothing is proven of {type(model).__name__}(metric={metric!r}): use 'euclidean'."
    if model.n_neighbors > 1 and (model.weights != "uniform" or model.n_neighbors % 2 == 0):
        return (
            f"Nothing is proven of {type(model).__name__} with n_neighbors={model.n_neighbors} and "
            f"weights={model.weights!r}: use an odd number and weights='uniform'."
        )
    into = affine_map(problem.steps, problem.X[0].size)
    if isinstance(into, str):
        return f"Nothing is proven behind the steps of the pipeline: {into}."
    points = points.toarray() if sparse.issparse(points) else np.asarray(points)
    return _Voronoi(points.astype(np.float64), codes, into, (model.n_neighbors + 1) // 2)


register_certifier(KNeighborsClassifier, certify_neighbors, radius=neighbor_radii)
