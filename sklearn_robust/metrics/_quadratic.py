"""What a quadratic function can do inside a ball: bounds in closed form, and the exact l2 value."""

from __future__ import annotations

from collections.abc import Callable

import torch

from .._norms import get_norm
from ._lanczos import eigen, top_eigvals

__all__ = ["curvature_bound", "spectral_bound", "worst_drop"]


def curvature_bound(H: torch.Tensor, norm: str, kind: str, one_sided: bool) -> torch.Tensor:
    """Bound of ``|d^T H d|`` over ``||d|| <= 1``, or of its drop below 0 if ``one_sided``, (n,).

    ``kind`` "eigen" is the sum of ``|lam_i| max z_i^2`` with ``z = Q^T d`` (paper 001, eq. 9),
    "entrywise" that of ``|H_ij| |d_i| |d_j|``, "spectral" ``max |lam_i| max ||d||_2^2``. None is
    tighter than the others everywhere; "auto" is the least of them.
    """
    forms = {"spectral": _spectral, "entrywise": _entrywise, "eigen": _eigen}
    kinds = forms if kind == "auto" else (kind,)
    eigh = eigen(H)
    return torch.stack([forms[k](H, eigh, norm, one_sided) for k in kinds]).amin(0)


def _sided(values, one_sided):
    return (-values).clamp_min(0) if one_sided else values.abs()


def _spectral(H, eigh, norm, one_sided):
    return get_norm(norm).euclidean_square(H.shape[1]) * _sided(eigh[0], one_sided).amax(1)


def _entrywise(H, eigh, norm, one_sided):
    size = H.abs()
    diagonal = _sided(H.diagonal(dim1=1, dim2=2), one_sided)
    size = size.diagonal_scatter(diagonal, dim1=1, dim2=2)
    # sum_ij |H_ij| |d_i| |d_j| is largest at the dual norm of the matrix as one vector.
    return get_norm(norm).dual_length(size)


def _eigen(H, eigh, norm, one_sided):
    lam, Q = eigh
    reach = get_norm(norm).dual_length(Q, dim=1) ** 2
    return (_sided(lam, one_sided) * reach).sum(1)


def spectral_bound(
    product: Callable[[torch.Tensor], torch.Tensor],
    v: Callable[[int], torch.Tensor],
    d: int,
    norm: str,
    one_sided: bool,
) -> torch.Tensor:
    """Find the bound of kind "spectral" from products with vectors alone."""
    top = top_eigvals(product, v, 1)
    if one_sided:
        # The other end of the spectrum is the largest in magnitude once this one is moved to 0.
        lowest = top + top_eigvals(lambda q: product(q) - top * q, v, 1)
        top = torch.minimum(top, lowest)
    return get_norm(norm).euclidean_square(d) * _sided(top[:, 0], one_sided)


def worst_drop(J: torch.Tensor, H: torch.Tensor) -> torch.Tensor:
    """Exact drop ``max -(J^T d + d^T H d / 2)`` over ``||d||_2 <= 1``, (n,).

    The trust-region problem: ``d = -(H + mu I)^{-1} J`` with mu at least 0 and -lam_min. On the
    sphere mu solves ``||d|| = 1``, which falls with mu; where J misses the lowest eigenvector (the
    hard case), that one fills what is missing.
    """
    lam, Q = eigen(H)
    c = torch.einsum("ndk,nd->nk", Q, J)
    low = (-lam[:, :1]).clamp_min(0)
    high = low + c.norm(dim=1, keepdim=True)
    tiny = torch.finfo(J.dtype).tiny ** 0.5

    def step(mu):
        return -c / (lam + mu).clamp_min(tiny)

    inside = (step(low).norm(dim=1, keepdim=True) <= 1) & (lam[:, :1] > 0)
    for _ in range(100):
        middle = (low + high) / 2
        long = step(middle).norm(dim=1, keepdim=True) > 1
        low, high = torch.where(long, middle, low), torch.where(long, high, middle)
    z = step(torch.where(inside, 0, high))
    lack = torch.where(inside[:, 0], 0, 1 - z.square().sum(1)).clamp_min(0)
    lowest = (z[:, 0].square() + lack).sqrt()
    z[:, 0] = torch.where(c[:, 0] > 0, -lowest, lowest)
    return -((c * z).sum(1) + (lam * z.square()).sum(1) / 2)
