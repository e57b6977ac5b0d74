"""Hierarchical clustering of classes by their weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.cluster.hierarchy import cophenet, cut_tree, leaves_list, linkage, optimal_leaf_ordering
from scipy.spatial.distance import pdist, squareform
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.metrics import adjusted_rand_score
from sklearn.utils import Bunch
from sklearn.utils.validation import check_is_fitted, validate_data

from .. import _validation as check
from ._measures import agreement, contrast, silhouette
from ._taxonomy import superclass_codes
from ._weights import centered, weight_correlation

__all__ = ["ClassClustering"]

_LINKAGES = ["average", "complete", "single", "ward", "weighted"]


class ClassClustering(ClusterMixin, BaseEstimator):
    """Clustering of classes by the directions of their weights.

    Parameters
    ----------
    n_clusters : int or None, default=2
        Number of clusters; None when ``distance_threshold`` decides.
    distance_threshold : float, default=None
        Height at which the tree is cut: clusters as far apart as that stay apart.
    linkage : {"average", "complete", "single", "weighted", "ward"}, default="average"
        Distance between two clusters. "ward" needs ``metric="euclidean"``.
    metric : {"cosine", "euclidean"}, default="cosine"
        Distance between two classes: 1 minus the cosine of their weights, or the length of the
        difference.
    center : {None, "classes", "features"}, default=None
        What is subtracted from the weights first, as in :func:`weight_correlation`.

    Attributes
    ----------
    labels_ : array of shape (n_classes,)
        Cluster of each class, numbered in the order of their first classes.
    n_clusters_ : int
        Number of clusters.
    children_ : array of shape (n_classes - 1, 2)
        The two nodes that each merge joins; nodes below n_classes are classes. As in
        :class:`sklearn.cluster.AgglomerativeClustering`.
    distances_ : array of shape (n_classes - 1,)
        Height of each merge.
    linkage_matrix_ : array of shape (n_classes - 1, 4)
        The tree for ``scipy.cluster.hierarchy``, with neighbours as similar as possible.
    leaf_order_ : array of shape (n_classes,)
        Classes in the order of the drawn tree.
    correlation_ : array of shape (n_classes, n_classes)
        Cosines of the weights.
    distance_matrix_ : array of shape (n_classes, n_classes)
        Distances of all pairs of classes, which the tree was built from.
    cophenetic_correlation_ : float
        Correlation of the distances with the heights at which the tree joins the same classes.
    contrast_ : float
        Mean cosine within the clusters minus the mean between them.
    silhouette_ : float
        Mean silhouette of the classes.
    n_leaves_, n_connected_components_ : int
        Number of classes, and 1.
    n_features_in_ : int
        Number of inputs, one weight each.

    See Also
    --------
    LinearizedClustering : The same from a fitted network.

    Notes
    -----
    Distances are ``d_ij = 1 - C_ij`` with C from :func:`weight_correlation`. The paper shows C
    alone; linkage, cut and scores are choices of this library.

    References
    ----------
    Bai et al., "Clustering effect of (linearized) adversarial robust models", NeurIPS 2021.

    Examples
    --------
    >>> from sklearn_robust.clustering import ClassClustering
    >>> W = [[3, 0, 1], [2, 0, 0], [0, 1, -1], [1, 4, 0], [0, 3, -1]]
    >>> clustering = ClassClustering(n_clusters=2).fit(W)
    >>> clustering.labels_
    array([0, 0, 1, 1, 1])
    >>> round(clustering.contrast_, 2)
    0.84
    """

    labels_: NDArray[np.int64]
    children_: NDArray[np.int64]
    correlation_: NDArray[np.float64]
    distance_matrix_: NDArray[np.float64]

    def __init__(
        self,
        n_clusters: int | None = 2,
        *,
        distance_threshold: float | None = None,
        linkage: str = "average",
        metric: str = "cosine",
        center: str | None = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.distance_threshold = distance_threshold
        self.linkage = linkage
        self.metric = metric
        self.center = center

    def fit(self, X: ArrayLike, y: Any = None) -> ClassClustering:
        """Build the tree and cut it.

        Parameters
        ----------
        X : array-like of shape (n_classes, n_inputs)
            Weights W of the classes, one row for each.
        y : ignored
            Present as in all clusterers.

        Returns
        -------
        self : object
            The fitted clusterer.

        Raises
        ------
        ValueError
            If there are fewer than three classes, or fewer classes than clusters.
        """
        self._check_parameters()
        weights = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        if len(weights) < 3:
            raise ValueError(
                f"there are weights of {len(weights)} classes (n_samples = {len(weights)}), too "
                "few for a tree: clusters of classes need at least three."
            )
        if self.n_clusters is not None and self.n_clusters > len(weights):
            raise ValueError(
                f"n_clusters is {self.n_clusters}, but there are {len(weights)} classes: give "
                "n_clusters of at most that."
            )
        self.correlation_ = weight_correlation(weights, center=self.center)
        distance = self._distance(weights)
        self.distance_matrix_ = squareform(distance)
        tree = linkage(distance, self.linkage)
        self.linkage_matrix_ = optimal_leaf_ordering(tree, distance)
        self.leaf_order_ = leaves_list(self.linkage_matrix_)
        self.children_ = tree[:, :2].astype(np.int64)
        self.distances_ = tree[:, 2]
        self.cophenetic_correlation_ = _correlation(cophenet(tree), distance)
        self.n_leaves_, self.n_connected_components_ = len(weights), 1
        self.n_clusters_ = self.n_clusters
        if self.n_clusters is None:
            self.n_clusters_ = int(np.sum(self.distances_ >= self.distance_threshold)) + 1
        self.labels_ = cut_tree(tree, self.n_clusters_)[:, 0].astype(np.int64)
        self.contrast_ = contrast(self.correlation_, self.labels_)
        self.silhouette_ = silhouette(self.distance_matrix_, self.labels_)
        return self

    def score(self, X: ArrayLike, y: ArrayLike | Mapping[Any, Any] | None = None) -> float:
        """Agreement of the clusters with known superclasses, or how well they are separated.

        Parameters
        ----------
        X : array-like of shape (n_classes, n_inputs)
            Weights of the classes.
        y : array-like of shape (n_classes,), default=None
            Superclass of each class.

        Returns
        -------
        score : float
            Adjusted Rand index with ``y``; without it the mean silhouette by these weights.
        """
        check_is_fitted(self)
        weights = validate_data(self, X, dtype=np.float64, reset=False)
        if len(weights) != len(self.labels_):
            raise ValueError(
                f"there are weights of {len(weights)} classes, but {len(self.labels_)} "
                "were clustered."
            )
        if y is None:
            return silhouette(squareform(self._distance(weights)), self.labels_)
        return float(adjusted_rand_score(superclass_codes(y, range(len(weights)))[0], self.labels_))

    def agreement(self, superclasses: ArrayLike | Mapping[Any, Any]) -> Bunch:
        """Compare the tree and its clusters with known superclasses.

        Parameters
        ----------
        superclasses : array-like of shape (n_classes,) or dict
            Superclass of each row of W, or the rows of each superclass.

        Returns
        -------
        measures : Bunch
            ``contrast`` and ``silhouette`` of the superclasses; ``adjusted_rand`` of the clusters
            with them; ``dendrogram_purity``, the mean share of two classes' superclass in the
            smallest subtree that holds both; ``p_value``, the share of all arrangements of the
            classes in superclasses of these sizes whose contrast is at least as large.

        Examples
        --------
        >>> from sklearn_robust.clustering import ClassClustering
        >>> W = [[3, 0, 1], [2, 0, 0], [0, 1, -1], [1, 4, 0], [0, 3, -1]]
        >>> measures = ClassClustering().fit(W).agreement([0, 0, 1, 1, 1])
        >>> measures.adjusted_rand, measures.dendrogram_purity, measures.p_value
        (1.0, 1.0, 0.1)
        """
        check_is_fitted(self)
        codes, _ = superclass_codes(superclasses, range(self.n_leaves_))
        return agreement(self, codes)

    def _check_parameters(self) -> None:
        check.check_choice("linkage", self.linkage, _LINKAGES)
        check.check_choice("metric", self.metric, ["cosine", "euclidean"])
        if (self.n_clusters is None) == (self.distance_threshold is None):
            raise ValueError(
                f"n_clusters is {self.n_clusters!r} and distance_threshold is "
                f"{self.distance_threshold!r}: give one of them, and None for the other."
            )
        if self.n_clusters is None:
            check.check_number("distance_threshold", self.distance_threshold)
        else:
            check.check_count("n_clusters", self.n_clusters)
        if self.linkage == "ward" and self.metric != "euclidean":
            raise ValueError(
                "linkage='ward' needs metric='euclidean'; to ignore the lengths of the rows, "
                "normalize(W) of sklearn.preprocessing first."
            )

    def _distance(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Condensed distances of all pairs of classes."""
        if self.metric == "euclidean":
            return pdist(centered(X, self.center))
        return squareform(1 - weight_correlation(X, center=self.center), checks=False)


def _correlation(a: NDArray[Any], b: NDArray[Any]) -> float:
    """Pearson's correlation; NaN where one of them is constant."""
    return float(np.corrcoef(a, b)[0, 1]) if np.ptp(a) and np.ptp(b) else float("nan")
