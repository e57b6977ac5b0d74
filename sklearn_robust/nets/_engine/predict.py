"""Predictions of a fitted net: logits of batches, labels, and what skorch's callbacks replay."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError
from skorch.utils import is_dataset
from torch import Tensor

from ... import _validation as check
from ..._streams import is_stream, parts_of
from ...attacks import auto_batch_size
from ...differentiable._fast.copying import frozen_twin
from ...differentiable._state import without_graph
from .batching import as_rows
from .datasets import is_coded, samples_of
from .fit import Trainer
from .module_checks import check_logits, check_shape
from .replayed_outputs import ReplayedOutputs

__all__ = ["Predictor"]


class Predictor(Trainer):
    """Predictions by a frozen twin of the module, so that threads may share a net."""

    def decision_function(self, X: Any) -> NDArray:
        """Logits of the samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples of the shape seen in fit.

        Returns
        -------
        z : array of shape (n_samples, n_classes), or (n_samples,) when there are two classes
            Logits; for two classes their difference, positive for ``classes_[1]``.
        """
        z = self._logits(X)
        return z[:, 1] - z[:, 0] if z.shape[1] == 2 else z

    def predict_proba(self, X: Any) -> NDArray:
        """Softmax of the logits, shape (n_samples, n_classes)."""
        return torch.from_numpy(self._logits(X)).softmax(1).numpy()

    def predict(self, X: Any) -> NDArray:
        """Most likely label of each sample, shape (n_samples,)."""
        codes = self._logits(X).argmax(1)
        # skorch's callbacks hand over datasets or batches whose labels are codes, and compare.
        return codes if is_coded(X) or self._is_replayed() else self.classes_[codes]

    @property
    def forward_iter(self) -> Any:
        """Method that yields the outputs of batches; see skorch.

        skorch's scoring callbacks put computed outputs in its place while they score. Those serve
        the thread that computed them alone.
        """
        return (
            self.__dict__["forward_iter"].outputs if self._is_replayed() else super().forward_iter
        )

    @forward_iter.setter
    def forward_iter(self, outputs: Any) -> None:
        self.__dict__["forward_iter"] = ReplayedOutputs(outputs)

    def _is_replayed(self) -> bool:
        """Whether a scoring callback of this thread has put outputs in place of forward passes."""
        replayed = self.__dict__.get("forward_iter")
        return replayed is not None and replayed.serves_this_thread()

    def _logits(self, X: Any) -> NDArray:
        self.check_is_fitted()
        if self._is_replayed():
            return torch.cat(list(self.forward_iter(X, device="cpu"))).numpy()
        if "labels_" not in vars(self):
            raise NotFittedError(
                f"this {type(self).__name__} has a module and knows no labels, as initialize() "
                "alone tells none: type net.fit(X, y), or "
                f"{type(self).__name__}.from_module(module, classes=[...]) for a trained module."
            )
        if is_stream(X) and as_rows(X) is None:  # part by part, whatever its length
            parts = [self._logits(samples) for samples, _ in parts_of(X)]
            if not parts:
                raise ValueError(f"X is a {type(X).__name__} without samples: give at least one.")
            return np.concatenate(parts)
        X = samples_of(X) if is_dataset(X) else X
        X = check.validate_samples(self, X, reset=False)
        check.check_sample_shape(X, self.input_shape_, type(self).__name__)
        return self._frozen()._forward_batches(X)

    def _frozen(self) -> Predictor:
        """Copy of the net with a frozen twin of its module, which no other thread uses."""
        net = object.__new__(type(self))
        net.__dict__.update(vars(self), module_=frozen_twin(self.module_), _fit_state=None)
        return net

    def _forward_batches(self, X: NDArray) -> NDArray:
        """Logits (n, n_classes) of checked samples, in batches of the size that suits the device.

        For a frozen net alone.
        """
        device = self.device_
        size = auto_batch_size(X[0].size, device)

        def batches() -> Tensor:
            whole = None
            for start in range(0, len(X), size):
                x = torch.tensor(X[start : start + size], device=device)
                z = self.compute_logits(x).detach()
                if len(X) <= size:
                    return z.cpu()
                if whole is None:  # small pieces that stay would scatter what batches leave free
                    whole = z.new_empty((len(X), *z.shape[1:]))
                check_shape(z, len(x), len(self.classes_))
                whole[start : start + size] = z
            assert whole is not None
            return whole.cpu()

        z = without_graph(batches)
        check_shape(z, len(X), len(self.classes_))
        check_logits(z)
        return z.numpy()

    @property
    def classes_(self) -> NDArray:
        """Labels in the order of the logits' columns."""
        if "labels_" not in vars(self):
            raise AttributeError(f"this {type(self).__name__} is not fitted yet")
        return self.labels_

    @property
    def n_iter_(self) -> int:
        """Number of epochs trained."""
        if not self.initialized_:
            raise AttributeError(f"this {type(self).__name__} is not fitted yet")
        return max(len(self.history), 1)
