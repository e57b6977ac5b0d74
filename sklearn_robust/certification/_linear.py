"""Certifiers of linear classifiers: the margin over the dual norm, box included."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import sklearn.linear_model
import torch
from numpy.typing import NDArray
from scipy import sparse
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import (
    LogisticRegression,
    Perceptron,
    RidgeClassifier,
    RidgeClassifierCV,
    SGDClassifier,
)
from sklearn.svm import SVC, LinearSVC, NuSVC

from .._norms import LinfNorm, Norm, get_norm
from ._affine import AffineMap, affine_map
from ._problem import Certificate, Problem, Radii
from ._registry import register_certifier

__all__ = ["certify_linear", "linear_radii"]

Floats = NDArray[np.float64]
SINGLE, DOUBLE = float(np.finfo(np.float32).eps), float(np.finfo(np.float64).eps)


@dataclass
class _Duels:
    """Affine functions that must stay positive, for a class to win.

    ``rows[c]`` holds pairs (number of the function, sign) of the class c. ``exact`` says that the
    class loses as soon as one of them is negative.
    """

    functions: AffineMap
    rows: list[list[tuple[int, int]]]
    precision: float
    exact: bool


def certify_linear(problem: Problem) -> Certificate | str:
    """Compare the margin of each pair of classes with the most that a perturbation gains.

    Parameters
    ----------
    problem : Problem
        Whose classifier is linear, and its steps affine.

    Returns
    -------
    certificate : Certificate or str
        With adversarial examples for the others; or why the certifier does not apply.
    """
    found = _found(problem)
    if isinstance(found, str):
        return found
    factor = 1.0 if problem.factor is None else problem.factor
    proven = found.distance > factor * (1 + 1e-9)
    return Certificate(proven, found.X_adv)


def linear_radii(problem: Problem) -> Radii | None:
    """Distances of the nearest points on the boundary of a linear classifier.

    Parameters
    ----------
    problem : Problem
        Whose classifier is linear, and its steps affine.

    Returns
    -------
    radii : Radii or None
        None where a step or a norm cannot be followed.
    """
    found = _found(problem)
    if isinstance(found, str):
        return None
    return Radii(found.distance, np.full(len(problem.X), found.exact))


@dataclass
class _Nearest:
    """Relative distances of the boundary, and points behind it that lie in the ball."""

    distance: Floats
    X_adv: NDArray[np.float32]
    exact: bool


def _found(problem: Problem) -> _Nearest | str:
    """Find the nearest boundary of each sample, or say why it cannot be found."""
    shape = problem.X.shape[1:]
    steps = affine_map(problem.steps, int(np.prod(shape)))
    if isinstance(steps, str):
        return f"Nothing is proven behind the steps of the pipeline: {steps}."
    duels = _duels(problem.classifier, problem.n_classes)
    if isinstance(duels, str):
        return duels
    functions = steps.then(duels.functions)
    norm, known = _norm(problem)
    if norm is None:
        return (
            f"Nothing is proven in norm {problem.threat.norm!r}, which linear models do not know."
        )
    precision = SINGLE if problem.steps else duels.precision
    x = torch.as_tensor(problem.X)
    largest = np.abs(problem.X.reshape(len(x), -1)).max(0)
    size = largest @ functions.weight_size + functions.bias_size
    error = functions.depth * precision * size
    best = _Nearest(
        np.full(len(x), np.inf),
        np.full(problem.X.shape, np.nan, dtype=np.float32),
        duels.exact and known and problem.threat.integer is None,
    )
    ball, box = norm(torch.as_tensor(problem.threat.radius)), problem.threat.box(x)
    for code in np.unique(problem.codes):
        rows = np.flatnonzero(problem.codes == code)
        for number, sign in duels.rows[code]:
            slope = torch.as_tensor(-sign * functions.weight[:, number].reshape(shape))
            level = sign * (problem.X[rows].reshape(len(rows), -1) @ functions.weight[:, number])
            margin = level + sign * functions.bias[number]
            _improve(best, rows, x[rows], slope, margin, error[number], ball, box)
    if problem.factor is None and np.isfinite(best.X_adv).any():
        given = np.isfinite(best.X_adv.reshape(len(x), -1)).all(1)
        clean = problem.X[given].astype(np.float32)
        best.X_adv[given] = problem.threat.project(best.X_adv[given], clean)
    return best


def _improve(
    best: _Nearest,
    rows: NDArray[np.int64],
    x: torch.Tensor,
    slope: torch.Tensor,
    margin: Floats,
    error: float,
    ball: Norm,
    box: Any,
) -> None:
    """Take the boundary of one affine function into account."""
    grad = slope.expand_as(x).contiguous()
    slack = box.slack(x, grad)
    _, size = _smallest(ball, grad, margin - error, slack)
    best.distance[rows] = np.minimum(best.distance[rows], np.where(margin <= error, 0.0, size))
    step, size = _smallest(ball, grad, margin + 2 * error + 1e-6 * np.abs(margin), slack)
    found = np.isfinite(best.X_adv[rows].reshape(len(rows), -1)).all(1)
    inside = (size <= 1) & ~found
    best.X_adv[rows[inside]] = (x + step)[torch.as_tensor(inside)].numpy()


def _smallest(
    ball: Norm, grad: torch.Tensor, gain: Floats, slack: torch.Tensor | None
) -> tuple[torch.Tensor, Floats]:
    """Smallest steps that gain so much, and their relative sizes; infinite if none does."""
    wanted = torch.as_tensor(np.maximum(gain, 0))
    step = ball.smallest_step(grad, wanted, slack)
    step = torch.where(torch.isfinite(step), step, 0.0)
    reached = (grad * step).flatten(1).sum(1) >= wanted * (1 - 1e-9)
    return step, torch.where(reached, ball.size(step), torch.inf).numpy()


def _norm(problem: Problem) -> tuple[type[Norm] | None, bool]:
    """Norm of the search and whether it is the one asked for, or a larger ball around it."""
    norm = get_norm(problem.threat.norm)
    if norm.smallest_step is not Norm.smallest_step:
        return norm, True
    return (LinfNorm, False) if norm.order >= 1 else (None, False)


# -- classifiers ---------------------------------------------------------------------------------


def _duels(classifier: Any, n_classes: int) -> _Duels | str:
    """Affine functions of a classifier, or why there are none."""
    if isinstance(classifier, (SVC, NuSVC)):
        if classifier.kernel != "linear":
            name = type(classifier).__name__
            return f"Nothing is proven of {name}(kernel={classifier.kernel!r}): it is not linear."
        return _support_vector_duels(classifier, n_classes)
    coef = classifier.coef_
    weight = np.atleast_2d(coef.toarray() if sparse.issparse(coef) else coef)
    precision = SINGLE if weight.dtype == np.float32 else DOUBLE
    weight = weight.T.astype(np.float64)
    bias = np.atleast_1d(np.asarray(classifier.intercept_, dtype=np.float64))
    bias = np.broadcast_to(bias, weight.shape[1:])
    if weight.shape[1] == 1:
        return _Duels(AffineMap.of(weight, bias), [[(0, -1)], [(0, 1)]], precision, True)
    pairs = list(combinations(range(n_classes), 2))
    first, second = np.array(pairs).T
    functions = AffineMap.of(weight[:, first] - weight[:, second], bias[first] - bias[second])
    functions.weight_size = np.abs(weight)[:, first] + np.abs(weight)[:, second]
    functions.bias_size = np.abs(bias)[first] + np.abs(bias)[second]
    return _Duels(functions, _rows(pairs, n_classes), precision, True)


def _rows(pairs: list[tuple[int, int]], n_classes: int) -> list[list[tuple[int, int]]]:
    rows: list[list[tuple[int, int]]] = [[] for _ in range(n_classes)]
    for number, (first, second) in enumerate(pairs):
        rows[first].append((number, 1))
        rows[second].append((number, -1))
    return rows


def _support_vector_duels(model: Any, n_classes: int) -> _Duels:
    """Duels of pairs of classes; a class that wins all of its own has the most votes."""
    weight, bias = model.coef_, np.asarray(model.intercept_, dtype=np.float64)
    weight = (weight.toarray() if sparse.issparse(weight) else weight).T.astype(np.float64)
    functions = AffineMap.of(weight, bias)
    parts = (model.dual_coef_, model.support_vectors_)
    dual, vectors = (np.abs(m.toarray() if sparse.issparse(m) else m) for m in parts)
    functions.weight_size = np.tile((dual.sum(0) @ vectors)[:, None], weight.shape[1])
    functions.depth += len(vectors)
    if n_classes == 2:
        return _Duels(functions, [[(0, -1)], [(0, 1)]], DOUBLE, True)
    pairs = list(combinations(range(n_classes), 2))
    return _Duels(functions, _rows(pairs, n_classes), DOUBLE, False)


KINDS = [
    LinearDiscriminantAnalysis,
    LinearSVC,
    LogisticRegression,
    NuSVC,
    Perceptron,
    RidgeClassifier,
    RidgeClassifierCV,
    SGDClassifier,
    SVC,
]
if "PassiveAggressiveClassifier" in vars(sklearn.linear_model):  # until scikit-learn 1.10
    KINDS.append(sklearn.linear_model.PassiveAggressiveClassifier)
for kind in KINDS:
    register_certifier(kind, certify_linear, radius=linear_radii)
