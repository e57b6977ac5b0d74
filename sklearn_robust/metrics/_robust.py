"""Accuracy under attack."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from torch.utils.data import DataLoader, Dataset

from .. import _validation as check
from .._streams import box_of_stream, is_stream, parts_of
from ..attacks import BaseAttack
from ..attacks._evaluation import choose_attack, open_samples, params_of, robust_mask
from ..differentiable import open_model
from ..differentiable._state import records

__all__ = ["prediction_stability", "robust_score", "share_of_robust"]


@records
def share_of_robust(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike | None,
    attack: BaseAttack | None,
    sample_weight: ArrayLike | None,
    n_jobs: int | None,
    unseen: bool = False,
    cache: str | os.PathLike[str] | None = None,
    eps: Any = None,
) -> float:
    """Weighted share of samples that are robust; labels ``unseen`` in fit may count as errors."""
    model = open_model(estimator, X, params_of(attack))
    if attack is not None:  # a wrong one is refused first
        choose_attack(attack, model)
    X, codes = open_samples(model, X, y, unseen=unseen)
    attack = choose_attack(attack, model)  # the samples have told whether there is a gradient
    if eps is not None:
        attack = clone(attack).set_params(eps=eps)
        attack.check_parameters()
    robust = robust_mask(model, X, codes, attack, n_jobs=n_jobs, cache=cache)
    weights = check.check_weights(sample_weight, len(robust))
    return float(np.average(robust.astype(float), weights=weights))


@records
def share_of_stream(
    estimator: Any,
    X: Any,
    y: ArrayLike | None,
    attack: BaseAttack | None,
    sample_weight: ArrayLike | None,
    n_jobs: int | None,
    cache: str | os.PathLike[str] | None = None,
    eps: Any = None,
) -> float:
    """Weighted share of the samples of a stream that are robust, found part by part."""
    robust: list[NDArray[np.bool_]] = []
    model, n_seen = open_model(estimator), 0
    for samples, labels in parts_of(X, y):
        if labels is None:
            raise ValueError(
                f"X is a {type(X).__name__} that yields no labels: let it yield (samples, labels)."
            )
        samples, codes = open_samples(model, samples, labels)
        if not n_seen:
            attack = clone(choose_attack(attack, model))
            attack.set_params(bounds=box_of_stream(X, attack.bounds))
            if eps is not None:
                attack.set_params(eps=eps)
        assert attack is not None
        options: dict[str, Any] = {"n_jobs": n_jobs, "cache": cache, "units_known": n_seen > 0}
        index = np.arange(n_seen, n_seen + len(samples))
        robust.append(robust_mask(model, samples, codes, attack, index=index, **options))
        n_seen += len(samples)
    if not n_seen:
        raise ValueError(f"X is a {type(X).__name__} without samples: give at least one.")
    weights = check.check_weights(sample_weight, n_seen)
    return float(np.average(np.concatenate(robust).astype(float), weights=weights))


def robust_score(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike | None = None,
    *,
    attack: BaseAttack | None = None,
    eps: Any = None,
    sample_weight: ArrayLike | None = None,
    n_jobs: int | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> float:
    """Accuracy that is left when an attack may move every sample inside its ball.

    Parameters
    ----------
    estimator : fitted classifier, Pipeline, or torch.nn.Module of logits
        What to score. ``eps`` is in the units of the X passed here, before any scaler of a
        pipeline.
    X : array-like of shape (n_samples, ...), DataLoader or torch Dataset
        Clean samples. Arrays of h5py and zarr, loaders and datasets are read part by part.
    y : array-like of shape (n_samples,), or None
        True labels; None where X yields (samples, labels).
    attack : attack, default=None
        None means ``WorstCase(random_state=0)``: eps = 8/255 in linf for every estimator, the worst
        for each sample of PGD with 40 steps on cross-entropy, margin and scaled cross-entropy. The
        eps that a net was trained with is not used. Trees are searched exactly by
        ``TreeAttack()``, another model without a gradient by ``Square(random_state=0)``, with a
        BlackBoxWarning.
    eps : float or array of the samples' shape, default=None
        Radius in place of the attack's own.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each sample.
    n_jobs : int, default=None
        Processes that share the samples; the result is that of one process.
    cache : path-like, default=None
        Folder that keeps the verdicts of each hundred samples as soon as they are found. An
        evaluation that was killed and is started again by the same line finds the missing ones
        alone, and ends with the same number. Another model, sample, attack or version is another
        entry, so that one folder may serve all. The attack needs a seed.

    Returns
    -------
    score : float
        Weighted share of samples that are classified correctly whatever the attack does. Never
        above accuracy. A finite attack finds an upper bound of the true robust accuracy.

    Raises
    ------
    NotDifferentiableError
        If the attack needs a gradient and none reaches the input.
    ValueError
        If X holds pixels in whole shades from 0 to 255 and no eps is given.

    Warns
    -----
    UnitsWarning
        If no eps is given, X leaves [0, 1], and 8/255 is less than 2 % of the standard deviation
        of some feature.

    See Also
    --------
    make_robust_scorer : The same as a scorer with a given attack.
    robustness_curve : For several radii.

    Notes
    -----
    A success counts only if ``estimator.predict`` itself errs on the perturbed sample.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.attacks import PGD
    >>> from sklearn_robust.metrics import robust_score
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> round(model.score(X, y), 2), round(robust_score(model, X, y, eps=0.3), 2)
    (0.97, 0.72)
    >>> round(robust_score(model, X, y, attack=PGD(eps=0.3, norm="l2", random_state=0)), 2)
    0.89
    """
    check.validate(locals())
    given = (attack, sample_weight, n_jobs)
    if not isinstance(X, np.ndarray) and is_stream(X):
        if not isinstance(X, (DataLoader, Dataset)):
            check.check_labels(y)
        return share_of_stream(estimator, X, y, *given, eps=eps, cache=cache)
    check.check_labels(y)
    return share_of_robust(estimator, X, y, *given, eps=eps, cache=cache)


def prediction_stability(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike | None = None,
    *,
    attack: BaseAttack | None = None,
    sample_weight: ArrayLike | None = None,
    n_jobs: int | None = None,
) -> float:
    """Share of samples whose prediction no attack inside the ball changes; needs no labels.

    Parameters
    ----------
    estimator : fitted classifier
        What to score.
    X : array-like of shape (n_samples, ...)
        Samples.
    y : ignored
        Accepted so that the function is a scorer.
    attack : attack, default=None
        As for :func:`robust_score`.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each sample.
    n_jobs : int, default=None
        Processes that share the samples.

    Returns
    -------
    stability : float
        At least the robust score on the same samples; a constant model reaches 1, so it must
        not pick a model alone.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.attacks import PGD
    >>> from sklearn_robust.metrics import prediction_stability
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> bool(prediction_stability(model, X, attack=PGD(eps=0.05)) > 0.9)
    True
    """
    check.validate(locals())
    if y is not None:
        check.check_labels(y)
    return share_of_robust(estimator, X, None, attack, sample_weight, n_jobs)


def _takes_weights() -> bool:
    return True


# scikit-learn's multi-metric scorer asks its members before it passes weights on.
for score in (robust_score, prediction_stability):
    vars(score)["_accept_sample_weight"] = _takes_weights
