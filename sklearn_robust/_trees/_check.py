"""Comparison of parsed trees with the classifier that they come from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..differentiable._scores import with_names
from ._ensemble import Ensemble
from ._parse import ParsedTrees

__all__ = ["check_predictions", "check_scores"]

N_PROBES = 64  # points at thresholds, beside the samples


def check_scores(classifier: Any, parsed: ParsedTrees, ensemble: Ensemble, Z: Any) -> None:
    """Raise unless parsed trees add up to the classifier's own scores; learn their offset.

    Parameters
    ----------
    classifier : fitted classifier
        The trees.
    parsed : ParsedTrees
        How the classifier tells its own sums.
    ensemble : Ensemble
        Parsed trees. Its offset is set.
    Z : array of shape (n_samples, n_features)
        Samples as the trees see them. Points at and beside thresholds are compared, too.
    """
    points = np.vstack([Z.astype(np.float32), _probes(ensemble, Z)])
    scores = np.asarray(parsed.scores(with_names(classifier, points)), dtype=np.float64)
    scores = scores.reshape(len(points), -1) * parsed.scale
    if scores.shape[1] == 1:
        scores = np.hstack([np.zeros_like(scores), scores])
    gap = scores - ensemble.sums(ensemble.ranks(points))
    gap -= gap[:, :1]  # what all classes gain alike decides nothing
    offset = np.median(gap, axis=0)
    ensemble.offset = np.round(offset) if ensemble.tol == 0 else offset
    tolerance = 2 * ensemble.tol + 1e-9 * (1 + np.abs(scores).max())
    _raise_at(np.abs(gap - ensemble.offset).max(1) > tolerance, classifier, len(Z))


def check_predictions(
    classifier: Any, ensemble: Ensemble, Z: NDArray[Any], codes: NDArray[np.int64]
) -> None:
    """Raise if parsed trees give a sample clearly to another class than the classifier does.

    Parameters
    ----------
    classifier : fitted classifier
        The trees.
    ensemble : Ensemble
        Parsed trees, with their offset.
    Z : array of shape (n_samples, n_features)
        Samples as the trees see them.
    codes : int array of shape (n_samples,)
        What the classifier predicts.
    """
    _raise_at(_misclassified(ensemble, Z, codes), classifier, len(Z))


def _raise_at(wrong: NDArray[np.bool_], classifier: Any, n_samples: int) -> None:
    if not wrong.any():
        return
    row = int(np.flatnonzero(wrong)[0])
    where = f"sample {row} of X" if row < n_samples else "a point at a threshold"
    raise ValueError(
        f"The trees read from {type(classifier).__name__} disagree with its predictions at "
        f"{where}, so nothing is certified: they do something that the parser does not know."
    )


def _misclassified(
    ensemble: Ensemble, Z: NDArray[Any], codes: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which samples the parsed trees give clearly to another class than ``codes``."""
    sums = ensemble.sums(ensemble.ranks(Z)) + ensemble.offset
    rows = np.arange(len(Z))
    winner = sums.argmax(1)
    return (winner != codes) & (sums[rows, winner] - sums[rows, codes] >= ensemble.tol)


def _probes(ensemble: Ensemble, Z: NDArray[Any]) -> NDArray[np.float32]:
    """Points whose features lie at thresholds or one step of float32 beside them."""
    rng = np.random.default_rng(0)
    probes = Z[rng.integers(len(Z), size=N_PROBES)].astype(np.float32)
    for j, levels in enumerate(ensemble.thresholds):
        if len(levels):
            rows = rng.random(N_PROBES) < 0.5
            values = rng.choice(levels, size=rows.sum()).astype(np.float32)
            up = rng.random(len(values)) < 0.5
            probes[rows, j] = np.where(up, np.nextafter(values, np.float32(np.inf)), values)
    return probes
