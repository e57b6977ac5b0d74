"""Lanczos iteration for many symmetric matrices at once, known by their products alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

import torch

__all__ = ["eigen", "eigenvalues", "lanczos", "largest", "quadrature", "top_eigvals"]


def lanczos(
    product: Callable[[torch.Tensor], torch.Tensor], v: Callable[[int], torch.Tensor]
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield the growing tridiagonal matrices of a batch, ``(alpha, beta)`` after each step.

    Every new vector is orthogonalised twice against all before it. Where a sequence breaks down,
    because it spans an invariant subspace, it goes on from a vector of its own orthogonal to that
    (with a beta of 0): eigenvalues of the rest are found, and none that are not there.

    Parameters
    ----------
    product : callable
        Maps (n, d) to (n, d).
    v : callable
        ``v(step) -> (n, d)``, random vectors; step 0 starts, others follow a breakdown.

    Yields
    ------
    alpha, beta : tensors of shape (n, step + 1)
        Diagonal, and what couples each step to the next.
    """
    q = v(0)
    q = q / q.norm(dim=1, keepdim=True)
    n, d = q.shape
    basis = q.new_empty(n, 0, d)
    alpha = beta = q.new_empty(n, 0)
    for step in range(d):
        if step >= basis.shape[1]:
            basis = torch.cat([basis, q.new_zeros(n, max(16, step), d)], 1)
        basis[:, step] = q
        known = basis[:, : step + 1]
        w = product(q)
        alpha = torch.cat([alpha, (w * q).sum(1, keepdim=True)], 1)
        w = _orthogonal(_orthogonal(w, known), known)
        size = w.norm(dim=1, keepdim=True)
        scale = alpha.abs().amax(1, keepdim=True)
        if step:
            scale = torch.maximum(scale, beta.amax(1, keepdim=True))
        broken = size <= 1e-10 * scale  # true for a matrix of zeros, too
        beta = torch.cat([beta, torch.where(broken, 0, size)], 1)
        yield alpha, beta
        if step + 1 == d:
            return
        if bool(broken.any()):
            fresh = _orthogonal(_orthogonal(v(step + 1), known), known)
            w = torch.where(broken, fresh, w)
        q = w / w.norm(dim=1, keepdim=True)


def _orthogonal(w, basis):
    """Part of each ``w`` (n, d) that is orthogonal to its basis (n, m, d)."""
    return w - torch.einsum("nm,nmd->nd", torch.einsum("nmd,nd->nm", basis, w), basis)


def _tridiagonal(alpha, beta):
    T = torch.diag_embed(alpha)
    off = beta[:, : alpha.shape[1] - 1]
    return T + torch.diag_embed(off, 1) + torch.diag_embed(off, -1)


def top_eigvals(
    product: Callable[[torch.Tensor], torch.Tensor],
    v: Callable[[int], torch.Tensor],
    k: int,
    *,
    tol: float = 1e-6,
) -> torch.Tensor:
    """Return the ``k`` eigenvalues of largest magnitude of each matrix, ascending, (n, k).

    Stops once every one of them has a residual of at most ``tol`` times the largest, which
    makes their own errors about the square of that; after n_features steps they are exact.
    A multiple eigenvalue may be found too few times unless the sequence breaks down on it.
    """
    product = _FiniteProduct(product)
    for alpha, beta in lanczos(product, v):
        n_steps = alpha.shape[1]
        if n_steps < 2 * k + 8 or n_steps % 4:
            continue
        theta, s = torch.linalg.eigh(_tridiagonal(alpha, beta))
        rank = theta.abs().argsort(dim=1, descending=True)[:, :k]
        residual = (beta[:, -1:] * s[:, -1].abs()).gather(1, rank).amax(1)
        if bool((residual <= tol * theta.abs().amax(1)).all()):
            return product.marked(largest(theta, k))
    return product.marked(largest(torch.linalg.eigvalsh(_tridiagonal(alpha, beta)), k))


class _FiniteProduct:
    """Products with the matrices that are finite; of the others it remembers the rows."""

    def __init__(self, product: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self.product = product
        self.broken: torch.Tensor | None = None

    def __call__(self, v: torch.Tensor) -> torch.Tensor:
        """Products (n, d), zero where one is not finite."""
        w = self.product(v)
        broken = ~w.isfinite().all(1)
        self.broken = broken if self.broken is None else self.broken | broken
        return torch.where(broken[:, None], 0, w)

    def marked(self, found: torch.Tensor) -> torch.Tensor:
        """Return what was found, NaN for the rows of other matrices."""
        return found if self.broken is None else found.masked_fill(self.broken[:, None], torch.nan)


def eigenvalues(H: torch.Tensor) -> torch.Tensor:
    """Eigenvalues of each matrix, ascending; NaN where an entry is not finite."""
    broken = ~H.isfinite().flatten(1).all(1)
    if not bool(broken.any()):
        return torch.linalg.eigvalsh(H)
    found = torch.linalg.eigvalsh(torch.where(broken[:, None, None], 0, H))
    return found.masked_fill(broken[:, None], torch.nan)


def eigen(H: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Eigenvalues and eigenvectors of each matrix; the values are NaN where an entry is."""
    broken = ~H.isfinite().flatten(1).all(1)
    if not bool(broken.any()):
        values, vectors = torch.linalg.eigh(H)
        return values, vectors
    values, vectors = torch.linalg.eigh(torch.where(broken[:, None, None], 0, H))
    return values.masked_fill(broken[:, None], torch.nan), vectors


def largest(eigenvalues: torch.Tensor, k: int) -> torch.Tensor:
    """Return the ``k`` entries of largest magnitude of each row, ascending."""
    rank = eigenvalues.abs().argsort(dim=1, descending=True)[:, :k]
    return eigenvalues.gather(1, rank).sort(dim=1).values


def quadrature(
    product: Callable[[torch.Tensor], torch.Tensor], v: Callable[[int], torch.Tensor], n_steps: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Nodes and weights (n, n_steps) of the spectral density seen by the vectors ``v(0)``."""
    product = _FiniteProduct(product)
    *_, (alpha, beta) = islice(lanczos(product, v), n_steps)
    theta, s = torch.linalg.eigh(_tridiagonal(alpha, beta))
    return product.marked(theta), s[:, 0].square()
