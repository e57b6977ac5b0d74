"""Intervals of shares that are drawn around lines."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest

__all__ = ["binomial_band"]


def binomial_band(
    share: ArrayLike, n: int, confidence: float = 0.95
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the ends of the Wilson intervals of shares of ``n`` samples each."""
    values = np.asarray(share, dtype=np.float64)
    tests = [binomtest(round(float(v) * n), n) for v in values.ravel()]
    ends = [test.proportion_ci(confidence, method="wilson") for test in tests]
    low, high = np.array([[end.low, end.high] for end in ends]).T
    return low.reshape(values.shape), high.reshape(values.shape)
