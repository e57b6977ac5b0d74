"""Tangent of the loss at each sample of a batch."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ... import _functional as F

__all__ = ["tangent"]


def tangent(
    net: Any, x: Tensor, y: Tensor, *, create_graph: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """Compute logits, loss and input gradient of each sample.

    Parameters
    ----------
    net : BaseNet
        Net in training.
    x : tensor of shape (n, ...)
        Samples.
    y : int64 tensor of shape (n,)
        Class codes.
    create_graph : bool, default=False
        Whether the gradient has a graph to the weights.

    Returns
    -------
    z, loss, grad : tensors of shape (n, n_classes), (n,) and of ``x``
        Cross-entropy is the loss.
    """
    x = x.detach().requires_grad_(True)
    z = net.compute_logits(x, precise=True)
    loss = F.cross_entropy(z, y)
    grad = F.input_gradient(loss, x, retain_graph=True, create_graph=create_graph)
    return z, loss, grad
