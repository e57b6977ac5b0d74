"""Differentiable models of skorch nets, other people's included."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from skorch import NeuralNet, NeuralNetBinaryClassifier
from torch import nn

from ...differentiable import AnyDtype, register
from ...differentiable._model import native_logits
from .._base import BaseNet

__all__ = []


class LogProbabilities(nn.Module):
    """Logarithm of a module that returns probabilities, as skorch's default criterion expects.

    Parameters
    ----------
    body : torch.nn.Module
        Maps samples to probabilities (n, n_classes).
    """

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Log-probabilities (n, n_classes)."""
        p = self.body(x)
        p = p[0] if isinstance(p, (tuple, list)) else p
        return p.clamp_min(torch.finfo(p.dtype).tiny).log()


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
        z = z[0] if isinstance(z, (tuple, list)) else z
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
    body = AnyDtype(net.module_)
    return LogProbabilities(body) if isinstance(net.criterion_, nn.NLLLoss) else body


@register(NeuralNetBinaryClassifier)
def _skorch_binary_net(net: NeuralNetBinaryClassifier) -> nn.Module:
    p = torch.tensor(float(net.threshold))
    return TwoColumns(AnyDtype(net.module_), float(torch.logit(p)))
