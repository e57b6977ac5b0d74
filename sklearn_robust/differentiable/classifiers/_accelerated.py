"""A classifier whose attacks compute in reduced precision, or compiled."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.utils import Tags, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from ... import _validation as check
from .._fast.reduced_precision import PRECISIONS, ReducedPrecision
from .._registry import build, register

__all__ = ["Accelerated"]


def _has(name):
    def check_inner(self):
        getattr(vars(self).get("estimator_", self._inner()), name)
        return True

    return check_inner


class Accelerated(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """Wrapper with which attacks search in reduced precision or compiled; float32 decides.

    The classifier itself predicts in full precision, and so it judges every point that an attack
    brings. A point that does not fool it is searched on in full precision.

    Parameters
    ----------
    estimator : classifier, default=None
        What to fit and to attack; a fitted one goes into a FrozenEstimator. None means
        LogisticRegression.
    precision : {"bfloat16", "float32"}, default="bfloat16"
        What matrix products and convolutions of float32 data compute in during a search.
    compile : bool, default=False
        Whether to compile the search's forward and backward pass with ``torch.compile``, which
        takes seconds to minutes on the first batch.

    Attributes
    ----------
    estimator_ : classifier
        The fitted classifier.
    classes_ : array of shape (n_classes,)
        Its labels.

    See Also
    --------
    as_module : Makes the model that is accelerated.

    Notes
    -----
    Worth it on hardware with bfloat16 units; on a processor without, PGD on a small convolutional
    net took more than ten times as long, and compiled 1.4 times as long. A search in reduced
    precision may miss a point near the boundary that float32 finds: the robust accuracy that it
    leaves can only be too high, by what bfloat16 resolves.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.frozen import FrozenEstimator
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust import robust_score
    >>> from sklearn_robust.attacks import PGD
    >>> from sklearn_robust.differentiable import Accelerated
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> fast = Accelerated(FrozenEstimator(model)).fit(X, y)
    >>> attack = PGD(eps=0.5, bounds=None, random_state=0)
    >>> gap = robust_score(fast, X, y, attack=attack) - robust_score(model, X, y, attack=attack)
    >>> bool(abs(gap) < 0.02)
    True
    """

    def __init__(
        self, estimator: Any = None, *, precision: str = "bfloat16", compile: bool = False
    ) -> None:
        self.estimator = estimator
        self.precision = precision
        self.compile = compile

    def fit(self, X: ArrayLike, y: ArrayLike, **fit_params: Any) -> Accelerated:
        """Fit the estimator.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Training data.
        y : array-like of shape (n_samples,)
            Labels.
        **fit_params : dict
            Passed on.

        Returns
        -------
        self : object
            The fitted classifier.
        """
        check.check_choice("precision", self.precision, PRECISIONS)
        self.estimator_ = clone(self._inner()).fit(X, y, **fit_params)
        self.classes_ = self.estimator_.classes_
        for name in ("n_features_in_", "feature_names_in_", "input_shape_"):
            if hasattr(self.estimator_, name):
                setattr(self, name, getattr(self.estimator_, name))
        return self

    def _inner(self):
        given = LogisticRegression() if self.estimator is None else self.estimator
        check.check_learner("estimator", given)
        return given

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self._inner()).input_tags
        return tags

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Predict labels, (n_samples,), in full precision."""
        check_is_fitted(self)
        return self.estimator_.predict(X)

    @available_if(_has("predict_proba"))
    def predict_proba(self, X: ArrayLike) -> NDArray[Any]:
        """Predict probabilities, (n_samples, n_classes), in full precision."""
        check_is_fitted(self)
        return self.estimator_.predict_proba(X)

    @available_if(_has("decision_function"))
    def decision_function(self, X: ArrayLike) -> NDArray[Any]:
        """Ask the estimator for its decision function."""
        check_is_fitted(self)
        return self.estimator_.decision_function(X)


@register(Accelerated)
def _accelerated(fitted):
    return ReducedPrecision(build(fitted.estimator_), fitted.precision, fitted.compile)
