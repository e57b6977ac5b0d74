"""Exact search of a box of ranks for a point where a gain is exceeded."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ._ensemble import Ensemble

__all__ = ["BoxCost", "BranchAndBound", "Found"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class BoxCost(Protocol):
    """How far a box of ranks is from a sample, relative to the radius."""

    def distance(self, low: Ints, high: Ints) -> Floats:
        """Relative distances (n_boxes,) of boxes (n_boxes, n_features) from the sample."""


@dataclass
class Found:
    """What a search ended with.

    Attributes
    ----------
    box : (low, high) or None
        Ranks of points that exceed the gain, if there are any.
    complete : bool
        Whether ``box=None`` means that there are none, rather than that time was up.
    """

    box: tuple[Ints, Ints] | None
    complete: bool


@dataclass
class _State:
    low: Ints
    high: Ints
    alive: NDArray[np.bool_]


class BranchAndBound:
    """Depth-first search over the leaves of one tree after the other, best leaves first.

    Parameters
    ----------
    ensemble : Ensemble
        What is searched.
    cost : BoxCost or None
        Distance of boxes from the sample; those farther than 1 are left out. None where the box
        alone limits the search.
    """

    def __init__(self, ensemble: Ensemble, cost: BoxCost | None = None) -> None:
        self.ensemble, self.cost = ensemble, cost

    def search(
        self,
        gains: Floats,
        needed: float,
        reached: NDArray[np.bool_],
        low: Ints,
        high: Ints,
        deadline: float,
    ) -> Found:
        """Find ranks in a box where the leaves' gains add up to more than ``needed``.

        Parameters
        ----------
        gains : array of shape (n_leaves,)
            What each leaf adds.
        needed : float
            What must be exceeded.
        reached : bool array of shape (n_leaves,)
            Leaves that the box reaches.
        low, high : int arrays of shape (n_features,)
            The box.
        deadline : float
            Of ``time.perf_counter``, when the search gives up.

        Returns
        -------
        found : Found
            A box of ranks, or none.
        """
        leaves = np.flatnonzero(reached)
        self._gains = gains[leaves]
        trees = self.ensemble.tree[self.ensemble.leaves[leaves]]
        self._tree = np.unique(trees, return_inverse=True)[1]
        self._first = np.searchsorted(self._tree, np.arange(self._tree[-1] + 1))
        boxes = self.ensemble.leaf_boxes
        self._low, self._high = boxes[0][leaves], boxes[1][leaves]
        todo = [_State(low, high, np.ones(len(leaves), dtype=bool))]
        while todo:
            if time.perf_counter() > deadline:
                return Found(None, complete=False)
            state = self._narrowed(todo.pop(), needed)
            if state is None:
                continue
            counts = np.add.reduceat(state.alive, self._first)
            if counts.max() == 1:
                return Found((state.low, state.high), complete=True)
            todo += self._branches(state, counts)
        return Found(None, complete=True)

    def _narrowed(self, state: _State, needed: float) -> _State | None:
        """Leave out what the box of a state rules out; None if nothing promising is left."""
        while True:
            low = np.maximum(self._low, state.low)
            high = np.minimum(self._high, state.high)
            alive = state.alive & (low <= high).all(1)
            if self.cost is not None and alive.any():
                near = self.cost.distance(low[alive], high[alive]) <= 1
                alive[np.flatnonzero(alive)[~near]] = False
            best = np.maximum.reduceat(np.where(alive, self._gains, -np.inf), self._first)
            total = best.sum()
            if not total > needed:
                return None
            # A leaf that even the best of all other trees cannot make up for is out.
            alive &= total - best[self._tree] + self._gains > needed
            counts = np.add.reduceat(alive, self._first)
            only = alive & (counts == 1)[self._tree]
            narrow = low[only].max(0, initial=0), high[only].min(0, initial=np.iinfo(int).max)
            new = _State(np.maximum(state.low, narrow[0]), np.minimum(state.high, narrow[1]), alive)
            if (new.low > new.high).any():
                return None
            same = np.array_equal(new.low, state.low) and np.array_equal(new.high, state.high)
            if same and np.array_equal(alive, state.alive):
                return new
            state = new

    def _branches(self, state: _State, counts: Any) -> list[_State]:
        """One state for each leaf of the tree that tells most, the best one last."""
        spread = np.maximum.reduceat(np.where(state.alive, self._gains, -np.inf), self._first)
        spread = spread - np.minimum.reduceat(
            np.where(state.alive, self._gains, np.inf), self._first
        )
        tree = int(np.argmax(np.where(counts > 1, (spread + 1e-12) / counts, -1)))
        options = np.flatnonzero(state.alive & (self._tree == tree))
        states = []
        for leaf in options[np.argsort(self._gains[options], kind="stable")]:
            alive = state.alive & ((self._tree != tree) | (np.arange(len(self._tree)) == leaf))
            low = np.maximum(state.low, self._low[leaf])
            high = np.minimum(state.high, self._high[leaf])
            states.append(_State(low, high, alive))
        return states
