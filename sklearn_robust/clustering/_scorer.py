"""Agreement of a network's class clusters with known superclasses, as a scorer."""

import inspect

from .. import _validation as check
from ._class_clustering import ClassClustering
from ._measures import MEASURES
from ._taxonomy import superclass_codes
from ._weights import class_labels, class_weight_matrix

__all__ = ["ClusteringScorer", "make_clustering_scorer"]

_METRICS = [name for name in MEASURES if name != "p_value"]  # smaller is better there
_PARAMS = list(inspect.signature(class_weight_matrix).parameters)[2:]  # without estimator and X


class ClusteringScorer:
    """Scorer ``(estimator, X, y=None) -> float``; made by :func:`make_clustering_scorer`.

    Parameters
    ----------
    superclasses : array-like or dict
        Known superclasses.
    metric : str
        Measure of agreement.
    params : dict
        Of :func:`class_weight_matrix`.
    """

    def __init__(self, superclasses, metric="contrast", params=None):
        self.superclasses = superclasses
        self.metric = metric
        self.params = params or {}

    def __call__(self, estimator, X, y=None, **kwargs):
        """Agreement of a fitted estimator's class weights; X shows the shape of a sample."""
        weights = class_weight_matrix(estimator, X, **self.params)
        labels = class_labels(estimator, len(weights))
        codes, names = superclass_codes(self.superclasses, labels)
        return MEASURES[self.metric](ClassClustering(len(names)).fit(weights), codes)

    def _accept_sample_weight(self):
        # scikit-learn's multi-metric scorer asks its members before it passes weights on.
        return False

    def __repr__(self):
        given = {"metric": self.metric, **self.params}
        rest = "".join(f", {name}={value!r}" for name, value in given.items())
        return f"make_clustering_scorer({self.superclasses!r}{rest})"


def make_clustering_scorer(superclasses, metric="contrast", **params):
    """Make a scorer of how far a network's class weights show known superclasses.

    Parameters
    ----------
    superclasses : array-like of shape (n_classes,) or dict
        Superclass of each class in the order of ``classes_``, or the classes of each superclass.
    metric : {"contrast", "silhouette", "adjusted_rand", "dendrogram_purity"}, default="contrast"
        As in :meth:`ClassClustering.agreement`. The adjusted Rand index cuts the tree into as many
        clusters as there are superclasses; with few classes it is soon 1, so prefer the
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
