"""Accuracy under attack."""

import warnings

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.utils import check_consistent_length, gen_even_slices
from torch.utils.data import Dataset

from .. import _validation as check
from .._random import seed_of
from ..attacks import Square, WorstCase
from ..attacks._minimum_norm import check_radius
from ..differentiable import open_model
from ..exceptions import BlackBoxWarning

__all__ = [
    "attack_and_model",
    "distances",
    "prediction_stability",
    "robust_score",
    "withstood",
]


def attack_and_model(attack, estimator):
    """Copy of the attack that a score is about, and the opened estimator.

    None is the worst case over several losses; for a model without a gradient it is a search by
    scores, and a warning says so.
    """
    model = open_model(estimator)
    if attack is not None:
        attack = clone(check.check_attack(attack))
        attack._logits_of(model)  # a model without a gradient is refused first
        return attack, model
    if model.differentiable:
        return WorstCase(random_state=0), model
    warnings.warn(
        f"{model.name} has no gradient: Square searched by its scores alone, so that the score is "
        "an upper bound which a stronger attack may lower.",
        BlackBoxWarning,
        stacklevel=4,
    )
    return Square(random_state=0), model


def mean_of(robust, sample_weight):
    """Weighted share of True."""
    check_consistent_length(robust, sample_weight)
    return float(np.average(robust, weights=sample_weight))


def withstood(estimator, X, y=None, *, attack=None, n_jobs=None, index=None):
    """Say which samples are classified correctly whatever the attack does to them.

    Parameters
    ----------
    estimator : fitted classifier
        What to attack.
    X : array-like of shape (n_samples, ...)
        Clean samples.
    y : array-like of shape (n_samples,), optional
        True labels; without it the predicted ones, so that stability is judged.
    attack : attack, default=None
        None means ``WorstCase(random_state=0)``, or ``Square`` for a model without a gradient.
    n_jobs : int, default=None
        Processes that share the samples.
    index : int array of shape (n_samples,), default=None
        Numbers that errors name the samples by; None counts them from 0.

    Returns
    -------
    robust : bool array of shape (n_samples,)
        Clean errors are not robust.
    """
    attack, model = attack_and_model(attack, estimator)
    check_radius(attack)
    if isinstance(X, Dataset):
        raise ValueError(
            f"X is a {type(X).__name__}, a dataset: give its samples as an array, or type "
            "use_caching=False where it comes from skorch's EpochScoring."
        )
    robust, fooled = _attacked(model, X, y, attack, n_jobs, "fooled", index)
    robust[robust] = ~fooled
    return robust


def distances(estimator, X, y, *, attack, n_jobs=None):
    """How far an attack for the nearest point had to go: 0 for clean errors, inf for failures.

    Parameters
    ----------
    estimator : fitted classifier
        What to attack.
    X : array-like of shape (n_samples, ...)
        Clean samples.
    y : array-like of shape (n_samples,)
        True labels.
    attack : MinimumNormAttack
        Its norm is that of the distances.
    n_jobs : int, default=None
        Processes that share the samples.

    Returns
    -------
    distance : array of shape (n_samples,), float64
        Upper bounds of the distances to the decision boundary.
    """
    attack, model = attack_and_model(attack, estimator)
    correct, found = _attacked(model, X, y, attack, n_jobs, "distance")
    distance = np.zeros(len(correct))
    distance[correct] = found
    return distance


def _attacked(model, X, y, attack, n_jobs, key, index=None):
    """Which samples are classified correctly, and what came of attacking those."""
    if getattr(attack, "targeted", False):
        raise ValueError("A targeted attack does not measure robustness; use targeted=False.")
    attack._check_parameters()
    X = check.check_samples(X, of=model.estimator)
    check.check_sample_shape(X, model.input_shape, model.name)
    predicted = model.predict_codes(X)
    if y is None:
        correct = np.ones(len(X), dtype=bool)
    else:
        correct = predicted == model.label_codes(X, y)
    # The box is that of the whole call, and every process draws alike.
    bounds = check.check_bounds(attack.bounds, X)
    attack.set_params(random_state=seed_of(attack.random_state))
    labels = model.classes_[predicted[correct]]
    index = (np.arange(len(X)) if index is None else index)[correct]
    return correct, _shared(attack, model, X[correct], labels, bounds, index, n_jobs, key)


def _shared(attack, model, X, y, bounds, index, n_jobs, key):
    n_chunks = min(joblib.effective_n_jobs(n_jobs), max(len(X), 1))
    if not len(X):
        return np.zeros(0, bool)
    if n_chunks == 1:
        return _chunk(attack, model, X, y, bounds, index, key)
    parts = joblib.Parallel(n_jobs=n_jobs)(
        joblib.delayed(_chunk)(attack, model.estimator, X[rows], y[rows], bounds, index[rows], key)
        for rows in gen_even_slices(len(X), n_chunks)
    )
    return np.concatenate(parts)


def _chunk(attack, estimator, X, y, bounds, index, key):
    return attack._evaluate(estimator, X, y, bounds, checked=True, index=index)[key]


def robust_score(estimator, X, y, *, attack=None, sample_weight=None, n_jobs=None):
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
        cross-entropy. An eps that a net was trained with plays no part. A model without a
        gradient is searched by ``Square(random_state=0)``, with a BlackBoxWarning.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each sample.
    n_jobs : int, default=None
        Processes that share the samples; the verdicts are those of one process.

    Returns
    -------
    score : float
        Weighted share of samples that are classified correctly and withstand the attack. Never
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
    check.check_labels(y)
    robust = withstood(estimator, X, y, attack=attack, n_jobs=n_jobs)
    return mean_of(robust, sample_weight)


def prediction_stability(estimator, X, y=None, *, attack=None, sample_weight=None, n_jobs=None):
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
    stable = withstood(estimator, X, None, attack=attack, n_jobs=n_jobs)
    return mean_of(stable, sample_weight)


def _takes_weights():
    return True


# scikit-learn's multi-metric scorer asks its members before it passes weights on.
for score in (robust_score, prediction_stability):
    vars(score)["_accept_sample_weight"] = _takes_weights
