"""Radii: the largest one proven for each sample, and the exact distance of the boundary."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _validation as check
from .._norms import get_norm
from .._threat_model import ThreatModel
from ..attacks._evaluation import open_samples
from ..differentiable import open_model
from ..differentiable._state import records
from ._problem import Problem, Radii
from ._registry import certify, make_problem, proven_radii

__all__ = ["certified_radius", "minimal_distance"]


@records
def certified_radius(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike,
    *,
    norm: str | float = "linf",
    bounds: Any = "auto",
    mask: Any = None,
    tol: float = 1e-4,
    time_limit: float = 1.0,
) -> NDArray[np.float64]:
    """Largest radius that is proven for each sample.

    Parameters
    ----------
    estimator : fitted classifier, Pipeline, or torch.nn.Module of logits
        What to judge.
    X : array-like of shape (n_samples, ...)
        Clean samples.
    y : array-like of shape (n_samples,)
        True labels.
    norm : {"linf", "l2", "l1"} or the name of a registered norm, default="linf"
        Norm of the radius.
    bounds : "auto", None or (low, high), default="auto"
        Box of the data; "auto" is (0, 1) if all of X lies inside it, else no box.
    mask : bool array of the samples' shape or indices, default=None
        Features that may move; None means all.
    tol : float, default=1e-4
        Relative precision of the bisection, for classifiers whose radii have no direct method.
    time_limit : float, default=1.0
        Seconds of search per sample and radius, as for ``robust_bounds``.

    Returns
    -------
    radius : array of shape (n_samples,), float64
        In the units of X. 0 for clean errors, infinite where no point of the box changes the
        class.

    See Also
    --------
    minimal_distance : The exact distance, where it can be found.
    robust_bounds : For one radius.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.certification import certified_radius
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> certified_radius(model, X[:2], y[:2], norm="l2").round(2)
    array([1.41, 1.25])
    """
    tol = check.check_number("tol", tol, high=1.0, strict=True)
    return _radii(estimator, X, y, norm, bounds, mask, tol, time_limit).radius


@records
def minimal_distance(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike,
    *,
    norm: str | float = "linf",
    bounds: Any = "auto",
    mask: Any = None,
    time_limit: float = 1.0,
) -> NDArray[np.float64]:
    """Exact distance of the nearest adversarial example of each sample.

    Parameters
    ----------
    estimator : fitted classifier or Pipeline
        A linear model, a tree, an ensemble of trees, or nearest neighbours with one neighbour.
    X : array-like of shape (n_samples, ...)
        Clean samples.
    y : array-like of shape (n_samples,)
        True labels.
    norm : {"linf", "l2", "l1"}, default="linf"
        Norm of the distance.
    bounds : "auto", None or (low, high), default="auto"
        Box of the data; "auto" is (0, 1) if all of X lies inside it, else no box.
    mask : bool array of the samples' shape or indices, default=None
        Features that may move; None means all.
    time_limit : float, default=1.0
        Seconds of search per sample and radius, as for ``robust_bounds``.

    Returns
    -------
    distance : array of shape (n_samples,), float64
        0 for clean errors, infinite where there is no adversarial example in the box, and NaN
        where it is not known exactly: a search ran out of time, or the trees tie there.

    Raises
    ------
    TypeError
        If the classifier has no exact method.

    See Also
    --------
    certified_radius : A lower bound, for more classifiers.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from sklearn_robust.certification import minimal_distance
    >>> X, y = load_iris(return_X_y=True)
    >>> model = DecisionTreeClassifier(max_depth=3, random_state=0).fit(X, y)
    >>> minimal_distance(model, X[:2], y[:2]).round(2)
    array([0.6, 0.6])
    """
    radii = _radii(estimator, X, y, norm, bounds, mask, None, time_limit)
    return np.where(radii.exact, radii.radius, np.nan)


def _radii(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike,
    norm: str | float,
    bounds: Any,
    mask: Any,
    tol: float | None,
    time_limit: float,
) -> Radii:
    """Radii of all samples: direct ones, else, where ``tol`` is given, by bisection."""
    check.check_labels(y)
    check.check_number("time_limit", time_limit, strict=True)
    model = open_model(estimator)
    X, codes = open_samples(model, X, y)
    threat = ThreatModel(1.0, norm=norm, bounds=bounds, mask=mask).on(X)
    correct = model.predict_codes(X) == codes
    problem = make_problem(model, X[correct], codes[correct], threat, time_limit)
    radius, exact = np.zeros(len(X)), np.ones(len(X), dtype=bool)
    endless = problem.scaled(np.full(len(problem.X), np.inf))
    found = proven_radii(endless) if correct.any() else Radii(radius[:0], exact[:0])
    if found is None and tol is None:
        raise TypeError(
            f"{type(problem.classifier).__name__} has no exact distances: ask certified_radius for "
            "a lower bound, or a minimum-norm attack such as CarliniWagner for an upper one."
        )
    if found is None:
        found = Radii(_bisected(problem, tol), np.zeros(len(problem.X), dtype=bool))
    radius[correct], exact[correct] = found.radius, found.exact
    return Radii(radius, exact)


def _bisected(problem: Problem, tol: float | None) -> NDArray[np.float64]:
    """Largest radius proven for each sample up to the relative precision ``tol``."""
    n, largest = len(problem.X), _largest(problem)
    low, high = np.zeros(n), np.full(n, largest)
    unlimited = certify(problem.scaled(high)).proven
    low[unlimited] = np.inf if problem.threat.bounds is not None else largest
    open_ = np.flatnonzero(~unlimited)
    while len(open_):
        # A geometric mean finds small radii as fast as large ones.
        found = low[open_] > 0
        middle = np.where(found, np.sqrt(low[open_] * high[open_]), high[open_] / 16)
        proven = certify(problem.part(open_).scaled(middle)).proven
        low[open_[proven]], high[open_[~proven]] = middle[proven], middle[~proven]
        wide = high[open_] - low[open_] > (tol or 0) * high[open_]
        open_ = open_[wide & (high[open_] > 1e-9 * largest)]
    return low


def _largest(problem: Problem) -> float:
    """Radius of a ball that holds the box, or far more than the samples."""
    if problem.threat.bounds is None:
        spread = 10 * float(np.ptp(problem.X)) or 1.0
    else:
        spread = float(np.max(np.subtract(problem.threat.bounds[1], problem.threat.bounds[0])))
    return get_norm(problem.threat.norm).covering_radius(spread, problem.X[0].size)
