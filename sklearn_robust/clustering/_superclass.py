"""A classifier of classes as a classifier of superclasses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from .. import _validation as check
from ..differentiable import as_module, register
from ..differentiable._decision_scores import class_scores
from ..differentiable._layers.outputs import output_of
from ._class_clustering import ClassClustering
from ._taxonomy import superclass_codes
from ._weights import class_weight_matrix

__all__ = ["SuperclassClassifier"]


def _has(name: str) -> Callable[[SuperclassClassifier], bool]:
    def check_estimator(self: SuperclassClassifier) -> bool:
        wanted = "predict_proba" if self.aggregate == "sum" else name
        getattr(getattr(self, "estimator_", self.estimator), wanted)
        return True

    return check_estimator


class SuperclassClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """Predict superclasses with a classifier of their classes.

    It predicts the superclass of samples whose classes were not in ``fit``, as long as their
    superclass was: the sub-population shift of the paper.

    Parameters
    ----------
    estimator : classifier
        Classifier of the classes; a clone is fitted. Wrap a fitted one in
        :class:`sklearn.frozen.FrozenEstimator` to use it as it is.
    superclasses : "auto", array-like of shape (n_classes,) or dict, default="auto"
        Superclass of each class in sorted order, or the classes of each superclass. "auto" takes
        the clusters of the fitted classifier's linearised weights, numbered from 0.
    aggregate : {"argmax", "sum"}, default="argmax"
        "argmax" predicts the superclass of the most likely class, like the paper's code; "sum"
        the superclass whose classes are most likely together.
    n_clusters : int, default=2
        Number of superclasses when they are "auto".

    Attributes
    ----------
    classes_ : array of shape (n_superclasses,)
        Superclasses, sorted.
    superclass_codes_ : array of shape (n_classes,)
        Position in ``classes_`` of each class's superclass.
    estimator_ : classifier
        The fitted classifier of classes.
    n_features_in_, feature_names_in_
        Those of ``estimator_``, where it has them.

    See Also
    --------
    LinearizedClustering : The clusters behind "auto".

    Notes
    -----
    ``fit`` wants classes, ``score`` superclasses. In searches and cross-validation, which have
    one y for both, give a scorer that translates: ``scoring=lambda model, X, y: model.score(X,
    superclasses[y])``. Attacks and robust scores support it: a sample counts as fooled when its
    superclass changes.

    References
    ----------
    Bai et al., "Clustering effect of (linearized) adversarial robust models", NeurIPS 2021.

    Examples
    --------
    Trained on three classes of each superclass, tested on the fourth:

    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.clustering import SuperclassClassifier
    >>> from sklearn_robust.datasets import make_hierarchical_blobs
    >>> X, y, superclasses = make_hierarchical_blobs(random_state=0)
    >>> new = y % 4 == 3
    >>> taxonomy = {0: [0, 1, 2], 1: [4, 5, 6], 2: [8, 9, 10]}
    >>> model = SuperclassClassifier(LogisticRegression(C=1e-4), taxonomy)
    >>> model.fit(X[~new], y[~new]).score(X[new], superclasses[y[new]])
    1.0
    """

    def __init__(
        self,
        estimator: Any,
        superclasses: str | ArrayLike | Mapping[Any, Any] = "auto",
        *,
        aggregate: str = "argmax",
        n_clusters: int = 2,
    ) -> None:
        self.estimator = estimator
        self.superclasses = superclasses
        self.aggregate = aggregate
        self.n_clusters = n_clusters

    def fit(self, X: ArrayLike, y: ArrayLike, **fit_params: Any) -> SuperclassClassifier:
        """Fit the classifier of classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples.
        y : array-like of shape (n_samples,)
            Their classes, not their superclasses.
        **fit_params
            Passed on to the classifier.

        Returns
        -------
        self : object
            The fitted classifier of superclasses.

        Raises
        ------
        ValueError
            If ``aggregate`` is "sum" and the classifier has no probabilities, or the superclasses
            are not those of its classes.
        """
        check.check_choice("aggregate", self.aggregate, ["argmax", "sum"])
        check.check_learner("estimator", self.estimator)
        if self.aggregate == "sum" and not hasattr(self.estimator, "predict_proba"):
            raise ValueError(
                f"aggregate is 'sum', but {type(self.estimator).__name__} has no predict_proba to "
                "sum: type aggregate='argmax', or wrap it in CalibratedClassifierCV."
            )
        self.estimator_ = clone(self.estimator).fit(X, y, **fit_params)
        labels = self.estimator_.classes_
        if isinstance(self.superclasses, str):
            check.check_choice("superclasses", self.superclasses, ["auto"])
            weights = class_weight_matrix(self.estimator_, X)
            codes = ClassClustering(self.n_clusters).fit(weights).labels_
            self.superclass_codes_, self.classes_ = codes, np.arange(self.n_clusters)
        else:
            self.superclass_codes_, self.classes_ = superclass_codes(self.superclasses, labels)
        return self

    @property
    def n_features_in_(self) -> int:
        """Number of features of the classifier of classes."""
        return self.estimator_.n_features_in_

    @property
    def feature_names_in_(self) -> NDArray[Any]:
        """Names of the features of the classifier of classes."""
        return self.estimator_.feature_names_in_

    @available_if(_has("predict_proba"))
    def predict_proba(self, X: ArrayLike) -> NDArray[Any]:
        """Sum of the probabilities of each superclass's classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples.

        Returns
        -------
        probabilities : array of shape (n_samples, n_superclasses)
            Columns in the order of ``classes_``.
        """
        check_is_fitted(self)
        members = np.eye(len(self.classes_))[self.superclass_codes_]
        return self.estimator_.predict_proba(X) @ members

    @available_if(_has("decision_function"))
    def decision_function(self, X: ArrayLike) -> NDArray[Any]:
        """Largest decision of each superclass's classes; with "sum" the log of its probability.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples.

        Returns
        -------
        z : array of shape (n_samples, n_superclasses), or (n_samples,) when there are two
            Columns in the order of ``classes_``; for two superclasses their difference, positive
            for ``classes_[1]``.
        """
        check_is_fitted(self)
        if self.aggregate == "sum":
            with np.errstate(divide="ignore"):
                z = np.log(self.predict_proba(X))
        else:
            own = np.asarray(self.estimator_.decision_function(X))
            own = class_scores(self.estimator_, own, len(self.superclass_codes_))
            z = np.stack([own[:, rows].max(axis=1) for rows in _members(self)], axis=1)
        return z[:, 1] - z[:, 0] if z.shape[1] == 2 else z

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Superclass of each sample.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples, also of classes that were not in fit.

        Returns
        -------
        superclasses : array of shape (n_samples,)
            Entries of ``classes_``.
        """
        check_is_fitted(self)
        if self.aggregate == "sum":
            return self.classes_[self.predict_proba(X).argmax(axis=1)]
        labels = self.estimator_.predict(X)
        codes = check.encode_labels(labels, self.estimator_.classes_, type(self).__name__)
        return self.classes_[self.superclass_codes_[codes]]


def _members(model: SuperclassClassifier) -> list[NDArray[np.intp]]:
    """Numbers of the classes of each superclass."""
    codes = model.superclass_codes_
    return [np.flatnonzero(codes == code) for code in range(len(model.classes_))]


class Superclasses(nn.Module):
    """Logits of superclasses: the largest of their classes' logits, or log of their probability.

    Parameters
    ----------
    model : SuperclassClassifier
        Fitted.
    """

    def __init__(self, model: SuperclassClassifier) -> None:
        super().__init__()
        self.body = as_module(model.estimator_).body
        self.rows, self.aggregate = _members(model), model.aggregate

    def forward(self, x: Tensor) -> Tensor:
        """Logits (n, n_superclasses)."""
        if self.aggregate == "sum":
            log_p = output_of(self.body, "log_proba", x)
            return torch.stack([log_p[:, rows].logsumexp(1) for rows in self.rows], 1)
        z = self.body(x)
        return torch.stack([z[:, rows].amax(1) for rows in self.rows], 1)


register(SuperclassClassifier, Superclasses)
