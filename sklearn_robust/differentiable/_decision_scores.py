"""Scores of classes from decision functions."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

__all__ = ["class_scores", "has_decision_function"]


def has_decision_function(estimator: Any) -> bool:
    """Whether an estimator scores by a decision function."""
    return hasattr(estimator, "decision_function")


def class_scores(estimator: Any, z: NDArray[Any], n_classes: int) -> NDArray[Any]:
    """Scores of the classes (n, n_classes) by an estimator's decisions, where these tell.

    Parameters
    ----------
    estimator : fitted classifier
        Whose decisions.
    z : array of shape (n,), (n, n_classes) or (n, n_pairs)
        What ``decision_function`` gave.
    n_classes : int
        Number of classes.
    """
    if z.ndim == 1:
        return np.stack([-z, z], axis=1) / 2
    return _of_classes(z, n_classes) if _votes(estimator) else z


def _votes(estimator):
    """Whether decisions are between pairs of classes, as those of an SVC may be."""
    if isinstance(estimator, Pipeline):
        return _votes(estimator[-1])
    if isinstance(estimator, FrozenEstimator):
        return _votes(estimator.estimator)
    if hasattr(estimator, "best_estimator_"):
        return _votes(estimator.best_estimator_)
    return getattr(estimator, "decision_function_shape", None) == "ovo"


def _of_classes(z, n_classes):
    """Scores (n, n_classes) of decisions between pairs: votes, and how clear they are."""
    votes, clear = np.zeros((2, len(z), n_classes))
    for k, (i, j) in enumerate(combinations(range(n_classes), 2)):
        for one, sign in ((i, 1), (j, -1)):
            clear[:, one] += sign * z[:, k]
        votes[:, i] += z[:, k] > 0
        votes[:, j] += z[:, k] <= 0
    return votes + clear / (3 * (np.abs(clear) + 1))
