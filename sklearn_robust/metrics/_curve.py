"""Robust accuracy against the radius."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from .. import _validation as check
from ..attacks import BaseAttack
from ..attacks._evaluation import choose_attack, minimal_distances, open_samples, robust_mask
from ..attacks._minimum_norm import MinimumNormAttack
from ..differentiable import open_model
from ..differentiable._state import records

__all__ = ["robustness_curve"]


@records
def robustness_curve(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike,
    *,
    eps: ArrayLike,
    attack: BaseAttack | None = None,
    n_jobs: int | None = None,
) -> NDArray[np.float64]:
    """Accuracy under attack for several radii.

    Parameters
    ----------
    estimator : fitted classifier
        What to attack.
    X : array-like of shape (n_samples, ...)
        Clean samples.
    y : array-like of shape (n_samples,)
        True labels.
    eps : array-like of shape (n_radii,)
        Radii, at least 0, in any order.
    attack : attack, default=None
        Attack to run at each radius; its own eps is ignored. None is the default of
        :func:`robust_score`. An attack for the nearest point (DeepFool, FAB, CarliniWagner) runs
        once for all radii.
    n_jobs : int, default=None
        Processes that share the samples.

    Returns
    -------
    accuracy : array of shape (n_radii,), float64
        One accuracy for each radius, in the order of ``eps``. It never rises with the radius: a
        sample that a smaller ball fools is not robust in a larger one.

    Raises
    ------
    ValueError
        If a radius is negative or no number.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.metrics import robustness_curve
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> curve = robustness_curve(model, X, y, eps=[0, 0.2, 0.5, 2])
    >>> bool((curve[:-1] >= curve[1:]).all())
    True
    """
    check.validate(locals())
    radii = _radii(eps)
    if radii.ndim != 1 or not len(radii):
        raise ValueError(f"eps is {eps!r}; give a list of radii, such as [0, 0.1, 0.2].")
    for radius in radii:
        check.check_eps(float(radius), "linf", ())
    model = open_model(estimator)
    if attack is not None:  # a wrong one is refused first
        choose_attack(attack, model)
    check.check_labels(y)
    X, codes = open_samples(model, X, y)
    attack = clone(choose_attack(attack, model))
    attack.set_params(bounds=check.check_bounds(attack.bounds, X))
    if isinstance(attack, MinimumNormAttack):
        attack.set_params(eps=None)
        distance = minimal_distances(model, X, codes, attack, n_jobs=n_jobs)
        return (distance > radii[:, None]).mean(1)
    left, correct = np.arange(len(X)), model.predict_codes(X) == codes
    accuracy = np.empty(len(radii))
    for place in np.argsort(radii, kind="stable"):
        attack.set_params(eps=float(radii[place]))
        rows = {"correct": correct[left], "index": left}
        left = left[robust_mask(model, X[left], codes[left], attack, n_jobs=n_jobs, **rows)]
        accuracy[place] = len(left) / len(X)
    return accuracy


def _radii(eps: ArrayLike) -> NDArray[np.float64]:
    """Radii as an array; of what holds no numbers, an empty one."""
    try:
        return np.asarray(eps, dtype=np.float64)
    except (TypeError, ValueError):
        return np.empty(0)
