"""The opened model: what every public call makes once of an estimator and passes on."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, singledispatch
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from torch import nn

from .._tables import Table
from .._validation import check_labels, check_samples, encode_labels, wrap_shape_errors
from ..exceptions import NotDifferentiableError
from ._examination import missing_gradient, refuse_shared_statistics
from ._module import AnyDtype, DifferentiableModel
from ._registry import as_module
from ._scores import ScoreFunction, with_names
from ._state import seeded

__all__ = ["Model", "native_logits"]

_PIECE = 2**22  # numbers in the samples that an estimator is asked for at a time


@singledispatch
def native_logits(estimator: Any) -> Callable[[torch.Tensor], torch.Tensor] | None:
    """Return the logits that an estimator's own prediction is made of, bit for bit.

    Kinds of estimators register theirs; None means that an estimator predicts otherwise.
    """
    return None


class Model:
    """Access to a fitted classifier: its logits, its own predictions and its labels.

    Parameters
    ----------
    estimator : fitted classifier or torch.nn.Module
        Never changed: logits come from a private, frozen copy.

    Attributes
    ----------
    estimator : object
        What was opened.
    name : str
        What to call it in messages.
    differentiable : bool
        Whether a gradient reaches the input.
    reason : str or None
        Why none does.

    See Also
    --------
    open_model : Makes it.

    Notes
    -----
    Threads may share one: nothing that it offers changes the estimator, the copy or any state of
    the process. Where the estimator's ``predict`` is safe in threads, so is ``predict_codes``.

    Examples
    --------
    >>> import torch
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.differentiable import open_model
    >>> X, y = load_iris(return_X_y=True)
    >>> model = open_model(LogisticRegression(max_iter=1000).fit(X, y))
    >>> model.logits(torch.tensor(X[:2])).shape, model.label_codes(X[:2], y[:2])
    (torch.Size([2, 3]), array([0, 0]))
    """

    table: Table | None = None

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator
        self.reason: str | None = None
        try:
            self._module: DifferentiableModel | None = as_module(estimator)
        except NotDifferentiableError as error:
            self._module, self.reason = None, str(error)
        self._examined = False

    def read(self, X: Any, dtype: Any = np.float32) -> NDArray[Any]:
        """Check samples and return them as attacks move them.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples, those that the model was opened for where it is one of a table.
        dtype : dtype or tuple of dtypes, default=float32
            What the samples are returned in, unless they are a table.

        Returns
        -------
        X : array of shape (n_samples, ...), float32
            The samples; of a table, its matrix of float64.
        """
        return check_samples(X, dtype, of=self.estimator)

    def decode(self, X: NDArray[Any], rows: Any = None) -> Any:
        """Return perturbed samples as the estimator takes them, and as users hold them.

        Parameters
        ----------
        X : array of shape (n_samples, ...)
            Perturbed samples.
        rows : index, default=None
            The samples that they come from.

        Returns
        -------
        X : array or frame
            The same; of a table, a frame of its dtypes.
        """
        return X

    def __reduce__(self) -> tuple[Any, ...]:
        return Model, (self.estimator,)

    def examine(self, X: NDArray[Any]) -> None:
        """Look once at what a torch module does with a few samples.

        Parameters
        ----------
        X : array of shape (n_samples, ...)
            Checked samples.

        Raises
        ------
        ValueError
            If the samples of a batch change each other's logits, or the module fails on samples of
            this shape.
        """
        if self._examined or self._module is None or not len(X):
            return
        self._examined = True
        if AnyDtype in map(type, self._module.modules()):
            module = self._module.exact  # nothing is compiled for a few samples
            refuse_shared_statistics(module, X)
            shapes = wrap_shape_errors(self.name, X.shape[1:])
            with shapes, seeded(module, module.tensor(X[:1]), 0):
                self.reason = missing_gradient(module, X)

    @property
    def differentiable(self) -> bool:
        """Whether a gradient reaches the input, as far as the samples seen so far tell."""
        return self.reason is None

    @property
    def module(self) -> DifferentiableModel:
        """The model as a torch module, or the error that says why there is none."""
        if self._module is None:
            raise NotDifferentiableError(self.reason)
        return self._module

    @property
    def logits(self) -> DifferentiableModel:
        """Logits whose gradient is worth following; smooth where the model's own jump."""
        if self.reason is not None:
            raise NotDifferentiableError(self.reason)
        return self._surrogate

    @property
    def fused(self) -> DifferentiableModel:
        """The same logits, up to rounding, in less time; for attacks."""
        if self.reason is not None:
            raise NotDifferentiableError(self.reason)
        return self._fused

    @cached_property
    def _surrogate(self) -> DifferentiableModel:
        return self.module.surrogate

    @cached_property
    def _fused(self) -> DifferentiableModel:
        return self._surrogate.fused

    @property
    def guide(self) -> DifferentiableModel:
        """What an attack with gradients climbs: the same classes, not always the same numbers."""
        if self.reason is not None:
            raise NotDifferentiableError(self.reason)
        return self._guide

    @cached_property
    def _guide(self) -> DifferentiableModel:
        guide = self._surrogate.guide
        return self._fused if guide is self._surrogate else guide.fused

    @cached_property
    def double(self) -> Callable[[torch.Tensor], torch.Tensor]:
        """The same logits, computed in float64 whatever the dtype of the samples."""
        exact = self.logits.exact

        def logits(x: torch.Tensor) -> torch.Tensor:
            return exact(x.double()).double()

        return logits

    @cached_property
    def scores(self) -> DifferentiableModel | ScoreFunction:
        """What a black-box attack asks: the logits where there are any, else scores."""
        if self._module is None:
            return ScoreFunction(self.estimator)
        return self._fused if self._surrogate is self._module else self._module.fused

    @cached_property
    def native(self) -> Callable[[torch.Tensor], torch.Tensor] | None:
        """Logits by which the estimator itself predicts; None if it predicts otherwise."""
        return native_logits(self.estimator)

    @cached_property
    def _source(self) -> Any:
        return self._module if self._module is not None else self.scores

    @property
    def name(self) -> str:
        """What to call the estimator in messages."""
        return self._source.name

    @property
    def classes_(self) -> NDArray[Any]:
        """Labels of the columns, in order; of a bare module, known after a first forward."""
        return self._source.classes_

    @property
    def input_shape(self) -> tuple[int, ...] | None:
        """Shape of one sample; None when any is accepted."""
        return self._source.input_shape

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return self._source.device

    def predict_codes(self, X: NDArray[Any]) -> NDArray[np.int64]:
        """Class codes (n,) that the estimator itself predicts (a bare module: by its logits)."""
        self.examine(X)
        own = isinstance(self.estimator, nn.Module) and not isinstance(
            self.estimator, BaseEstimator
        )
        if own or not hasattr(self.estimator, "predict"):
            return self._source.codes(X)
        self._learn_classes(X)
        if X.size <= _PIECE:
            return self._predict(X)
        size = max(_PIECE // X[0].size, 1)
        return np.concatenate(
            [self._predict(X[start : start + size]) for start in range(0, len(X), size)]
        )

    def _predict(self, X: NDArray[Any]) -> NDArray[np.int64]:
        """Class codes that the estimator predicts, at once."""
        labels = self.estimator.predict(self._for_estimator(X))
        return encode_labels(labels, self.classes_, self.name)

    def label_codes(
        self, X: NDArray[Any], y: ArrayLike, *, unseen: bool = False
    ) -> NDArray[np.int64]:
        """Class codes (n,) of the labels ``y`` of the samples ``X``; -1 for those ``unseen``."""
        check_labels(y)
        labels: Any = y
        if len(labels) != len(X):
            raise ValueError(f"X has {len(X)} samples and y has {len(labels)} labels.")
        self.examine(X)
        self._learn_classes(X)
        return encode_labels(labels, self.classes_, self.name, unseen=unseen)

    def _for_estimator(self, X: NDArray[Any]) -> Any:
        return with_names(self.estimator, X)

    def _learn_classes(self, X: NDArray[Any]) -> None:
        if self._source._classes is None:  # the first forward tells how many there are
            with seeded(self._source, self._source.tensor(X[:1]), 0):
                self._source.codes(X[:1])
