"""Clusters of the classes of a fitted network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.metrics import adjusted_rand_score
from sklearn.utils import Bunch
from sklearn.utils.validation import check_is_fitted

from .. import _validation as check
from ..differentiable import open_model
from ._class_clustering import ClassClustering
from ._measures import agreement
from ._taxonomy import superclass_codes
from ._weights import class_weight_matrix

__all__ = ["LinearizedClustering"]


class LinearizedClustering(ClusterMixin, BaseEstimator):
    """Cluster the classes of a fitted network by their weights, and samples by their classes.

    Parameters
    ----------
    estimator : fitted classifier, Pipeline, or torch.nn.Module
        Network of at least three classes. Wrap it in :class:`sklearn.frozen.FrozenEstimator` where
        something clones this clusterer, since a clone of a net is not fitted.
    n_clusters : int or None, default=2
        Number of superclasses; None when ``distance_threshold`` decides.
    distance_threshold : float, default=None
        As for :class:`ClassClustering`.
    linkage : {"average", "complete", "single", "weighted", "ward"}, default="average"
        As for :class:`ClassClustering`.
    metric : {"cosine", "euclidean"}, default="cosine"
        As for :class:`ClassClustering`.
    center : {None, "classes", "features"}, default=None
        As for :class:`ClassClustering`.
    method : {"linearized", "mean_jacobian"}, default="linearized"
        As for :func:`class_weight_matrix`.
    batch_norm : {"fold", "drop"}, default="fold"
        As for :func:`linearize`.

    Attributes
    ----------
    labels_ : array of shape (n_samples,)
        Superclass of each sample: that of its predicted class.
    class_labels_ : array of shape (n_classes,)
        Superclass of each class.
    classes_ : array of shape (n_classes,)
        Labels of the classes.
    weights_ : array of shape (n_classes, n_inputs)
        Weights of the network for each class, see :func:`class_weight_matrix`.
    clustering_ : ClassClustering
        Clustering that was fitted to these weights; it also has the tree in other forms.
    children_, distances_, correlation_, contrast_, silhouette_, n_clusters_
        Those of ``clustering_``.

    See Also
    --------
    ClassClustering : The same from the weights.
    make_clustering_scorer : A measure of agreement as a scorer.

    Notes
    -----
    The clusters of an adversarially trained network tend to be the superclasses that people see,
    those of a natural one less so. That is a diagnostic associated with adversarial training, not
    a measure of robustness: nets after one epoch cluster without being robust, and a loss that
    asks for clusters does not add robustness.

    References
    ----------
    Bai et al., "Clustering effect of (linearized) adversarial robust models", NeurIPS 2021.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.clustering import LinearizedClustering
    >>> from sklearn_robust.datasets import make_hierarchical_blobs
    >>> X, y, superclasses = make_hierarchical_blobs(random_state=0)
    >>> model = LogisticRegression(C=1e-4).fit(X, y)
    >>> clustering = LinearizedClustering(model, n_clusters=3).fit(X)
    >>> clustering.class_labels_
    array([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2])
    >>> clustering.agreement(superclasses).adjusted_rand
    1.0
    """

    def __init__(
        self,
        estimator: Any,
        *,
        n_clusters: int | None = 2,
        distance_threshold: float | None = None,
        linkage: str = "average",
        metric: str = "cosine",
        center: str | None = None,
        method: str = "linearized",
        batch_norm: str = "fold",
    ) -> None:
        self.estimator = estimator
        self.n_clusters = n_clusters
        self.distance_threshold = distance_threshold
        self.linkage = linkage
        self.metric = metric
        self.center = center
        self.method = method
        self.batch_norm = batch_norm

    def fit(self, X: ArrayLike, y: Any = None) -> LinearizedClustering:
        """Cluster the classes, and the samples by their predicted classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples.
        y : ignored
            Present as in all clusterers.

        Returns
        -------
        self : object
            The fitted clusterer.

        Raises
        ------
        NotLinearizableError
            If the network cannot be linearised; ``method="mean_jacobian"`` works for any.
        """
        samples = check.validate_samples(self, X)
        opened = open_model(self.estimator)
        check.check_sample_shape(samples, opened.input_shape, opened.name)
        self.weights_ = class_weight_matrix(
            opened, samples, method=self.method, batch_norm=self.batch_norm
        )
        fitted = self.clustering_ = ClassClustering(
            self.n_clusters,
            distance_threshold=self.distance_threshold,
            linkage=self.linkage,
            metric=self.metric,
            center=self.center,
        ).fit(self.weights_)
        codes = opened.module.codes(samples)
        self.classes_, self.class_labels_ = opened.classes_, fitted.labels_
        self.children_, self.distances_ = fitted.children_, fitted.distances_
        self.correlation_, self.n_clusters_ = fitted.correlation_, fitted.n_clusters_
        self.contrast_, self.silhouette_ = fitted.contrast_, fitted.silhouette_
        self.input_shape_ = samples.shape[1:]
        self.labels_ = self.class_labels_[codes]
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.int64]:
        """Superclass of the predicted class of each sample.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples of the shape seen in fit.

        Returns
        -------
        labels : array of shape (n_samples,)
            Clusters, numbered as in ``class_labels_``.
        """
        check_is_fitted(self)
        samples = check.validate_samples(self, X, reset=False)
        check.check_sample_shape(samples, self.input_shape_, type(self).__name__)
        return self.class_labels_[open_model(self.estimator).module.codes(samples)]

    def score(self, X: ArrayLike, y: ArrayLike | None = None) -> float:
        """Agreement of the samples' clusters with ``y``, or contrast of the clusters.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples.
        y : array-like of shape (n_samples,), default=None
            Superclass of each sample.

        Returns
        -------
        score : float
            Adjusted Rand index with ``y``; without it ``contrast_``.
        """
        labels = self.predict(X)
        return self.contrast_ if y is None else float(adjusted_rand_score(y, labels))

    def agreement(self, superclasses: ArrayLike | Mapping[Any, Any]) -> Bunch:
        """Compare the tree of classes and its clusters with known superclasses.

        Parameters
        ----------
        superclasses : array-like of shape (n_classes,) or dict
            Superclass of each class in the order of ``classes_``, or the classes of each
            superclass: ``{"animal": ["cat", "dog"], "vehicle": ["ship", "truck"]}``.

        Returns
        -------
        measures : Bunch
            As for :meth:`ClassClustering.agreement`.
        """
        check_is_fitted(self)
        return agreement(self.clustering_, superclass_codes(superclasses, self.classes_)[0])
