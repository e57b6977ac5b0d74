"""Exact distances of the nearest adversarial examples of trees."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._cost import BallCost
from ._search import BranchAndBound
from ._searcher import Ball, TreeSearcher

__all__ = ["tree_distances"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def tree_distances(
    searcher: TreeSearcher, X: Floats, codes: Ints, ball: Ball, time_limit: float
) -> tuple[Floats, NDArray[np.bool_]]:
    """Distances of the nearest adversarial examples.

    Parameters
    ----------
    searcher : TreeSearcher
        Trees.
    X : float64 array of shape (n_samples, n_features)
        Clean samples, classified as ``codes``.
    codes : int array of shape (n_samples,)
        Class codes.
    ball : Ball
        Its box is that of the data, its radius the unit of each feature's distance.
    time_limit : float
        Seconds after which each single search gives up.

    Returns
    -------
    distance : float64 array of shape (n_samples,)
        Proved: no adversarial example is nearer. Infinite where there is none.
    exact : bool array of shape (n_samples,)
        Whether one is as near as that.
    """
    if ball.order == np.inf:
        return _linf_distances(searcher, X, codes, ball, time_limit)
    found = [
        _distance(searcher, X[i], int(codes[i]), ball.part(i), time_limit) for i in range(len(X))
    ]
    columns = np.array(found, dtype=np.float64).reshape(len(X), 2)
    return columns[:, 0], columns[:, 1].astype(bool)


def _linf_distances(
    searcher: TreeSearcher, X: Floats, codes: Ints, ball: Ball, time_limit: float
) -> tuple[Floats, NDArray[np.bool_]]:
    """Bisect over the distances of all thresholds, all samples at once."""
    steps = _Crossings(searcher, X, ball)
    last = steps.n_steps
    proven, broken = np.full(len(X), -1), last.copy()  # positions among each sample's distances
    exact = np.ones(len(X), dtype=bool)
    rows = np.arange(len(X))
    position = last - 1  # everything that the box allows comes first
    while len(rows):
        low, high = steps.ranks(rows, position[rows])
        decision = searcher.decide_ranks(
            X[rows], codes[rows], low, high, ball.part(rows), time_limit, points=False
        )
        robust = decision.robust
        proven[rows[robust]] = position[rows[robust]]
        broken[rows[~robust]] = position[rows[~robust]]
        exact[rows[~robust]] = ~decision.late[~robust]
        rows = rows[broken[rows] - proven[rows] > 1]
        position[rows] = (proven[rows] + broken[rows]) // 2
    endless = proven == last - 1
    ends = np.flatnonzero(~endless)
    if len(ends):
        exact[ends] &= _confirmed(searcher, steps, ends, broken, X, codes, ball, time_limit)
    return np.where(endless, np.inf, steps.distance(broken)), exact | endless


def _confirmed(
    searcher: TreeSearcher,
    steps: _Crossings,
    rows: Ints,
    position: Ints,
    X: Floats,
    codes: Ints,
    ball: Ball,
    time_limit: float,
) -> NDArray[np.bool_]:
    """Which distances belong to points that ``predict`` gives another class; a tie may not."""
    low, high = steps.ranks(rows, position[rows])
    part = ball.part(rows)
    wide = replace(part, order=np.inf, radius=np.where(part.radius > 0, np.inf, 0.0))
    found = searcher.decide_ranks(X[rows], codes[rows], low, high, wide, time_limit)
    given = np.isfinite(found.X_adv).all(1)
    confirmed = np.zeros(len(rows), dtype=bool)
    if given.any():
        points = found.X_adv[given]
        confirmed[given] = searcher.model.predict_codes(points) != codes[rows][given]
    return confirmed


class _Crossings:
    """Distances at which a growing ball around each sample crosses thresholds.

    Parameters
    ----------
    searcher : TreeSearcher
        Trees.
    X : float64 array of shape (n_samples, n_features)
        Samples.
    ball : Ball
        The box of the data and the units.
    """

    def __init__(self, searcher: TreeSearcher, X: Floats, ball: Ball) -> None:
        columns = searcher.columns
        self.low, self.high = searcher.rank_box(ball.low, ball.high)
        self.rank = searcher.ranks(X.astype(np.float32))
        feature = np.repeat(np.arange(len(columns)), [len(row) for row in searcher.levels])
        number = np.concatenate([np.arange(len(row)) for row in searcher.levels])
        level = np.concatenate(searcher.levels)
        radius = ball.radius[:, columns][:, feature]
        gap = level - X[:, columns][:, feature]
        self.up = self.rank[:, feature] <= number
        gap = np.maximum(np.where(self.up, gap, -gap), 0)
        inside = np.where(self.up, number < self.high[:, feature], number >= self.low[:, feature])
        with np.errstate(divide="ignore", invalid="ignore"):
            self.gap = np.where(inside & (radius > 0), gap / radius, np.inf)
        self.feature = feature
        self.sorted = np.sort(np.hstack([np.zeros((len(X), 1)), self.gap]), axis=1)
        self.n_steps = np.isfinite(self.sorted).sum(1)

    def distance(self, position: Ints) -> Floats:
        """Distance (n_samples,) at each position."""
        rows = np.arange(len(position))
        return self.sorted[rows, np.minimum(position, self.sorted.shape[1] - 1)]

    def ranks(self, rows: Ints, position: Ints) -> tuple[Ints, Ints]:
        """Boxes of ranks of points hardly farther than the distances at the positions."""
        crossed = self.gap[rows] <= self.sorted[rows, position][:, None]
        low, high = self.rank[rows].copy(), self.rank[rows].copy()
        for i in range(len(rows)):
            up = self.up[rows[i]]
            np.add.at(high[i], self.feature[crossed[i] & up], 1)
            np.subtract.at(low[i], self.feature[crossed[i] & ~up], 1)
        return low, high


def _distance(
    searcher: TreeSearcher, x: Floats, code: int, ball: Any, time_limit: float
) -> tuple[float, bool]:
    """Search for ever nearer points of one sample until none is left."""
    ensemble, columns = searcher.ensemble, searcher.columns
    low, high = (side[0] for side in searcher.rank_box(ball.low[None], ball.high[None]))
    reached = ensemble.reached(low[None], high[None])[0]
    rank, unit = searcher.ranks(x.astype(np.float32)[None])[0], ball.radius[columns]
    measure = BallCost(searcher.levels, x[columns], rank, unit, ball.order, slack=0.0)
    deadline = time.perf_counter() + time_limit
    nearest, complete, box = np.inf, True, None
    for rival in range(ensemble.n_classes):
        gains, needed = ensemble.gains(code, rival), ensemble.needed(code, rival)
        while rival != code:
            cost = measure.within(nearest)
            search = BranchAndBound(ensemble, cost)
            found = search.search(gains, needed, reached, low, high, deadline)
            complete &= found.complete
            if found.box is None:
                break
            box = found.box
            nearest = float(measure.distance(box[0][None], box[1][None])[0])
    if not complete or box is None:
        return (nearest, True) if complete else (0.0, False)
    point = searcher.point(x, *box, ball)
    return nearest, bool(searcher.model.predict_codes(point[None])[0] != code)
