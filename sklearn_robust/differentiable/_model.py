"""The opened model: what every public call makes once of an estimator and passes on."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from .._validation import check_labels, encode_labels
from ..exceptions import NotDifferentiableError
from ._module import DifferentiableModel
from ._registry import as_module
from ._scores import ScoreFunction, with_names

__all__ = ["Model", "open_model"]


class Model:
    """A fitted classifier, opened once: its logits, its own predictions, its labels.

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
    """

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator
        self.reason: str | None = None
        try:
            self._module: DifferentiableModel | None = as_module(estimator)
        except NotDifferentiableError as error:
            self._module, self.reason = None, str(error)

    @property
    def differentiable(self) -> bool:
        """Whether a gradient reaches the input."""
        return self._module is not None

    @property
    def module(self) -> DifferentiableModel:
        """The differentiable model, or the error that says why there is none."""
        if self._module is None:
            raise NotDifferentiableError(self.reason)
        return self._module

    @cached_property
    def logits(self) -> DifferentiableModel:
        """Logits whose gradient is worth following; smooth where the model's own jump."""
        return self.module.surrogate

    @cached_property
    def fused(self) -> DifferentiableModel:
        """The same logits, up to rounding, in less time; for attacks."""
        return self.logits.fused

    @cached_property
    def scores(self) -> Any:
        """What a black-box attack asks: the logits where there are any, else scores."""
        return self.module.fused if self.differentiable else ScoreFunction(self.estimator)

    @cached_property
    def native(self) -> Callable[[torch.Tensor], torch.Tensor] | None:
        """Logits by which the estimator itself predicts; None if it predicts otherwise."""
        if not getattr(self.estimator, "_predicts_by_logits", False):
            return None

        def logits(x: torch.Tensor) -> torch.Tensor:
            z = self.estimator.decision_function(x.cpu().numpy().astype(np.float32, copy=False))
            z = torch.as_tensor(z, device=x.device)
            return z if z.ndim == 2 else torch.stack([-z, z], 1) / 2

        return logits

    @property
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
        if not hasattr(self.estimator, "predict"):
            return self._source.codes(X)
        self._learn_classes(X)
        labels = self.estimator.predict(with_names(self.estimator, X))
        return encode_labels(labels, self.classes_, self.name)

    def label_codes(self, X: NDArray[Any], y: ArrayLike) -> NDArray[np.int64]:
        """Class codes (n,) of the labels ``y`` of the samples ``X``."""
        check_labels(y)
        if len(y) != len(X):
            raise ValueError(f"X has {len(X)} samples and y has {len(y)} labels.")
        self._learn_classes(X)
        return encode_labels(y, self.classes_, self.name)

    def _learn_classes(self, X: NDArray[Any]) -> None:
        if self._source._classes is None:  # the first forward tells how many there are
            self._source.codes(X[:1])


def open_model(estimator: Any) -> Model:
    """Open a fitted classifier; an opened one is returned as it is.

    Parameters
    ----------
    estimator : fitted classifier, Pipeline, torch.nn.Module or Model
        What to open.

    Returns
    -------
    model : Model
        To be made once by each public call, and passed on.
    """
    return estimator if isinstance(estimator, Model) else Model(estimator)
