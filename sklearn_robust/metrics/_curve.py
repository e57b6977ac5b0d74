"""Robust accuracy against the radius."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from .. import _validation as check
from .._units import check_units
from ..attacks import BaseAttack
from ..attacks._evaluation import (
    choose_attack,
    minimal_distances,
    open_samples,
    params_of,
    robust_mask,
)
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
    cache: str | os.PathLike[str] | None = None,
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
        Radii, at least 0, in any order; at 0 nothing changes, categories neither. Where the attack
        has a radius for each feature, they are multiples of it: ``eps=[0.5, 1, 2],
        attack=PGD(eps=0.1 * X.std(axis=0))``.
    attack : attack, default=None
        Attack to run at each radius; a single eps of its own is ignored. None is the default of
        :func:`robust_score`. An attack for the nearest point (DeepFool, FAB, CarliniWagner) runs
        once for all radii.
    n_jobs : int, default=None
        Processes that share the samples.
    cache : path-like, default=None
        Folder of verdicts that are kept, as for :func:`robust_score`.

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
    model = open_model(estimator, X, params_of(attack))
    if attack is not None:  # a wrong one is refused first
        choose_attack(attack, model)
    check.check_labels(y)
    X, codes = open_samples(model, X, y)
    attack = clone(choose_attack(attack, model)).on_columns(model)
    attack.set_params(bounds=check.check_bounds(attack.bounds, X))
    unit = attack.threat_model.eps
    unit = np.asarray(unit, dtype=np.float64) if np.ndim(unit) else None
    if isinstance(attack, MinimumNormAttack):
        if unit is not None:
            raise ValueError(
                f"attack is {check.shown(attack)}, which looks for the nearest point by one "
                "radius for all features: give it no eps, or another attack, such as PGD."
            )
        attack.set_params(eps=None)
        distance = minimal_distances(model, X, codes, attack, n_jobs=n_jobs, cache=cache)
        return (distance > radii[:, None]).mean(1)
    largest = radii.max() if unit is None else radii.max() * unit
    check_units(replace(attack.threat_model, eps=largest), X)
    left, correct = np.arange(len(X)), model.predict_codes(X) == codes
    accuracy = np.empty(len(radii))
    for place in np.argsort(radii, kind="stable"):
        radius = float(radii[place])
        if radius == 0:
            left = np.flatnonzero(correct)
            accuracy[place] = len(left) / len(X)
            continue
        attack.set_params(eps=radius if unit is None else radius * unit)
        options = {"correct": correct[left], "index": left, "n_jobs": n_jobs, "cache": cache}
        options["units_known"] = True
        left = left[robust_mask(model, X[left], codes[left], attack, **options)]
        accuracy[place] = len(left) / len(X)
    return accuracy


def _radii(eps: ArrayLike) -> NDArray[np.float64]:
    """Radii as an array; of what holds no numbers, an empty one."""
    try:
        return np.asarray(eps, dtype=np.float64)
    except (TypeError, ValueError):
        return np.empty(0)
