"""Both searches find what all cells hold."""

import time

import numpy as np
import pytest

from sklearn_robust._trees import TreeSearcher, has_veritas
from sklearn_robust._trees._search import BranchAndBound
from sklearn_robust._trees._veritas import VeritasSearch
from sklearn_robust.differentiable import open_model
from tests._trees.oracles import random_forest


def all_gains(ensemble, low, high, code, rival):
    """Gains of all ranks of a box."""
    axes = [np.arange(a, b + 1) for a, b in zip(low, high, strict=True)]
    ranks = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, len(axes))
    sums = ensemble.sums(ranks)
    return sums[:, rival] - sums[:, code]


def searches(ensemble):
    def own(code, rival, needed, low, high):
        reached = ensemble.reached(low[None], high[None])[0]
        search = BranchAndBound(ensemble)
        deadline = time.perf_counter() + 60
        return search.search(ensemble.gains(code, rival), needed, reached, low, high, deadline)

    yield own
    if has_veritas():
        veritas = VeritasSearch(ensemble)
        yield lambda *args: veritas.search(*args, time.perf_counter() + 60)


@pytest.mark.parametrize("seed", range(4))
def test_a_search_ends_with_a_point_or_a_proof(seed):
    model, X, _ = random_forest(seed)
    ensemble = TreeSearcher(open_model(model), X).ensemble
    rng = np.random.default_rng(seed)
    for _ in range(10):
        ends = rng.integers(0, ensemble.n_ranks, (2, ensemble.n_features))
        low, high = ends.min(0), ends.max(0)
        gains = all_gains(ensemble, low, high, 0, 1)
        needed = float(np.quantile(gains, rng.choice([0.5, 0.9, 1.0]))) + 1e-9
        for search in searches(ensemble):
            found = search(0, 1, needed, low, high)
            assert found.complete
            assert (found.box is None) == (gains.max() <= needed)
            if found.box is not None:
                assert all_gains(ensemble, *found.box, 0, 1).min() > needed
                assert (found.box[0] >= low).all() and (found.box[1] <= high).all()


def test_time_that_is_up_is_no_proof():
    model, X, _ = random_forest(5)
    ensemble = TreeSearcher(open_model(model), X).ensemble
    low, high = np.zeros(ensemble.n_features, dtype=int), ensemble.n_ranks - 1
    reached = ensemble.reached(low[None], high[None])[0]
    found = BranchAndBound(ensemble).search(ensemble.gains(0, 1), -9.0, reached, low, high, 0.0)
    assert found.box is None and not found.complete
