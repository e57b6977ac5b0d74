"""Differentiable views of skorch nets, other people's included."""

import torch
from skorch import NeuralNet, NeuralNetBinaryClassifier
from torch import nn

from ...differentiable import AnyDtype, register
from .._base import BaseNet

__all__ = []


class LogProbabilities(nn.Module):
    """Logarithm of a module that returns probabilities, as skorch's default criterion expects.

    Parameters
    ----------
    body : torch.nn.Module
        Maps samples to probabilities (n, n_classes).
    """

    def __init__(self, body):
        super().__init__()
        self.body = body

    def forward(self, x):
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

    def __init__(self, body, threshold=0.0):
        super().__init__()
        self.body, self.threshold = body, threshold

    def forward(self, x):
        """Logits (n, 2)."""
        z = self.body(x)
        z = z[0] if isinstance(z, (tuple, list)) else z
        half = (z.reshape(-1, 1) - self.threshold) / 2
        return torch.cat([-half, half], 1)


@register(BaseNet)
def _own_net(net):
    return AnyDtype(net.module_)


@register(NeuralNet)
def _skorch_net(net):
    body = AnyDtype(net.module_)
    return LogProbabilities(body) if isinstance(net.criterion_, nn.NLLLoss) else body


@register(NeuralNetBinaryClassifier)
def _skorch_binary_net(net):
    p = torch.tensor(float(net.threshold))
    return TwoColumns(AnyDtype(net.module_), float(torch.logit(p)))
