"""Any fitted classifier as a source of scores, differentiable or not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ._decision_scores import class_scores, has_decision_function
from ._fast.dry_run import draws_random_numbers

__all__ = ["ScoreFunction", "sample_shape", "with_names"]


def with_names(estimator: Any, X: Any) -> Any:
    """``X`` as the estimator was fitted on it: a frame, where it knows names of columns."""
    names = getattr(estimator, "feature_names_in_", None)
    if names is None or X.shape[1:] != (len(names),):
        return X
    try:
        from pandas import DataFrame
    except ImportError:  # the names came from another library's frame
        return X
    return DataFrame(X, columns=names)


def sample_shape(estimator: Any, *, tabular: bool) -> tuple[int, ...] | None:
    """Shape of one sample as the estimator saw it in fit, if it tells."""
    shape = getattr(estimator, "input_shape_", None)
    n_features = getattr(estimator, "n_features_in_", None)
    return (n_features,) if shape is None and tabular and n_features is not None else shape


class ScoreFunction:
    """What a black-box attack sees of a classifier: its scores, one column per class.

    Parameters
    ----------
    estimator : fitted classifier
        With ``decision_function`` or ``predict_proba``.
    decode : callable, default=None
        Makes samples of what is given; by default, frames for an estimator that knows names.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        Labels of the columns.
    """

    device = torch.device("cpu")

    def __init__(self, estimator: Any, decode: Callable[[Any], Any] | None = None) -> None:
        self.estimator = estimator
        self.decode = decode
        self._draws: bool | None = None
        self.name = type(estimator).__name__
        if not hasattr(estimator, "classes_"):
            raise TypeError(f"{self.name} has no classes_: an attack needs a fitted classifier.")
        self.classes_ = self._classes = np.asarray(estimator.classes_)
        self.input_shape = sample_shape(estimator, tabular=True)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Scores (n, n_classes) of the samples ``x``."""
        return torch.as_tensor(self._scores(x.detach().numpy()))

    def _scores(self, X: Any) -> NDArray[np.float64]:
        n_classes = len(self.classes_)
        X = with_names(self.estimator, X) if self.decode is None else self.decode(X)
        if has_decision_function(self.estimator):
            z = np.asarray(self.estimator.decision_function(X), dtype=np.float64)
            z = class_scores(self.estimator, z, n_classes)
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

    def draws_random(self, x: torch.Tensor) -> bool:
        """Whether the scores draw from torch's generators, by a dry run of one of the samples."""
        if self._draws is None and len(x):
            self._draws = draws_random_numbers(self, x[:1])
        return bool(self._draws)

    def tensor(self, X: NDArray[Any]) -> torch.Tensor:
        """``X`` as a tensor of its own."""
        return torch.tensor(X)

    def codes(self, X: NDArray[Any]) -> NDArray[np.int64]:
        """Class codes (n,) of the largest scores."""
        return self._scores(X).argmax(1)
