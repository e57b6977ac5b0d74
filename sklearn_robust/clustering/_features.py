"""How far apart the classes' outputs lie."""

import numpy as np
import torch
from sklearn.utils import check_consistent_length

from .. import _validation as check
from ..differentiable import as_module

__all__ = ["feature_distance_matrix"]


def feature_distance_matrix(estimator, X, y, *, max_per_class=None, normalize="row"):
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
        Take the first samples of each class only; the paper's code takes 128.
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
    X = check.check_samples(X, of=estimator)
    check_consistent_length(X, y)
    view = as_module(estimator)
    check.check_sample_shape(X, view.input_shape, view.name)
    z = _logits(view, X[:1])
    codes = check.encode_labels(y, view.classes_, view.name)
    rows = [np.flatnonzero(codes == c)[:max_per_class] for c in range(z.shape[1])]
    missing = [
        label for label, own in zip(view.classes_.tolist(), rows, strict=True) if not len(own)
    ]
    if missing:
        raise ValueError(f"X has no samples of the classes {missing[:5]}: pass some of each class.")
    means = np.stack([_logits(view, X[own]).mean(axis=0) for own in rows])
    distance = ((means[:, None] - means) ** 2).mean(axis=2)
    if normalize is None:
        return distance
    if not distance.any():
        raise ValueError(
            f"{view.name} gives all classes the same mean logits, so their distances have no "
            "scale: type normalize=None, or train the network further."
        )
    return distance / distance.max(axis=1, keepdims=True)


@torch.no_grad()
def _logits(view, X, batch_size=256):
    starts = range(0, len(X), batch_size)
    parts = [view(view.tensor(X[start : start + batch_size])) for start in starts]
    return torch.cat(parts).double().cpu().numpy()
