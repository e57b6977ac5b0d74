"""Certifier of Gaussian naive Bayes: its log-odds are a sum of quadratics of single features."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.naive_bayes import GaussianNB

from .._norms import get_norm
from ._affine import AffineMap, affine_map
from ._problem import Certificate, Problem
from ._registry import register_certifier

__all__ = ["certify_gaussian"]

Floats = NDArray[np.float64]
_PRICES = np.concatenate([[0.0], np.logspace(-4, 6, 60)])
_ROUNDING = 1e-12  # relative error of float64 sums, with a wide margin
_SINGLE = 1e-6  # the same of samples that scalers keep in float32


def certify_gaussian(problem: Problem) -> Certificate | str:
    """Minimise the log-odds of each pair of classes over ball and box.

    In linf each feature is minimised by itself, which is exact. In l2 and l1 the ball's limit has
    a price, of which every choice gives a lower bound.

    Parameters
    ----------
    problem : Problem
        Whose classifier is GaussianNB.

    Returns
    -------
    certificate : Certificate or str
        With adversarial examples in linf; or why the certifier does not apply.
    """
    into = affine_map(problem.steps, problem.X[0].size)
    if isinstance(into, str):
        return f"Nothing is proven behind the steps of the pipeline: {into}."
    model, flat = problem.classifier, (len(problem.X), -1)
    priors = np.log(model.class_prior_) - 0.5 * np.log(2 * np.pi * model.var_).sum(1)
    center = problem.X.reshape(flat) @ into.weight + into.bias
    corners = problem.limits
    low, high = _images(corners[0].reshape(flat), corners[1].reshape(flat), into)
    order = get_norm(problem.threat.norm).order
    unit = None
    if order in (1, 2) and _is_diagonal(into):
        unit = problem.radius.reshape(flat) @ np.abs(into.weight)
    error = _SINGLE if problem.steps else _ROUNDING
    proven = np.ones(len(problem.X), dtype=bool)
    X_adv = np.full(problem.X.shape, np.nan, dtype=np.float32)
    for code in range(problem.n_classes):
        rows = np.flatnonzero(problem.codes == code)
        for rival in range(problem.n_classes):
            if rival == code or not len(rows):
                continue
            shares = None if unit is None else unit[rows]
            x = center[rows]
            curve = 0.5 / model.var_[rival] - 0.5 / model.var_[code]
            slope = model.theta_[code] / model.var_[code] - model.theta_[rival] / model.var_[rival]
            squares = model.theta_**2 / model.var_ / 2
            level = priors[code] - priors[rival] - squares[code].sum() + squares[rival].sum()
            level = level + ((curve * x + slope) * x).sum(1)
            size = (np.abs(curve) * x**2 + np.abs(slope * x)).sum(1) + squares.sum()
            box = low[rows] - x, high[rows] - x
            least, d = _least(curve, slope + 2 * curve * x, box, shares, order, error)
            proven[rows] &= least + level > error * size
            if _is_diagonal(into) and shares is None and problem.factor is None:
                hit = least + level < 0
                moved = d[hit] / np.diag(into.weight)
                X_adv[rows[hit]] = problem.X[rows[hit]] + moved.reshape(-1, *problem.X.shape[1:])
    return Certificate(proven, _inside(problem, X_adv))


def _images(low: Floats, high: Floats, into: AffineMap) -> tuple[Floats, Floats]:
    """Smallest boxes that hold the images of boxes."""
    up, down = np.maximum(into.weight, 0), np.minimum(into.weight, 0)
    with np.errstate(invalid="ignore"):
        sides = [a @ up + b @ down + into.bias for a, b in ((low, high), (high, low))]
    return np.nan_to_num(sides[0], nan=-np.inf), np.nan_to_num(sides[1], nan=np.inf, posinf=np.inf)


def _is_diagonal(into: AffineMap) -> bool:
    weight = into.weight
    square = weight.shape[0] == weight.shape[1]
    return square and not np.any(weight - np.diag(np.diag(weight)))


def _least(
    curve: Floats,
    slope: Floats,
    box: tuple[Floats, Floats],
    unit: Floats | None,
    order: float,
    error: float,
) -> tuple[Floats, Floats]:
    """Least of a sum of ``curve * d**2 + slope * d``, less its rounding, and where it is.

    With ``unit`` the norm of d in these units is at most 1: each price of it gives a lower bound,
    and the best one is returned.
    """
    low, high = box
    if unit is None:
        return _separate(curve, slope, low, high, error)
    best = np.full(len(low), -np.inf)
    unit = np.where(unit > 0, unit, np.inf)
    for price in _PRICES:
        if order == 2:
            value, d = _separate(curve + price / unit**2, slope, low, high, error)
        else:
            zero = np.zeros_like(low)
            left, d = _separate(curve, slope - price / unit, low, zero, error, added=False)
            right, d = _separate(curve, slope + price / unit, zero, high, error, added=False)
            value = np.minimum(left, right).sum(1)
        best = np.maximum(best, value - price * (1 + 1e-9))
    return best, d


def _terms(curve: Floats, slope: Floats, low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Least of each quadratic in its interval, and where it is."""
    with np.errstate(divide="ignore", invalid="ignore"):
        vertex = np.where(curve > 0, -slope / (2 * curve), low)
        points = np.stack([low, high, np.clip(vertex, low, high)])
        values = np.where(
            np.isfinite(points),
            (curve * points + slope) * points,
            _at_infinity(curve, slope, points),
        )
    chosen = values.argmin(0)[None]
    return np.take_along_axis(values, chosen, 0)[0], np.take_along_axis(points, chosen, 0)[0]


def _at_infinity(curve: Floats, slope: Floats, points: Floats) -> Floats:
    """Limits of quadratics at infinite points."""
    lead = np.where(curve != 0, curve, slope * np.sign(points))
    return np.where(lead == 0, 0.0, np.where(lead > 0, np.inf, -np.inf))


def _separate(
    curve: Floats, slope: Floats, low: Floats, high: Floats, error: float, *, added: bool = True
) -> tuple[Floats, Floats]:
    """Least of quadratics over a box, added up or not and less their rounding, and where it is."""
    values, d = _terms(curve, slope, low, high)
    with np.errstate(invalid="ignore"):
        size = np.where(np.isfinite(d), np.abs(curve) * d**2 + np.abs(slope * d), 0)
    values = values - error * size
    return (values.sum(1) if added else values), d


def _inside(problem: Problem, X_adv: NDArray[np.float32]) -> NDArray[np.float32]:
    given = np.isfinite(X_adv.reshape(len(X_adv), -1)).all(1)
    if given.any():
        clean = problem.X[given].astype(np.float32)
        X_adv[given] = problem.threat.project(X_adv[given], clean)
    return X_adv


register_certifier(GaussianNB, certify_gaussian)
