"""A classifier and the samples to look at, checked once for all indicators."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch.nn.modules.batchnorm import _BatchNorm

from .. import _functional as F
from .. import _validation as check
from ..attacks._arrays import batches_of
from ..differentiable import DifferentiableModel, open_model
from ..exceptions import NotDifferentiableError

__all__ = ["IndicatorInput", "Value", "gradient", "value_and_gradient"]

Value: TypeAlias = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # (x, y) -> (n,)

_SCALARS: dict[str, Value] = {
    "margin": F.margin,
    "loss": F.cross_entropy,
    "smooth_margin": F.smooth_margin,
}
_UNUSED: Any = object()


class IndicatorInput:
    """Opened classifier, and samples of its kind.

    Parameters
    ----------
    estimator : fitted classifier or Model
        What to look at.
    X : array-like of shape (n_samples, ...)
        Samples. Floats keep their precision, which is that of the computation.
    y : array-like of shape (n_samples,)
        True labels; left out where they play no part.
    first_order : bool, default=False
        Whether nothing is differentiated twice: a faster copy of the model then serves.

    Attributes
    ----------
    model : Model
        The opened classifier.
    module : DifferentiableModel
        Its differentiable model.
    X : array of shape (n_samples, ...)
        The checked samples.
    codes : int array of shape (n_samples,) or None
        Their class codes.
    """

    def __init__(
        self, estimator: Any, X: ArrayLike, y: ArrayLike = _UNUSED, *, first_order: bool = False
    ) -> None:
        self.model = open_model(estimator, X)
        self.module = self.model.module
        self._first_order = first_order
        _check_batch_statistics(self.module)
        self.X = self.model.read(X, dtype=(np.float64, np.float32))
        check.check_sample_shape(self.X, self.module.input_shape, self.module.name)
        self.model.examine(self.X)
        self.codes = None if y is _UNUSED else self.model.label_codes(self.X, y)

    def take(self, index: Any) -> IndicatorInput:
        """Return the same classifier with some of the samples."""
        part = copy.copy(self)
        part.X = self.X[index]
        part.codes = None if self.codes is None else self.codes[index]
        return part

    @property
    def n_features(self) -> int:
        """Numbers in one sample."""
        return self.X[0].size

    @property
    def _smooth(self) -> DifferentiableModel:
        return self.model.fused if self._first_order else self.model.logits

    def logits(self, x: torch.Tensor) -> torch.Tensor:
        """Logits whose gradient is worth following; that of a constant model is zero."""
        z = self._smooth(x)
        if z.requires_grad or not (x.requires_grad and torch.is_grad_enabled()):
            return z
        if not torch.equal(z, z[:1].expand_as(z)):
            raise NotDifferentiableError(
                f"The logits of {self.module.name} change with the input, but no gradient reaches "
                "it: keep every step of the model in torch, without detach(), no_grad() and "
                "inference_mode()."
            )
        return z + 0 * x.flatten(1).sum(1, keepdim=True)

    def scalar(self, of: str | Value, tau: float = 1.0) -> Value:
        """Return the function ``(x, y) -> (n,)`` that an indicator is about.

        Parameters
        ----------
        of : {"margin", "loss", "smooth_margin"} or callable
            A name, or ``of(z, y) -> (n,)`` from logits and class codes.
        tau : float
            Temperature of the smooth margin.
        """
        logits = self.logits
        if callable(of):
            check.check_takes("of", of, "z, y")
            return lambda x, y: of(logits(x), y)
        name = check.check_choice("of", of, _SCALARS)
        if name == "smooth_margin":
            check.check_number("tau", tau, strict=True)
            return lambda x, y: F.smooth_margin(logits(x), y, tau)
        return lambda x, y: _SCALARS[name](logits(x), y)

    def batches(
        self,
        label: str,
        *,
        batch_size: int | None = None,
        verbose: int = 0,
        dtype: torch.dtype | None = None,
    ) -> Iterator[tuple[slice, torch.Tensor, Any]]:
        """Yield the rows of each batch, its samples and its class codes as tensors."""
        if batch_size is not None:
            check.check_count("batch_size", batch_size)
        device = self.module.device
        for rows in batches_of(self.X, batch_size, device, verbose, label):
            x = self.module.tensor(self.X[rows])
            y = None if self.codes is None else torch.as_tensor(self.codes[rows], device=device)
            yield rows, x if dtype is None else x.to(dtype), y

    def map(self, function: Value, label: str, **options: Any) -> NDArray[Any]:
        """Array of ``function(x, y)``, one entry per sample, computed batch by batch."""
        parts = []
        for rows, x, y in self.batches(label, **options):
            with torch.enable_grad():
                part = function(x, y).detach()
            self._check_nan(part, rows)
            parts.append(part.cpu())
        return torch.cat(parts).numpy()

    def _check_nan(self, part: torch.Tensor, rows: slice) -> None:
        """Raise if a value of the samples ``rows`` is NaN."""
        broken = part.flatten(1).isnan().any(1) if part.ndim > 1 else part.isnan()
        if bool(broken.any()):
            first = rows.start + int(broken.nonzero()[0])
            raise ValueError(
                f"The logits of {self.module.name}, or their derivatives, are NaN at sample "
                f"{first}: fix the model, or leave the sample out."
            )


def gradient(value: Value, x: torch.Tensor, y: Any, *, create_graph: bool = False) -> torch.Tensor:
    """Gradient of ``value(x, y)`` with respect to each sample, shape of ``x``."""
    return value_and_gradient(value, x, y, create_graph=create_graph)[1]


def value_and_gradient(
    value: Value, x: torch.Tensor, y: Any, *, create_graph: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """Values (n,) of ``value(x, y)`` and their gradients, shape of ``x``."""
    x = x if x.requires_grad else x.detach().requires_grad_(True)
    values = value(x, y)
    return values.detach(), F.input_gradient(values, x, create_graph=create_graph)


def _check_batch_statistics(model: DifferentiableModel) -> None:
    for part in model.modules():
        if isinstance(part, _BatchNorm) and (part.training or part.running_mean is None):
            raise ValueError(
                f"{model.name} holds a {type(part).__name__} that takes its statistics from the "
                "batch, so samples change each other's logits and none has a gradient of its own: "
                "call .eval() on the model, and build the layer with track_running_stats=True."
            )
