"""The module that ``as_module`` returns."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import nn

from .. import _validation as check
from ._any_dtype import AnyDtype
from ._fast.copying import frozen_twin, without_gradients
from ._fast.dry_run import draws_random_numbers
from ._fast.fuse import can_be_fused, fused_copy
from ._fast.reduced_precision import ReducedPrecision
from ._layers.pairwise_voting import Guiding, Smoothable, jumps

__all__ = ["AnyDtype", "DifferentiableModel", "device_of"]


def device_of(module: nn.Module) -> torch.device:
    """Device of a module's tensors, the accelerator if they are on several; CPU if it has none."""
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.device.type != "cpu":
            return tensor.device
    return torch.device("cpu")


def _parts(module: nn.Module, kind: type) -> list[Any]:
    """Parts of a module, itself included, that are of a class."""
    return [part for part in module.modules() if isinstance(part, kind)]


class DifferentiableModel(nn.Module):
    """Torch module that computes the logits of a fitted classifier from its raw ``X``.

    Parameters
    ----------
    body : torch.nn.Module
        Maps ``(n, *sample_shape)`` to (n, n_classes).
    classes : array of shape (n_classes,) or None
        Labels of the columns; None numbers them from 0 once their count is known.
    input_shape : tuple or None
        Shape of one sample; None when any is accepted.
    name : str
        What to call the estimator in messages.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        Labels of the columns.
    device : torch.device
        Where the model computes.
    surrogate : DifferentiableModel
        Model whose gradient is worth following: this one, unless its logits jump.

    Raises
    ------
    ValueError
        In ``forward``, if the body returns no logits, or not one for each class.

    See Also
    --------
    as_module : Makes it from a fitted estimator.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.svm import SVC
    >>> from sklearn_robust.differentiable import as_module
    >>> X, y = load_iris(return_X_y=True)
    >>> model = as_module(SVC().fit(X, y))
    >>> model.classes_
    array([0, 1, 2])
    >>> bool((model.codes(X) == y).mean() > 0.9)
    True
    >>> model.surrogate is model  # votes between pairs of classes jump
    False
    """

    def __init__(
        self,
        body: nn.Module,
        classes: ArrayLike | None = None,
        *,
        input_shape: tuple[int, ...] | None = None,
        name: str = "the model",
    ) -> None:
        super().__init__()
        if not isinstance(body, nn.Module):
            raise TypeError(
                f"body is {check.shown(body)}; give a torch.nn.Module that returns logits."
            )
        self.body = body
        self.input_shape = None
        if input_shape is not None:
            self.input_shape = check.check_shape("input_shape", input_shape)
        self.name = name
        self._classes: NDArray[Any] | None = None if classes is None else np.asarray(classes)
        if self._classes is not None and self._classes.ndim != 1:
            raise ValueError(f"classes is {check.shown(classes)}; give a list of all labels.")
        self._draws: bool | None = None
        without_gradients(self.eval()).to(device_of(self))

    @property
    def classes_(self) -> NDArray[Any]:
        """Labels of the columns, in order."""
        if self._classes is None:
            raise AttributeError
        return self._classes

    def __getattr__(self, name: str) -> Any:
        if name == "classes_":  # torch asks here when the property raises
            raise AttributeError(f"The classes of {self.name} are known after its first forward.")
        return super().__getattr__(name)

    @property
    def surrogate(self) -> DifferentiableModel:
        """Model whose gradient is worth following: this one, unless its logits jump."""
        if not jumps(self.body):
            return self
        model = frozen_twin(self)
        for part in _parts(model, Smoothable):
            part.smooth = True
        return model

    @property
    def guide(self) -> DifferentiableModel:
        """Model that names the same classes, and whose gradient leads to others; for attacks."""
        if not _parts(self, Guiding):
            return self
        model = frozen_twin(self)
        for part in _parts(model, Guiding):
            part.guiding = True
        return model

    @property
    def exact(self) -> DifferentiableModel:
        """Model that computes in full precision: this one, unless it is accelerated."""
        if not _parts(self, ReducedPrecision):
            return self
        model = frozen_twin(self)
        for part in _parts(model, ReducedPrecision):
            part.full = True
        return model

    @property
    def fused(self) -> DifferentiableModel:
        """Model that computes the same, up to rounding, in less time; for attacks."""
        if not can_be_fused(self):
            return self
        model = frozen_twin(self)
        for part in _parts(model, AnyDtype):
            part.module, part._others = fused_copy(part.module), {}
        return model

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return device_of(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (n, n_classes) of the samples ``x`` ``(n, *sample_shape)``."""
        z = self.body(x)
        if isinstance(self.body, AnyDtype):
            z = self.body.recognised(check.as_rows(z, len(x)), x)
        z = check.logits_in(self.name, z, len(x))
        if self._classes is None:
            self._classes = np.arange(z.shape[1])
        if len(self._classes) != z.shape[1]:
            raise ValueError(
                f"{self.name} returns {z.shape[1]} logits per sample but has {len(self._classes)} "
                "classes: give it one output for each class, in the order of classes_."
            )
        return z

    def draws_random(self, x: torch.Tensor) -> bool:
        """Whether the model draws from torch's generators, by a dry run of one of the samples."""
        if self._draws is None and len(x):
            self._draws = draws_random_numbers(self.exact, x[:1])
        return bool(self._draws)

    def tensor(self, X: NDArray[Any]) -> torch.Tensor:
        """``X`` as a tensor of its own on the model's device."""
        return torch.tensor(X, device=self.device)

    @torch.no_grad()
    def codes(self, X: NDArray[Any], batch_size: int = 1024) -> NDArray[np.int64]:
        """Predicted class codes (n,) of the array ``X``."""
        parts = [
            self(self.tensor(X[start : start + batch_size])).argmax(1).cpu()
            for start in range(0, len(X), batch_size)
        ]
        return torch.cat(parts).numpy()
