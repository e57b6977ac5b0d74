"""Search by dtai-veritas, where the extra ``trees`` is installed."""

from __future__ import annotations

import importlib
import importlib.util
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._ensemble import Ensemble
from ._search import Found

__all__ = ["VeritasSearch", "has_veritas"]

Ints = NDArray[np.int64]


def has_veritas() -> bool:
    """Whether dtai-veritas is installed."""
    return importlib.util.find_spec("veritas") is not None


class VeritasSearch:
    """Best-first search over trees that are built anew from our own arrays.

    Parameters
    ----------
    ensemble : Ensemble
        What is searched. Splits are on ranks, so that Veritas compares small integers.
    """

    def __init__(self, ensemble: Ensemble) -> None:
        self.ensemble = ensemble
        self._veritas: Any = importlib.import_module("veritas")
        self._built: dict[tuple[int, int], Any] = {}

    def search(
        self, code: int, rival: int, needed: float, low: Ints, high: Ints, deadline: float
    ) -> Found:
        """Find ranks in a box where ``rival`` gains more than ``needed`` over ``code``.

        Parameters
        ----------
        code, rival : int
            Classes.
        needed : float
            What must be exceeded.
        low, high : int arrays of shape (n_features,)
            The box.
        deadline : float
            Of ``time.perf_counter``, when the search gives up.

        Returns
        -------
        found : Found
            A box of ranks, or none.
        """
        if (code, rival) not in self._built:
            self._built[code, rival] = self._build(code, rival)
        v = self._veritas
        config = v.Config(v.HeuristicType.MAX_OUTPUT)
        config.ignore_state_when_worse_than = needed
        config.stop_when_num_solutions_exceeds = 1
        config.stop_when_optimal = False
        config.max_memory = 1 << 30
        box = [v.Interval(float(a), float(b) + 1) for a, b in zip(low, high, strict=True)]
        search = config.get_search(self._built[code, rival], box)
        reason = v.StopReason.NONE
        while reason == v.StopReason.NONE:
            reason = search.step_for(max(deadline - time.perf_counter(), 1e-3), 100)
        if search.num_solutions():
            return Found(self._box(search.get_solution(0).box(), low, high), complete=True)
        return Found(None, complete=reason == v.StopReason.NO_MORE_OPEN)

    def _build(self, code: int, rival: int) -> Any:
        """Build the trees of one pair of classes, those left out that add nothing to it."""
        v, ensemble = self._veritas, self.ensemble
        gain = ensemble.value[:, rival] - ensemble.value[:, code]
        built = v.AddTree(1, v.AddTreeType.REGR)
        for number, root in enumerate(ensemble.roots):
            if not gain[ensemble.tree == number].any():
                continue
            tree = built.add_tree()
            todo = [(int(root), tree.root())]
            while todo:
                node, twin = todo.pop()
                if ensemble.feature[node] < 0:
                    tree.set_leaf_value(twin, 0, float(gain[node]))
                    continue
                tree.split(twin, int(ensemble.feature[node]), float(ensemble.rank[node]) + 1)
                todo.append((int(ensemble.left[node]), tree.left(twin)))
                todo.append((int(ensemble.right[node]), tree.right(twin)))
        return built

    def _box(self, found: dict[int, Any], low: Ints, high: Ints) -> tuple[Ints, Ints]:
        """Turn the box of a solution, [lo, hi) of some features, into ranks."""
        low, high = low.copy(), high.copy()
        for feature, interval in found.items():
            if not interval.lo_is_unbound():
                low[feature] = max(low[feature], int(np.ceil(interval.lo)))
            if not interval.hi_is_unbound():
                high[feature] = min(high[feature], int(np.ceil(interval.hi)) - 1)
        return low, high
