"""Differentiable models of skorch nets, other people's included."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from skorch import NeuralNet, NeuralNetBinaryClassifier, NeuralNetRegressor
from torch import nn

from ...differentiable import AnyDtype, register
from ...differentiable._model import native_logits
from ...differentiable._outputs import log_of
from .._base import BaseNet

__all__ = []


class LogProbabilities(nn.Module):
    """Logarithm of the probabilities that a skorch net makes of its module's output.

    Parameters
    ----------
    body : torch.nn.Module
        The net's module.
    probabilities : callable
        Maps its output to probabilities (n, n_classes), as the net's ``predict_proba`` does.
    """

    def __init__(self, body: nn.Module, probabilities: Callable[[torch.Tensor], torch.Tensor]):
        super().__init__()
        self.body, self.probabilities = body, probabilities

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Log-probabilities (n, n_classes)."""
        return log_of(self.probabilities(self.body(x)))


class LogOdds(nn.Module):
    """Logit of the probability of the second class, (n, 1).

    Parameters
    ----------
    body : torch.nn.Module
        Maps samples to log-probabilities (n, 2).
    """

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logit of each sample."""
        log_p = self.body(x)
        return log_p[:, 1:2] - log_p[:, :1]


class TwoColumns(nn.Module):
    """Columns (-z/2, z/2) of a module with a single logit.

    Parameters
    ----------
    body : torch.nn.Module
        Maps samples to one logit, shape (n,) or (n, 1).
    threshold : float
        Logit above which the second class is predicted.
    """

    def __init__(self, body: nn.Module, threshold: float = 0.0) -> None:
        super().__init__()
        self.body, self.threshold = body, threshold

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (n, 2)."""
        z = self.body(x)
        half = (z.reshape(-1, 1) - self.threshold) / 2
        return torch.cat([-half, half], 1)


@register(BaseNet)
def _own_net(net: BaseNet) -> nn.Module:
    return AnyDtype(net.module_)


@native_logits.register(BaseNet)
def _native(net: BaseNet) -> Callable[[torch.Tensor], torch.Tensor] | None:
    cls = type(net)
    changed = cls.predict is not BaseNet.predict
    if changed or cls.decision_function is not BaseNet.decision_function:
        return None
    frozen = net._frozen()

    def logits(x: torch.Tensor) -> torch.Tensor:
        X = x.cpu().numpy().astype(np.float32, copy=False)
        return torch.as_tensor(frozen._forward_batches(X), device=x.device)

    return logits


@register(NeuralNet)
def _skorch_net(net: NeuralNet) -> nn.Module:
    if callable(net.predict_nonlinearity):
        return LogProbabilities(AnyDtype(net.module_, logits=True), net.predict_nonlinearity)
    criterion = vars(net)["criterion_"]
    return AnyDtype(net.module_, logits=False if isinstance(criterion, nn.NLLLoss) else None)


@register(NeuralNetRegressor)
def _skorch_regressor(net: NeuralNetRegressor) -> nn.Module:
    raise ValueError(
        f"{type(net).__name__} predicts numbers, and robust accuracy is about classes: give a "
        "classifier, such as skorch's NeuralNetClassifier."
    )


@register(NeuralNetBinaryClassifier)
def _skorch_binary_net(net: NeuralNetBinaryClassifier) -> nn.Module:
    body: nn.Module = AnyDtype(net.module_, logits=True)
    criterion = vars(net)["criterion_"]
    known = isinstance(criterion, (nn.BCEWithLogitsLoss, nn.CrossEntropyLoss))
    if callable(net.predict_nonlinearity) or not known:  # the module returns probabilities
        body = LogOdds(LogProbabilities(body, net._get_predict_nonlinearity()))
    p = torch.tensor(float(net.threshold), dtype=torch.float64)
    return TwoColumns(body, float(torch.logit(p)))
