"""Input Hessians: products with vectors, whole matrices, and what is known in closed form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from .. import _functional as F
from ..attacks import auto_batch_size
from ..differentiable._twice import explain_first_order, twice_differentiable
from ._indicator_input import Value, gradient
from ._jacobian import logit_jacobian
from ._lanczos import eigenvalues

__all__ = [
    "HessianProduct",
    "dense_hessian",
    "difference_hessian",
    "gauss_newton_eigvals",
    "is_piecewise_linear",
    "symmetric",
]


class HessianProduct:
    """Products of each sample's Hessian with one vector per sample, on one retained graph.

    Parameters
    ----------
    value : callable
        ``(x, y) -> (n,)``.
    x : tensor of shape (n, ...)
        Where to differentiate.
    y : tensor of shape (n,)
        Class codes.
    """

    def __init__(self, value: Value, x: torch.Tensor, y: Any) -> None:
        self.x = x.detach().requires_grad_(True)
        with twice_differentiable():
            self.gradient = gradient(value, self.x, y, create_graph=True)

    def __call__(self, v: torch.Tensor) -> torch.Tensor:
        """Products (n, n_features) with the vectors ``v`` of that shape."""
        if not self.gradient.requires_grad:
            return torch.zeros_like(v)
        with explain_first_order():
            (product,) = torch.autograd.grad(
                self.gradient, self.x, v.view_as(self.x), retain_graph=True, allow_unused=True
            )
        return torch.zeros_like(v) if product is None else product.flatten(1)


def symmetric(H: torch.Tensor) -> torch.Tensor:
    """Symmetric part of each matrix."""
    return (H + H.mT) / 2


def is_piecewise_linear(logits: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor) -> bool:
    """Whether the logits of the samples ``x`` (float64) are linear near each of them.

    Logits may share a curved term, as log-probabilities do: it belongs to no class. What
    rounding leaves of it is of the order of the squared gradients.
    """
    generator = torch.Generator().manual_seed(0)
    v = torch.randn(x.shape, generator=generator, dtype=x.dtype).to(x.device).flatten(1)
    with torch.no_grad():
        n_classes = logits(x[:1]).shape[1]
    weights = torch.randn(n_classes, generator=generator, dtype=x.dtype).to(x.device)
    weights -= weights.mean()
    product = HessianProduct(lambda x, y: logits(x) @ weights, x, None)
    noise = 1e-12 * product.gradient.detach().square().flatten(1).sum(1)
    curved = F.flat_norm(product(v / F.flat_norm(v, 2)[:, None]), 2)
    return bool((curved <= noise).all())


def dense_hessian(value: Value, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Hessian of each sample, (n, n_features, n_features)."""

    def columns(x, y):
        return HessianProduct(value, x, y)

    return _assemble(columns, x, y)


def difference_hessian(value: Value, x: torch.Tensor, y: torch.Tensor, step: float) -> torch.Tensor:
    """Central differences of the gradient over ``step`` along each feature, symmetrised."""

    def columns(x, y):
        def product(v):
            shift = step * v.view_as(x)
            ahead, behind = gradient(value, x + shift, y), gradient(value, x - shift, y)
            return (ahead - behind).flatten(1) / (2 * step)

        return product

    return _assemble(columns, x, y)


def _assemble(columns, x, y):
    """Matrices from products with unit vectors, as many rows at once as suit the cache."""
    n, d = len(x), x[0].numel()
    width = min(d, auto_batch_size(d, x.device))
    tall = max(1, auto_batch_size(d, x.device) // width)
    unit = torch.eye(d, dtype=x.dtype, device=x.device)
    H = x.new_empty(n, d, d)
    for start in range(0, n, tall):
        part = slice(start, start + tall)
        rows = len(x[part])
        product = columns(x[part].repeat_interleave(width, 0), y[part].repeat_interleave(width, 0))
        for first in range(0, d, width):
            block = torch.zeros_like(unit[:width])
            block[: len(unit[first : first + width])] = unit[first : first + width]
            made = product(block.repeat(rows, 1)).detach().view(rows, width, d)
            H[part, first : first + width] = made[:, : d - first]
    return symmetric(H)


def gauss_newton_eigvals(
    logits: Callable[[torch.Tensor], torch.Tensor],
    x: torch.Tensor,
    y: torch.Tensor,
    of: str,
    tau: float,
) -> torch.Tensor:
    """Eigenvalues of ``scale * J^T (diag p - p p^T) J``, (n, min(n_classes, n_features)).

    J holds the gradients of the logits. That matrix is the Hessian of the cross-entropy (p the
    softmax, scale 1) and of the smooth margin (p the softmax of the other classes' z / tau, scale
    -1 / tau) wherever the logits are linear. It is ``B^T B`` for ``B = (I - q q^T) diag(q) J``
    with ``q = sqrt(p)``, so ``B B^T``, of the size of the number of classes, has all its
    eigenvalues but zeros.
    """
    J, z = logit_jacobian(logits, x)
    if of == "loss":
        p, scale = z.softmax(1), 1.0
    else:
        p, scale = (z / tau).scatter(1, y[:, None], -torch.inf).softmax(1), -1 / tau
    q = p.sqrt()
    B = q[:, :, None] * J.flatten(2)
    B = B - q[:, :, None] * torch.einsum("nc,ncd->nd", q, B)[:, None]
    small = B @ B.mT if B.shape[1] <= B.shape[2] else B.mT @ B
    return scale * eigenvalues(small).clamp_min(0)
