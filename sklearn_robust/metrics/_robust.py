"""Accuracy under attack."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import _validation as check
from ..attacks import BaseAttack
from ..attacks._evaluation import choose_attack, open_samples, robust_mask
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
) -> float:
    """Weighted share of samples that are robust; labels ``unseen`` in fit may count as errors."""
    model = open_model(estimator)
    if attack is not None:  # a wrong one is refused first
        choose_attack(attack, model)
    X, codes = open_samples(model, X, y, unseen=unseen)
    attack = choose_attack(attack, model)  # the samples have told whether there is a gradient
    robust = robust_mask(model, X, codes, attack, n_jobs=n_jobs)
    weights = check.check_weights(sample_weight, len(robust))
    return float(np.average(robust.astype(float), weights=weights))


def robust_score(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike,
    *,
    attack: BaseAttack | None = None,
    sample_weight: ArrayLike | None = None,
    n_jobs: int | None = None,
) -> float:
    """Accuracy that is left when an attack may move every sample inside its ball.

    Parameters
    ----------
    estimator : fitted classifier, Pipeline, or torch.nn.Module of logits
        What to score. ``eps`` is in the units of the X passed here, before any scaler of a
        pipeline.
    X : array-like of shape (n_samples, ...)
        Clean samples.
    y : array-like of shape (n_samples,)
        True labels.
    attack : attack, default=None
        None means ``WorstCase(random_state=0)``: eps = 8/255 in linf for every estimator, the
        worst for each sample of PGD with 40 steps on cross-entropy, margin and scaled
        cross-entropy. An eps that a net was trained with plays no part. Trees are searched
        exactly by ``TreeAttack()``, another model without a gradient by
        ``Square(random_state=0)``, with a BlackBoxWarning.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each sample.
    n_jobs : int, default=None
        Processes that share the samples; the result is that of one process.

    Returns
    -------
    score : float
        Weighted share of samples that are classified correctly whatever the attack does. Never
        above accuracy. A finite attack finds an upper bound of the true robust accuracy.

    Raises
    ------
    NotDifferentiableError
        If the attack needs a gradient and none reaches the input.

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
    >>> bool(robust_score(model, X, y, attack=PGD(eps=0.3, random_state=0)) < model.score(X, y))
    True
    """
    check.validate(locals())
    check.check_labels(y)
    return share_of_robust(estimator, X, y, attack, sample_weight, n_jobs)


def prediction_stability(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike | None = None,
    *,
    attack: BaseAttack | None = None,
    sample_weight: ArrayLike | None = None,
    n_jobs: int | None = None,
) -> float:
    """Share of predictions that no attack inside the ball changes; needs no labels.

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
    >>> from sklearn_robust.metrics import prediction_stability
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> bool(prediction_stability(model, X) > 0.9)
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
