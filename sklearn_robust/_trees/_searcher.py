"""Exact answers about trees: is a sample robust, and where is the nearest adversarial example."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..differentiable import Model
from ..differentiable._meta import unwrapped
from ._check import check_predictions, check_scores
from ._cost import BallCost
from ._parse import is_tree_model, parse_trees
from ._search import BranchAndBound, Found
from ._steps import MonotoneSteps
from ._veritas import VeritasSearch, has_veritas

__all__ = ["Ball", "Decision", "TreeSearcher"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
SINGLE = float(np.finfo(np.float32).eps)


@dataclass
class Ball:
    """Where the adversary may move each sample.

    Attributes
    ----------
    low, high : float64 arrays of shape (n_samples, n_features)
        Smallest box that holds the ball inside the data box.
    order : float
        Order of the norm.
    radius : float64 array of shape (n_samples, n_features)
        Radius of each feature.
    """

    low: Floats
    high: Floats
    order: float
    radius: Floats

    def part(self, rows: Any) -> Ball:
        """Ball around some of the samples."""
        return Ball(self.low[rows], self.high[rows], self.order, self.radius[rows])


@dataclass
class Decision:
    """What the search knows of each sample.

    Attributes
    ----------
    robust : bool array of shape (n_samples,)
        Proven: no point of the ball has another class.
    X_adv : float32 array of shape (n_samples, n_features)
        Adversarial examples, not confirmed yet by ``predict``; NaN where there is none.
    late : bool array of shape (n_samples,)
        Left undecided when time was up.
    """

    robust: NDArray[np.bool_]
    X_adv: NDArray[np.float32]
    late: NDArray[np.bool_]


class TreeSearcher:
    """Search over the trees of a fitted classifier, behind scalers or not.

    Parameters
    ----------
    model : Model
        Opened classifier.
    X : array of shape (n_samples, n_features), float32
        Samples on which the parsed trees are compared with ``predict``, and points near them.

    Raises
    ------
    ValueError
        If a step in front of the trees cannot be followed, or the parsed trees disagree with
        ``predict``.
    """

    def __init__(self, model: Model, X: NDArray[np.float32]) -> None:
        steps, classifier = unwrapped(model.estimator)
        self.model, self.steps = model, MonotoneSteps(steps)
        parsed = parse_trees(classifier)
        self.columns = self.steps.columns(X.shape[1])
        self.ensemble = parsed.ensemble(len(self.columns))
        if len(X):
            Z = self.steps.transform(X.copy())
            check_scores(classifier, parsed, self.ensemble, Z)
            check_predictions(classifier, self.ensemble, Z, model.predict_codes(X))
        slope, shift = self.steps.slopes(X.shape[1])
        with np.errstate(divide="ignore", invalid="ignore"):
            self.levels = [
                (levels - b) / a
                for levels, a, b in zip(self.ensemble.thresholds, slope, shift, strict=True)
            ]
        self._rounds = self.ensemble.casts or bool(steps)
        self._veritas = VeritasSearch(self.ensemble) if has_veritas() else None

    @classmethod
    def knows(cls, model: Model) -> bool:
        """Whether the classifier inside is made of trees, by its class."""
        return is_tree_model(unwrapped(model.estimator)[1])

    @classmethod
    def suits(cls, model: Model) -> bool:
        """Whether the classifier inside is made of trees that can be read and followed."""
        steps, classifier = unwrapped(model.estimator)
        if not is_tree_model(classifier) or cls.unread_columns(model) is not None:
            return False
        try:
            MonotoneSteps(steps)
            parsed = parse_trees(classifier)
            n_features = int(classifier.n_features_in_)
            zeros = np.zeros((1, n_features), dtype=np.float32)
            check_scores(classifier, parsed, parsed.ensemble(n_features), zeros)
        except ValueError:
            return False
        return True

    @staticmethod
    def unread_columns(model: Model) -> str | None:
        """Say what a table holds that the search cannot read; None for numbers alone."""
        table = model.table
        if table is None or not (table.has_missing or table.still.any()):
            return None
        return "missing values" if table.has_missing else "columns of categories or texts"

    def decide(self, X: Floats, codes: Ints, ball: Ball, time_limit: float) -> Decision:
        """Prove samples robust, or find adversarial examples.

        Parameters
        ----------
        X : float64 array of shape (n_samples, n_features)
            Clean samples, classified as ``codes``.
        codes : int array of shape (n_samples,)
            Class codes.
        ball : Ball
            Where the samples may move.
        time_limit : float
            Seconds after which the search for a sample gives up.

        Returns
        -------
        decision : Decision
            For each sample.
        """
        low, high = self.rank_box(ball.low, ball.high)
        return self.decide_ranks(X, codes, low, high, ball, time_limit)

    def decide_ranks(
        self,
        X: Floats,
        codes: Ints,
        low: Ints,
        high: Ints,
        ball: Ball,
        time_limit: float,
        *,
        points: bool = True,
    ) -> Decision:
        """Prove samples robust in boxes of ranks, as ``decide``; ``X_adv`` only with ``points``."""
        n = len(X)
        robust, X_adv = np.zeros(n, dtype=bool), np.full(X.shape, np.nan, dtype=np.float32)
        late = np.zeros(n, dtype=bool)
        for rows in self.ensemble.batches(n):
            reached = self.ensemble.reached(low[rows], high[rows])
            rivals = self._open_rivals(codes[rows], reached)
            for i, row in enumerate(range(n)[rows]):
                sample = _Sample(X[row], int(codes[row]), ball.part(row), low[row], high[row])
                found = self._search(sample, rivals[i], reached[i], time_limit)
                robust[row] = found.box is None and found.complete
                if found.box is not None and points:
                    found = self._materialized(sample, found, rivals[i], time_limit, X_adv[row])
                late[row] = not found.complete
        return Decision(robust, X_adv, late)

    def _materialized(
        self,
        sample: _Sample,
        found: Found,
        rivals: Sequence[int],
        time_limit: float,
        out: NDArray[np.float32],
    ) -> Found:
        """Write a point of a found box that float32 holds into ``out``, if there is any.

        Where rounding alone led into the box, the points that float32 holds are searched.
        """
        for attempt in range(2):
            if found.box is not None:
                point = self.point(sample.x, *found.box, sample.ball)
                if self._holds(point, sample, found.box):
                    out[:] = point
                    return found
            if attempt == 0:
                corners = sample.ball.low[None], sample.ball.high[None]
                low, high = (
                    self.ensemble.ranks(side) for side in self.steps.inner_images(*corners)
                )
                if (low > high).any():
                    return found
                inner = replace(sample, low=low[0], high=high[0], slack=-1.0)
                reached = self.ensemble.reached(low, high)[0]
                found = self._search(inner, rivals, reached, time_limit)
        return found

    def _holds(self, point: NDArray[np.float32], sample: _Sample, box: tuple[Ints, Ints]) -> bool:
        """Whether a point lies in a box of ranks and in the ball."""
        rank, ball = self.ranks(point[None])[0], sample.ball
        moved = np.abs(point.astype(np.float64) - sample.x)
        with np.errstate(divide="ignore", invalid="ignore"):
            size = np.linalg.norm(np.where(moved > 0, moved / ball.radius, 0), ball.order)
        in_box = np.all((ball.low <= point) & (point <= ball.high))
        return bool(in_box and size <= 1 and np.all((box[0] <= rank) & (rank <= box[1])))

    def rank_box(self, low: Floats, high: Floats) -> tuple[Ints, Ints]:
        """Ranks that boxes of samples span after the steps, rounding included."""
        images = self.steps.images(low, high)
        return self.ensemble.ranks(images[0]), self.ensemble.ranks(images[1])

    def ranks(self, X: NDArray[Any]) -> Ints:
        """Ranks of samples, as the classifier computes them."""
        return self.ensemble.ranks(self.steps.transform(X.copy()))

    def _open_rivals(self, codes: Ints, reached: NDArray[np.bool_]) -> list[list[int]]:
        """Classes that the bound of tree by tree does not rule out, the most likely first."""
        n_classes = self.ensemble.n_classes
        excess = np.full((len(codes), n_classes), -np.inf)
        for code in np.unique(codes):
            rows = np.flatnonzero(codes == code)
            for rival in range(n_classes):
                if rival != code:
                    bound = self.ensemble.at_most(reached[rows], self.ensemble.gains(code, rival))
                    excess[rows, rival] = bound - self.ensemble.needed(code, rival)
        order = np.argsort(-excess, axis=1, kind="stable")
        return [[int(k) for k in row if e[k] > 0] for row, e in zip(order, excess, strict=True)]

    def _search(
        self, sample: _Sample, rivals: Sequence[int], reached: NDArray[np.bool_], time_limit: float
    ) -> Found:
        """Search against one rival after the other until one wins."""
        deadline = time.perf_counter() + time_limit
        unsure, complete = None, True
        for rival in rivals:
            needed = self.ensemble.needed(sample.code, rival)
            found = self._against(sample, rival, needed, reached, deadline)
            if found.box is not None and not self._is_clear(found.box, sample.code, rival):
                unsure = found.box  # it may win by rounding alone: does another win clearly?
                needed = self.ensemble.needed(sample.code, rival, surely=True)
                found = self._against(sample, rival, needed, reached, deadline)
            if found.box is not None:
                return found
            complete &= found.complete
        return Found(unsure, complete)

    def _is_clear(self, box: tuple[Ints, Ints], code: int, rival: int) -> bool:
        """Whether the points of a box exceed what rounding explains."""
        sums = self.ensemble.sums(box[0][None])[0]
        return sums[rival] - sums[code] > self.ensemble.needed(code, rival, surely=True)

    def _against(
        self,
        sample: _Sample,
        rival: int,
        needed: float,
        reached: NDArray[np.bool_],
        deadline: float,
    ) -> Found:
        linf = sample.ball.order == np.inf
        gains = self.ensemble.gains(sample.code, rival)
        own = BranchAndBound(self.ensemble, None if linf else self._cost(sample))
        box = sample.low, sample.high
        if not linf or self._veritas is None:
            return own.search(gains, needed, reached, *box, deadline)
        # Best first proves soon, depth first finds soon: each has a first go before the rest.
        now = time.perf_counter()
        wait = deadline - now
        for share in (0.03, 0.3, 1.0):
            until = now + share * wait
            if share == 0.3:
                found = own.search(gains, needed, reached, *box, until)
            else:
                found = self._veritas.search(sample.code, rival, needed, *box, until)
            if found.complete:
                break
        return found

    def _cost(self, sample: _Sample) -> BallCost:
        x, radius = sample.x[self.columns], sample.ball.radius[self.columns]
        rank = self.ranks(sample.x[None])[0]
        slack = 4 * SINGLE * sample.slack * self._rounds
        return BallCost(self.levels, x, rank, radius, sample.ball.order, slack=slack)

    def point(self, x: Floats, low: Ints, high: Ints, ball: Ball) -> NDArray[np.float32]:
        """Point of a box of ranks near a sample, as float32 holds it, shape (n_features,)."""
        point = x.astype(np.float32)
        for step in range(12):
            rank = self.ranks(point[None])[0]
            up, down = rank < low, rank > high
            if not (up | down).any():
                break
            for j in np.flatnonzero(up | down):
                feature, toward = self.columns[j], np.float32(np.inf if up[j] else -np.inf)
                if step == 0:
                    level = self.levels[j][low[j] - 1] if up[j] else self.levels[j][high[j]]
                    point[feature] = np.clip(level, ball.low[feature], ball.high[feature])
                else:
                    point[feature] = np.nextafter(point[feature], toward)
        return point


@dataclass
class _Sample:
    x: Floats
    code: int
    ball: Ball
    low: Ints
    high: Ints
    slack: float = 1.0  # -1 where distances must be certain
