"""One attack on all samples of a call: in pieces, by several processes, with a cache."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import gen_even_slices

from .._norms import Bounds
from .._parallel import n_workers, run_shared
from ..differentiable import Model, open_model
from ._arrays import auto_batch_size
from ._base import BaseAttack
from ._cache import CHUNK, VerdictCache

__all__ = ["Findings", "Search", "find_all"]

_PIECE = 2**21  # numbers in the samples that are attacked at a time,
_N_BATCHES = 4  # but at least so many batches


class Findings(NamedTuple):
    """What came of attacking some samples.

    Attributes
    ----------
    values : array of shape (n,)
        Bool or float64: what was asked for.
    n_stuck : int
        Samples that the attack did not move for want of a gradient.
    """

    values: NDArray[Any]
    n_stuck: int


@dataclass
class Search:
    """One attack, as every process carries it out.

    Attributes
    ----------
    attack : attack
        With a seed, so that every process draws alike.
    opened : Model or estimator
        What is attacked: opened in this process, or on the way to another one.
    bounds : (lower, upper) or None
        Box of the whole call.
    key : {"fooled", "distance"}
        What is asked for.
    kept : VerdictCache or None
        What was found before.
    """

    attack: BaseAttack
    opened: Any
    bounds: Bounds
    key: str
    kept: VerdictCache | None = None

    def find(
        self, X: NDArray[Any], codes: NDArray[np.int64], index: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Return what is asked for and where no gradient was, stacked: shape (2, n)."""
        if self.kept is None:
            return self._attacked(X, codes, index)
        entry = self.kept.entry(X, codes)
        return entry.recall((2, len(X)), lambda: self._attacked(X, codes, index, keep=entry))

    def _attacked(
        self,
        X: NDArray[Any],
        codes: NDArray[np.int64],
        index: NDArray[np.int64],
        **flags: Any,
    ) -> NDArray[np.float64]:
        model = open_model(self.opened)
        data = (model, X, codes, self.bounds)
        result = self.attack._evaluate(*data, checked=True, index=index, **flags)
        return np.stack([result[self.key], result.stuck]).astype(np.float64)

    def size(self, X: NDArray[Any], device: Any) -> int:
        """Count the samples that are attacked at a time, to bound memory."""
        if self.kept is not None:
            return CHUNK
        n_values = max(X[:1].size, 1)
        batch = self.attack.batch_size or auto_batch_size(n_values, device)
        return max(_PIECE // n_values // batch, _N_BATCHES) * batch


def find_all(
    attack: BaseAttack,
    model: Model,
    X: NDArray[Any],
    codes: NDArray[np.int64],
    rows: NDArray[np.int64],
    *,
    bounds: Bounds,
    key: str,
    index: NDArray[np.int64],
    n_jobs: int | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> Findings:
    """Attack some of the samples, without a copy of all of them.

    Parameters
    ----------
    attack : attack
        Checked, with a seed.
    model : Model
        What is attacked.
    X : array of shape (n_samples, ...)
        Clean samples.
    codes : int array of shape (n_samples,)
        True class codes.
    rows : int array of shape (n,)
        Which samples to attack.
    bounds : (lower, upper) or None
        Box of the whole call.
    key : {"fooled", "distance"}
        What is asked for.
    index : int array of shape (n_samples,)
        Numbers that errors name the samples by.
    n_jobs : int, default=None
        Processes that share the samples.
    cache : path-like, default=None
        Folder of verdicts that are kept.

    Returns
    -------
    found : Findings
        Of the samples ``rows``.
    """
    search = Search(attack, model, bounds, key)
    if cache is not None:
        search.kept = VerdictCache(cache, model.estimator, model.table, attack, bounds, key)
    size, workers = search.size(X, model.device), n_workers(n_jobs)
    if workers == 1 and len(rows) <= size:
        found = search.find(X[rows], codes[rows], index[rows]) if len(rows) else np.zeros((2, 0))
    else:
        if workers > 1:  # each process opens the estimator for itself
            search = replace(search, opened=model.estimator if model.table is None else model)
        parts = _pieces(rows, size, workers if cache is None else 1)
        tasks = ((X[part], codes[part], index[part]) for part in parts)
        found = np.concatenate(run_shared(search.find, tasks, n_jobs, model.estimator), axis=1)
    values = found[0].astype(bool) if key == "fooled" else found[0]
    return Findings(values, int(found[1].sum()))


def _pieces(rows: NDArray[np.int64], size: int, n_shares: int) -> Iterator[NDArray[np.int64]]:
    """Parts of the rows, at most ``size`` in each, and at least ``n_shares`` of them."""
    for share in gen_even_slices(len(rows), max(min(n_shares, len(rows)), 1)):
        some = rows[share]
        for start in range(0, max(len(some), 1), size):
            yield some[start : start + size]
