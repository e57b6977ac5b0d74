"""Distances between the outputs of the classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_consistent_length

from .. import _validation as check
from ..differentiable import DifferentiableModel, open_model

__all__ = ["feature_distance_matrix"]


def feature_distance_matrix(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike,
    *,
    max_per_class: int | None = None,
    normalize: str | None = "row",
) -> NDArray[np.float64]:
    """Squared distances between the classes' mean outputs.

    Parameters
    ----------
    estimator : fitted classifier, Pipeline, or torch.nn.Module
        The network itself, not linearised.
    X : array-like of shape (n_samples, ...)
        Samples of every class.
    y : array-like of shape (n_samples,)
        Their labels.
    max_per_class : int, default=None
        Number of samples used, the first ones of each class; the paper's code uses 128.
    normalize : {"row", None}, default="row"
        "row" divides each row by its largest entry, like the paper, so the matrix is not
        symmetric. None leaves the distances as they are.

    Returns
    -------
    distance : array of shape (n_classes, n_classes)
        Zeros on its diagonal; rows in the order of ``classes_``.

    Raises
    ------
    ValueError
        If X lacks a class, or the mean logits of all classes are the same.

    See Also
    --------
    weight_correlation : The paper's other matrix, of the linearised network.

    Notes
    -----
    ``D_ij = ||mu_i - mu_j||^2 / C`` with mu_c the mean output for the samples labelled c, right or
    wrong, and C classes (paper 002, section 1.4, where it is called a feature distance). Outputs
    are taken as the network returns them, logits as a rule: a softmax at its end is not left out,
    unlike in :func:`linearize`.

    References
    ----------
    Bai et al., "Clustering effect of (linearized) adversarial robust models", NeurIPS 2021.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.clustering import feature_distance_matrix
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> feature_distance_matrix(model, X, y).round(1) + 0.0
    array([[0. , 0.5, 1. ],
           [1. , 0. , 0.2],
           [1. , 0.1, 0. ]])
    """
    if normalize is not None:
        check.check_choice("normalize", normalize, ["row"])
    if max_per_class is not None:
        check.check_count("max_per_class", max_per_class)
    opened = open_model(estimator)
    model = opened.module
    samples = check.check_samples(X, of=opened.estimator)
    check_consistent_length(samples, y)
    check.check_sample_shape(samples, opened.input_shape, opened.name)
    n_classes = _logits(model, samples[:1]).shape[1]
    codes = opened.label_codes(samples, y)
    rows = [np.flatnonzero(codes == c)[:max_per_class] for c in range(n_classes)]
    missing = [
        label for label, own in zip(opened.classes_.tolist(), rows, strict=True) if not len(own)
    ]
    if missing:
        raise ValueError(f"X has no samples of the classes {missing[:5]}: pass some of each class.")
    means = np.stack([_logits(model, samples[own]).mean(axis=0) for own in rows])
    distance = ((means[:, None] - means) ** 2).mean(axis=2)
    if normalize is None:
        return distance
    if not distance.any():
        raise ValueError(
            f"{opened.name} gives all classes the same mean logits, so their distances have no "
            "scale: type normalize=None, or train the network further."
        )
    return distance / distance.max(axis=1, keepdims=True)


@torch.no_grad()
def _logits(
    model: DifferentiableModel, X: NDArray[Any], batch_size: int = 256
) -> NDArray[np.float64]:
    starts = range(0, len(X), batch_size)
    parts = [model(model.tensor(X[start : start + batch_size])) for start in starts]
    return torch.cat(parts).double().cpu().numpy()
