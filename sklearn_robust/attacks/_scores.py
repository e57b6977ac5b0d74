"""Any fitted classifier as a source of scores, differentiable or not."""

from itertools import combinations

import numpy as np
import torch
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from ..differentiable import as_module
from ..exceptions import NotDifferentiableError
from ._faces import with_names

__all__ = ["ScoreView", "scores_of"]


class ScoreView:
    """What a black-box attack sees of a classifier: its scores, one column a class.

    Parameters
    ----------
    estimator : fitted classifier
        With ``decision_function`` or ``predict_proba``.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        Labels of the columns.
    """

    device = torch.device("cpu")

    def __init__(self, estimator):
        self.estimator = estimator
        self.name = type(estimator).__name__
        if not hasattr(estimator, "classes_"):
            raise TypeError(f"{self.name} has no classes_: an attack needs a fitted classifier.")
        self.classes_ = self._classes = np.asarray(estimator.classes_)
        self.input_shape = getattr(estimator, "input_shape_", None)
        self.votes = _votes(estimator)
        if self.input_shape is None and hasattr(estimator, "n_features_in_"):
            self.input_shape = (estimator.n_features_in_,)

    def __call__(self, x):
        """Scores (n, n_classes) of the samples ``x``."""
        return torch.as_tensor(self._scores(x.detach().numpy()))

    def _scores(self, X):
        X, n_classes = with_names(self.estimator, X), len(self.classes_)
        if hasattr(self.estimator, "decision_function"):
            z = np.asarray(self.estimator.decision_function(X), dtype=np.float64)
            if z.ndim == 1:
                return np.stack([-z, z], axis=1) / 2
            if self.votes:
                return _of_classes(z, n_classes)
            if z.shape == (len(X), n_classes):
                return z
        if hasattr(self.estimator, "predict_proba"):
            p = np.asarray(self.estimator.predict_proba(X), dtype=np.float64)
            return np.log(p.clip(np.finfo(p.dtype).tiny))
        raise TypeError(
            f"{self.name} gives no score for each of its {n_classes} classes: a black-box attack "
            "needs predict_proba or decision_function. Fit it inside CalibratedClassifierCV, "
            "which gives probabilities to any classifier."
        )

    def tensor(self, X):
        """``X`` as a tensor of its own."""
        return torch.tensor(X)

    def codes(self, X):
        """Class codes (n,) of the largest scores."""
        return self._scores(X).argmax(1)


def _votes(estimator):
    """Whether decisions are between pairs of classes, as those of an SVC may be."""
    if isinstance(estimator, Pipeline):
        return _votes(estimator[-1])
    if isinstance(estimator, FrozenEstimator):
        return _votes(estimator.estimator)
    if hasattr(estimator, "best_estimator_"):
        return _votes(estimator.best_estimator_)
    return getattr(estimator, "decision_function_shape", None) == "ovo"


def _of_classes(z, n_classes):
    """Scores (n, n_classes) of decisions between pairs: votes, and how clear they are."""
    votes, clear = np.zeros((2, len(z), n_classes))
    for k, (i, j) in enumerate(combinations(range(n_classes), 2)):
        for one, sign in ((i, 1), (j, -1)):
            clear[:, one] += sign * z[:, k]
        votes[:, i] += z[:, k] > 0
        votes[:, j] += z[:, k] <= 0
    return votes + clear / (3 * (np.abs(clear) + 1))


def scores_of(estimator):
    """Differentiable view of an estimator if it has one, else a view of its scores; both quick."""
    try:
        return as_module(estimator).quick
    except NotDifferentiableError:
        return ScoreView(estimator)
