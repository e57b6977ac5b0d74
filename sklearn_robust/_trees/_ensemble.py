"""Ensemble of trees over ranks: which leaves a box reaches, and what they add up to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

__all__ = ["Ensemble", "Tree"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
_CELLS = 4_000_000  # entries of one temporary array


@dataclass
class Tree:
    """One tree as arrays, one entry per node; node 0 is the root.

    Attributes
    ----------
    feature : int array
        Feature that a node asks for, -1 in leaves.
    threshold : float64 array
        A sample goes left where its feature is at most that.
    left, right : int arrays
        Children.
    value : float64 array of shape (n_nodes, n_classes)
        What a leaf adds to each class.
    """

    feature: Ints
    threshold: Floats
    left: Ints
    right: Ints
    value: Floats


@dataclass
class Ensemble:
    """Sum of trees over the ranks of the features.

    The rank of a value is the number of thresholds of its feature that lie below it, so that
    ``x <= threshold[k]`` just where ``rank <= k``. Boxes of ranks know no rounding.

    Attributes
    ----------
    thresholds : list of float64 arrays
        Increasing thresholds of each feature.
    feature, rank, left, right, tree : int arrays of shape (n_nodes,)
        Nodes of all trees. A node sends ranks of at most ``rank`` to ``left``.
    value : float64 array of shape (n_nodes, n_classes)
        What leaves add; 0 in other nodes.
    roots : int array of shape (n_trees,)
        Where each tree begins.
    casts : bool
        Whether samples are rounded to float32 before they are compared.
    tol : float
        Differences of two classes' sums up to that may be rounding: which class wins is left to
        ``predict``. 0 where the sums are exact and the first of the largest wins.
    offset : float64 array of shape (n_classes,)
        What each class has before the first tree.
    """

    thresholds: list[Floats]
    feature: Ints
    rank: Ints
    left: Ints
    right: Ints
    tree: Ints
    value: Floats
    roots: Ints
    casts: bool
    tol: float
    offset: Floats = field(default_factory=lambda: np.zeros(1))

    @classmethod
    def of(
        cls, trees: Sequence[Tree], n_features: int, *, casts: bool, precision: float
    ) -> Ensemble:
        """Ensemble of trees whose sums are computed to the relative ``precision``."""
        starts = np.cumsum([0, *(len(tree.feature) for tree in trees)])
        feature = np.concatenate([tree.feature for tree in trees])
        threshold = np.concatenate([tree.threshold for tree in trees])
        shift = np.repeat(starts[:-1], np.diff(starts))
        leaf = feature < 0
        value = np.where(leaf[:, None], np.concatenate([tree.value for tree in trees]), 0.0)
        thresholds, rank = [], np.zeros(len(feature), dtype=np.int64)
        for j in range(n_features):
            rows = feature == j
            levels, rank[rows] = np.unique(threshold[rows], return_inverse=True)
            thresholds.append(levels)
        exact = bool(np.all(value == np.round(value)) and np.abs(value).max(initial=0) < 2**40)
        largest = [np.abs(tree.value[tree.feature < 0]).max(initial=0) for tree in trees]
        tol = 0.0 if exact else precision * (len(trees) + 4) * (float(np.sum(largest)) + 1)
        return cls(
            thresholds=thresholds,
            feature=feature,
            rank=rank,
            left=np.concatenate([tree.left for tree in trees]) + shift,
            right=np.concatenate([tree.right for tree in trees]) + shift,
            tree=np.repeat(np.arange(len(trees)), np.diff(starts)),
            value=value,
            roots=starts[:-1],
            casts=casts,
            tol=tol,
            offset=np.zeros(value.shape[1]),
        )

    # -- structure --------------------------------------------------------------------------

    @property
    def n_features(self) -> int:
        """Number of features."""
        return len(self.thresholds)

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return self.value.shape[1]

    @cached_property
    def n_ranks(self) -> Ints:
        """How many ranks each feature has."""
        return np.array([len(levels) + 1 for levels in self.thresholds])

    @cached_property
    def leaves(self) -> Ints:
        """Nodes that are leaves, tree after tree."""
        return np.flatnonzero(self.feature < 0)

    @cached_property
    def first_leaves(self) -> Ints:
        """Where each tree begins among the leaves."""
        return np.searchsorted(self.tree[self.leaves], np.arange(len(self.roots)))

    @cached_property
    def levels(self) -> list[Ints]:
        """Inner nodes by depth, from the roots down."""
        levels: list[Ints] = []
        nodes = self.roots
        while True:
            nodes = nodes[self.feature[nodes] >= 0]
            if not len(nodes):
                return levels
            levels.append(nodes)
            nodes = np.concatenate([self.left[nodes], self.right[nodes]])

    @cached_property
    def leaf_boxes(self) -> tuple[Ints, Ints]:
        """Smallest and largest rank of each feature in each leaf, (n_leaves, n_features)."""
        low = np.zeros((len(self.feature), self.n_features), dtype=np.int64)
        high = np.broadcast_to(self.n_ranks - 1, low.shape).copy()
        for nodes in self.levels:
            for child, side in ((self.left[nodes], high), (self.right[nodes], low)):
                low[child], high[child] = low[nodes], high[nodes]
                cut = self.rank[nodes] + (side is low)
                inside = side[child, self.feature[nodes]]
                tighter = np.maximum if side is low else np.minimum
                side[child, self.feature[nodes]] = tighter(inside, cut)
        return low[self.leaves], high[self.leaves]

    # -- samples ----------------------------------------------------------------------------

    def ranks(self, X: NDArray[np.floating]) -> Ints:
        """Ranks (n_samples, n_features) of samples."""
        if self.casts:
            with np.errstate(over="ignore"):
                X = X.astype(np.float32).astype(np.float64)
        X = np.asarray(X, dtype=np.float64)
        ranks = np.zeros(X.shape, dtype=np.int64)
        for j, levels in enumerate(self.thresholds):
            if len(levels):
                ranks[:, j] = np.searchsorted(levels, X[:, j], side="left")
        return ranks

    def sums(self, ranks: Ints) -> Floats:
        """Add up what the trees give each class, (n_samples, n_classes)."""
        rows = np.arange(len(ranks))[:, None]
        nodes = np.broadcast_to(self.roots, (len(ranks), len(self.roots))).copy()
        for _ in self.levels:
            goes_left = ranks[rows, self.feature[nodes]] <= self.rank[nodes]
            below = np.where(goes_left, self.left[nodes], self.right[nodes])
            nodes = np.where(self.feature[nodes] < 0, nodes, below)
        return self.value[nodes].sum(1)

    def reached(self, low: Ints, high: Ints) -> NDArray[np.bool_]:
        """Which leaves boxes of ranks reach, (n_samples, n_leaves)."""
        reached = np.zeros((len(low), len(self.feature)), dtype=bool)
        reached[:, self.roots] = True
        for nodes in self.levels:
            above, feature, rank = reached[:, nodes], self.feature[nodes], self.rank[nodes]
            reached[:, self.left[nodes]] = above & (low[:, feature] <= rank)
            reached[:, self.right[nodes]] = above & (high[:, feature] > rank)
        return reached[:, self.leaves]

    def at_most(self, reached: NDArray[np.bool_], gains: Floats) -> Floats:
        """Upper bounds of the sums of ``gains`` of leaves, (n_samples,): the best of each tree."""
        best = np.maximum.reduceat(np.where(reached, gains, -np.inf), self.first_leaves, axis=1)
        return best.sum(1)

    def gains(self, code: int, rival: int) -> Floats:
        """Compute what each leaf adds to the class ``rival`` over the class ``code``."""
        value = self.value[self.leaves]
        return value[:, rival] - value[:, code]

    def needed(self, code: int, rival: int, *, surely: bool = False) -> float:
        """Gain of leaves above which the class ``rival`` may win over the class ``code``.

        Exact sums are integers, and a tie goes to the first class. Of others ``surely`` asks for
        a gain that no rounding explains.
        """
        ahead = float(self.offset[code] - self.offset[rival])
        if self.tol == 0:
            return ahead + (-0.5 if rival < code else 0.5)
        return ahead + (self.tol if surely else -self.tol)

    def batches(self, n_samples: int) -> Iterable[slice]:
        """Yield slices of samples whose temporary arrays stay small."""
        size = max(1, _CELLS // len(self.feature))
        return (slice(start, start + size) for start in range(0, n_samples, size))
