"""Agreement of a network's class clusters with known superclasses, as a scorer."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from numpy.typing import ArrayLike

from .. import _validation as check
from ..differentiable import open_model
from ._class_clustering import ClassClustering
from ._measures import MEASURES
from ._taxonomy import superclass_codes
from ._weights import class_labels, class_weight_matrix

__all__ = ["ClusteringScorer", "make_clustering_scorer"]

_METRICS = [name for name in MEASURES if name != "p_value"]  # smaller is better there
_PARAMS = list(inspect.signature(class_weight_matrix).parameters)[2:]  # without estimator and X


class ClusteringScorer:
    """Scorer ``(estimator, X, y=None) -> float``; :func:`make_clustering_scorer` makes it.

    Parameters
    ----------
    superclasses : array-like or dict
        Known superclasses.
    metric : str
        Measure of agreement.
    params : dict
        Parameters of :func:`class_weight_matrix`.
    """

    def __init__(
        self,
        superclasses: ArrayLike | Mapping[Any, Any],
        metric: str = "contrast",
        params: dict[str, Any] | None = None,
    ) -> None:
        self.superclasses = superclasses
        self.metric = metric
        self.params = params or {}

    def __call__(self, estimator: Any, X: ArrayLike, y: Any = None, **kwargs: Any) -> float:
        """Agreement of a fitted estimator's class weights; X shows the shape of a sample."""
        opened = open_model(estimator)
        weights = class_weight_matrix(opened, X, **self.params)
        labels = class_labels(opened, len(weights))
        codes, names = superclass_codes(self.superclasses, labels)
        return MEASURES[self.metric](ClassClustering(len(names)).fit(weights), codes)

    def _accept_sample_weight(self) -> bool:
        # scikit-learn's multi-metric scorer asks its members before it passes weights on.
        return False

    def __repr__(self) -> str:
        given = {"metric": self.metric, **self.params}
        rest = "".join(f", {name}={value!r}" for name, value in given.items())
        return f"make_clustering_scorer({self.superclasses!r}{rest})"


def make_clustering_scorer(
    superclasses: ArrayLike | Mapping[Any, Any], metric: str = "contrast", **params: Any
) -> ClusteringScorer:
    """Make a scorer of the agreement of a network's class weights with known superclasses.

    Parameters
    ----------
    superclasses : array-like of shape (n_classes,) or dict
        Superclass of each class in the order of ``classes_``, or the classes of each superclass.
    metric : {"contrast", "silhouette", "adjusted_rand", "dendrogram_purity"}, default="contrast"
        As in :meth:`ClassClustering.agreement`. The adjusted Rand index cuts the tree into as many
        clusters as there are superclasses; with few classes it is easily 1, so prefer the
        others.
    **params
        Parameters of :func:`class_weight_matrix`, such as ``method`` and ``batch_norm``.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y=None) -> float``, picklable; greater is better. It needs no
        labels.

    See Also
    --------
    LinearizedClustering : The clusters themselves.

    Notes
    -----
    It measures what a network has learned about the classes. That is no measure of robustness.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn_robust.clustering import make_clustering_scorer
    >>> from sklearn_robust.datasets import make_hierarchical_blobs
    >>> X, y, superclasses = make_hierarchical_blobs(random_state=0)
    >>> scorer = make_clustering_scorer(superclasses)
    >>> grid = {"C": [1.0, 1e-2, 1e-4]}
    >>> search = GridSearchCV(LogisticRegression(max_iter=500), grid, scoring=scorer, cv=2)
    >>> search.fit(X, y).best_params_
    {'C': 0.0001}
    """
    check.check_choice("metric", metric, _METRICS)
    for name in set(params) - set(_PARAMS):
        raise TypeError(
            f"make_clustering_scorer got an unexpected argument {name!r}; besides superclasses and "
            f"metric it takes {_PARAMS}."
        )
    return ClusteringScorer(superclasses, metric, params)
