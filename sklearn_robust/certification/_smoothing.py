"""Randomised smoothing: a classifier that lets a base classifier vote on noisy copies."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils.validation import check_is_fitted

from .. import _validation as check
from .._norms import get_norm
from .._random import seed_of
from ..differentiable._scores import with_names
from ._problem import Certificate, Problem
from ._registry import register_certifier
from ._votes import add_noise, count_votes

if TYPE_CHECKING:
    from typing import Self

__all__ = ["SmoothedClassifier"]

_SELECTION, _ESTIMATION = 0, 1  # independent streams of noise


class SmoothedClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """Classifier that predicts the class which another one gives most noisy copies of a sample.

    Whatever the base classifier is, the smoothed one cannot change within a radius in l2 that
    follows from how often the winning class is predicted.

    Parameters
    ----------
    estimator : classifier
        Base classifier; a clone is fitted. Wrap a fitted one in
        :class:`sklearn.frozen.FrozenEstimator` to use it as it is.
    sigma : float, default=0.25
        Standard deviation of the noise, in the units of X. More noise allows larger radii and
        costs accuracy.
    n_samples : int, default=1000
        Noisy copies of each sample that vote.
    n_draws_select : int, default=100
        Noisy copies, other ones, that choose the class whose radius is certified.
    alpha : float, default=0.001
        Probability, for each sample, that its radius is too large.
    n_noisy_copies : int, default=0
        Noisy copies of the training samples that the base classifier is fitted on instead of the
        samples; 0 fits it on the samples themselves.
    abstain : label, default=None
        What ``predict`` returns where the votes do not tell the two leading classes apart at the
        level ``alpha``. None predicts the leading class everywhere.
    random_state : int, RandomState or None, default=None
        Seed of the noise. It is drawn once in ``fit``: predictions repeat, whatever the other
        samples of the call.
    n_jobs : int, default=None
        Processes that share the samples.

    Attributes
    ----------
    estimator_ : classifier
        The fitted base classifier.
    classes_ : array of shape (n_classes,)
        Labels.
    seed_ : int
        Seed of the noise.

    See Also
    --------
    certified_radius : For classifiers without noise.

    Notes
    -----
    With Phi the distribution function of the standard normal distribution, the radius is ``sigma *
    Phi^-1(p)``, where p is a lower bound of the probability of the class at the level ``alpha``
    (Clopper and Pearson). It holds for the smoothed classifier, of which finitely many
    votes are an estimate; a base classifier that is not used to noise votes badly, so give
    ``n_noisy_copies``, or a net that is trained with noise. The noise of a sample follows from its
    values and the seed.

    References
    ----------
    Cohen, Rosenfeld, Kolter, "Certified adversarial robustness via randomized smoothing", ICML
    2019.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn_robust.certification import SmoothedClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> forest = RandomForestClassifier(10, random_state=0)
    >>> model = SmoothedClassifier(forest, sigma=0.5, n_noisy_copies=5, random_state=0).fit(X, y)
    >>> bool(model.score(X[::5], y[::5]) > 0.9)
    True
    >>> bool(model.certified_radius(X[:3], y[:3]).min() > 0.5)
    True
    """

    def __init__(
        self,
        estimator: Any,
        sigma: float = 0.25,
        *,
        n_samples: int = 1000,
        n_draws_select: int = 100,
        alpha: float = 0.001,
        n_noisy_copies: int = 0,
        abstain: Any = None,
        random_state: int | np.random.RandomState | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.estimator = estimator
        self.sigma = sigma
        self.n_samples = n_samples
        self.n_draws_select = n_draws_select
        self.alpha = alpha
        self.n_noisy_copies = n_noisy_copies
        self.abstain = abstain
        self.random_state = random_state
        self.n_jobs = n_jobs

    # -- fit --------------------------------------------------------------------------------

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Fit the base classifier.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples.
        y : array-like of shape (n_samples,)
            Labels.

        Returns
        -------
        self : object
            The fitted classifier.

        Raises
        ------
        ValueError
            If a parameter makes no sense.
        """
        self._check_parameters()
        check.check_learner("estimator", self.estimator)
        samples, y = check.validate_samples(self, X, y)
        self.seed_ = seed_of(self.random_state)
        self.input_shape_ = samples.shape[1:]
        if self.n_noisy_copies:
            rng = np.random.default_rng([self.seed_, 2])
            samples, y = (
                np.repeat(samples, self.n_noisy_copies, 0),
                np.repeat(y, self.n_noisy_copies),
            )
            samples = add_noise(samples, self.sigma, rng.standard_normal(samples.shape, np.float32))
        self.estimator_ = clone(self.estimator).fit(with_names(self, samples), y)
        self.classes_ = self.estimator_.classes_
        self._check_abstain()
        return self

    def _check_parameters(self) -> None:
        check.check_number("sigma", self.sigma, strict=True)
        check.check_number("alpha", self.alpha, high=1, strict=True)
        for name in ("n_samples", "n_draws_select"):
            check.check_count(name, vars(self)[name])
        check.check_count("n_noisy_copies", self.n_noisy_copies, low=0)
        check.check_jobs("n_jobs", self.n_jobs)

    def _check_abstain(self) -> None:
        """Raise if a sample without a prediction would be mixed up with the labels."""
        if self.abstain is None:
            return
        kind, wanted = np.asarray(self.abstain).dtype.kind, self.classes_.dtype.kind
        number = "biuf"
        if kind != wanted and not (kind in number and wanted in number):
            raise ValueError(
                f"abstain is {self.abstain!r}, and the labels are of dtype {self.classes_.dtype}: "
                "give a label of their kind."
            )
        if self.abstain in self.classes_:
            raise ValueError(
                f"abstain is {self.abstain!r}, which is one of the labels: give another one."
            )

    # -- votes ------------------------------------------------------------------------------

    def _votes(self, samples: NDArray[np.float32], stream: int, n_draws: int) -> NDArray[np.int64]:
        return count_votes(self, samples, stream, n_draws)

    def _checked(self, X: ArrayLike) -> NDArray[np.float32]:
        check_is_fitted(self)
        self._check_parameters()
        self._check_abstain()
        samples = check.validate_samples(self, X, reset=False)
        check.check_sample_shape(samples, self.input_shape_, type(self).__name__)
        return samples

    # -- predictions ------------------------------------------------------------------------

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Share of the votes that each class gets.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples.

        Returns
        -------
        share : array of shape (n_samples, n_classes)
            Rows sum to 1.
        """
        return self._votes(self._checked(X), _ESTIMATION, self.n_samples) / self.n_samples

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Class with most votes, or ``abstain`` where the votes do not decide.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples.

        Returns
        -------
        y : array of shape (n_samples,)
            Labels.
        """
        votes = self._votes(self._checked(X), _ESTIMATION, self.n_samples)
        labels = self.classes_[votes.argmax(axis=1)]
        if self.abstain is None:
            return labels
        second, first = np.sort(votes, axis=1)[:, -2:].T
        # Twice the probability of a fair coin to fall so often on one side (Cohen et al.).
        p_value = np.minimum(1, 2 * stats.binom.sf(first - 1, first + second, 0.5))
        return np.where(p_value <= self.alpha, labels, self.abstain)

    def certified_radius(self, X: ArrayLike, y: ArrayLike | None = None) -> NDArray[np.float64]:
        """Radius in l2 within which the smoothed classifier does not change.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples.
        y : array-like of shape (n_samples,), default=None
            True labels; None certifies the class that the smoothed classifier predicts, whichever
            it is.

        Returns
        -------
        radius : array of shape (n_samples,), float64
            In the units of X; 0 where nothing is certified, or another class than ``y`` is.

        Raises
        ------
        ValueError
            If ``n_samples`` is too small to certify anything even if all votes agree.
        """
        samples = self._checked(X)
        needed = math.floor(math.log2(1 / self.alpha)) + 1
        if self.n_samples < needed:
            raise ValueError(
                f"n_samples is {self.n_samples}: even if all votes agree, nothing can be "
                f"certified at alpha={self.alpha:g}. Give at least n_samples={needed}."
            )
        chosen = self._votes(samples, _SELECTION, self.n_draws_select).argmax(axis=1)
        votes = self._votes(samples, _ESTIMATION, self.n_samples)
        votes = votes[np.arange(len(samples)), chosen]
        # The lower end of Clopper and Pearson's one-sided interval.
        share = stats.beta.ppf(self.alpha, votes, self.n_samples - votes + 1)
        share = np.where(votes > 0, share, 0.0)
        radius = np.where(share > 0.5, self.sigma * stats.norm.ppf(np.maximum(share, 0.5)), 0.0)
        if y is None:
            return radius
        check.check_labels(y)
        codes = check.encode_labels(y, self.classes_, type(self).__name__, unseen=True)
        return np.where(chosen == codes, radius, 0.0)


@register_certifier(SmoothedClassifier)
def _certify(problem: Problem) -> Certificate:
    """Compare the certified radii with the largest l2 length of a perturbation."""
    if problem.steps:
        return Certificate.nothing(
            problem,
            "Nothing is proven of a SmoothedClassifier behind other steps, whose noise is in other "
            "units than X: put the steps inside, SmoothedClassifier(make_pipeline(...)).",
        )
    model = problem.classifier
    radius = model.certified_radius(problem.X, model.classes_[problem.codes])
    return Certificate(
        radius > _longest(problem) * (1 + 1e-6),
        note=f"The proofs are of the smoothed classifier, each with probability {1 - model.alpha:g}"
        "; the votes that predict draws are an estimate of it.",
    )


def _longest(problem: Problem) -> NDArray[np.float64]:
    """Upper bound of the l2 length of a perturbation of each sample."""
    low, high = problem.limits
    reach = np.maximum(problem.X - low, high - problem.X).reshape(len(problem.X), -1)
    longest = np.linalg.norm(reach, axis=1)
    if 1 <= get_norm(problem.threat.norm).order <= 2:
        longest = np.minimum(longest, problem.radius.reshape(len(problem.X), -1).max(axis=1))
    return longest
