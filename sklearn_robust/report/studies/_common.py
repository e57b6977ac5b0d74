"""Choice of nets and samples for the studies, and numbers that JSON can hold."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._data import Data
from .._results import Results

__all__ = ["Found", "NotShown", "plain", "some_rows", "telling_rows", "two_nets"]

_NATURAL, _ROBUST = "NaturalNet", "MinMaxNet"

Found = tuple[dict[str, Any], dict[str, NDArray[Any]]]  # facts and arrays of a study


class NotShown(Exception):
    """Reason why a study has nothing to show for these data or nets, as part of a sentence."""


def two_nets(results: Results, names: Collection[str]) -> list[str]:
    """Names of a natural and a robust net, or of the only net.

    They are NaturalNet and MinMaxNet if the report has them, else the last and the first net of
    the ranking.
    """
    ranking = [name for name in results["summary"]["ranking"] if name in names]
    natural = _NATURAL if _NATURAL in ranking else ranking[-1]
    robust = _ROBUST if _ROBUST in ranking else ranking[0]
    if robust == natural:
        robust = ranking[0]
    return list(dict.fromkeys([natural, robust]))


def telling_rows(results: Results, data: Data, names: Collection[str], n: int) -> NDArray[np.intp]:
    """First samples of different classes that all nets classify correctly.

    Samples on which the nets differ under attack come before the others.
    """
    known = np.logical_and.reduce([results.arrays[f"{name}/natural"] for name in names])
    kept = np.sum([results.mask(name, results["summary_eps"]) for name in names], axis=0)
    divided = (kept > 0) & (kept < len(names))
    rows = np.flatnonzero(known)
    rows = rows[np.argsort(~divided[rows], kind="stable")]
    _, first = np.unique(data.y_test[rows], return_index=True)
    return rows[np.sort(first)[:n]]


def some_rows(n_samples: int, n: int, seed: int) -> NDArray[np.intp]:
    """Positions of at most ``n`` samples, drawn with the seed."""
    if n >= n_samples:
        return np.arange(n_samples)
    return np.sort(np.random.default_rng(seed).choice(n_samples, n, replace=False))


def plain(value: Any) -> Any:
    """Return a number as a float, or None if it is not finite; an array as a list of these."""
    if np.ndim(value):
        return [plain(part) for part in value]
    return float(value) if math.isfinite(value) else None
