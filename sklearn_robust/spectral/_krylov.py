"""Singular values of a convolution with its true padding, without its dense matrix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, svds
from torch import Tensor

from ._maps import Convolution

__all__ = ["fits", "quadrature", "top_values"]

QUICK = 512  # a dense matrix of so many rows and columns is faster than products one by one
ENTRIES = 1 << 25  # entries of the largest dense matrix: 128 MiB in float32
RESTARTS = 300


def fits(conv: Convolution) -> bool:
    """Whether the dense matrix of a convolution fits in memory."""
    return conv.dims[0] * conv.dims[1] <= ENTRIES


class _Operator:
    """A convolution and its adjoint on flat batches."""

    def __init__(self, conv: Convolution) -> None:
        self.conv = conv
        n_out, self.n_in = conv.dims
        self.small, self.large = sorted((n_out, self.n_in))
        self.like: dict[str, Any] = {"dtype": conv.weight.dtype, "device": conv.weight.device}

    def forward(self, x: Tensor) -> Tensor:
        """M x of rows."""
        return self.conv.apply(x.reshape(len(x), *self.conv.in_shape)).flatten(1)

    def adjoint(self, y: Tensor) -> Tensor:
        """M^T y of rows."""
        x = torch.zeros(len(y), self.n_in, **self.like, requires_grad=True)
        with torch.enable_grad():
            return torch.autograd.grad(self.forward(x), x, y)[0]

    def gram(self, u: Tensor) -> Tensor:
        """M^T M or M M^T, whichever is smaller, of rows."""
        if self.small == self.n_in:
            return self.adjoint(self.forward(u))
        return self.forward(self.adjoint(u))


def top_values(conv: Convolution, k: int, seed: int = 0) -> Tensor:
    """Largest ``k`` singular values by implicitly restarted Lanczos, descending.

    A small layer is solved by its dense matrix, which finds each copy of a value that repeats.
    """
    operator = _Operator(conv)
    n_out, n_in = conv.dims
    if not 1 <= k < operator.small:
        raise ValueError(
            f"k is {k}; method='lanczos' finds from 1 to {operator.small - 1} of the "
            f"{operator.small} singular values of this layer."
        )
    if operator.large <= QUICK:
        return _dense_values(conv, k)

    for space in ({}, _wide_space(operator, k)):
        try:
            return _arpack_values(operator, k, seed, space)
        except ArpackNoConvergence:
            continue
    if fits(conv):
        return _dense_values(conv, k)
    raise ValueError(
        f"method='lanczos' does not converge on this layer of {n_out} x {n_in} entries: many of "
        "its largest singular values lie close together. Use layer.double() for more digits, or "
        "method='fft' for those of a torus."
    )


def _wide_space(operator: _Operator, k: int) -> dict[str, Any]:
    """Options for values close to each other: a larger space, no more digits than the weights."""
    return {
        "ncv": min(operator.small, 4 * max(20, 2 * k + 1)),
        "tol": torch.finfo(operator.like["dtype"]).eps,
    }


def _arpack_values(operator: _Operator, k: int, seed: int, space: dict[str, Any]) -> Tensor:
    """Largest ``k`` singular values, descending, from a random start of that seed."""

    def product(function: Callable[[Tensor], Tensor]) -> Callable[[NDArray[Any]], NDArray[Any]]:
        def times(v: NDArray[Any]) -> NDArray[Any]:
            row = torch.as_tensor(np.ascontiguousarray(v).reshape(1, -1), **operator.like)
            return function(row).flatten().detach().cpu().double().numpy()

        return times

    matrix = LinearOperator(
        operator.conv.dims,
        matvec=product(operator.forward),
        rmatvec=product(operator.adjoint),
        dtype=float,
    )
    start = np.random.default_rng(seed).standard_normal(operator.small)
    options = {"k": k, "v0": start, "maxiter": RESTARTS, "return_singular_vectors": False}
    return torch.from_numpy(np.sort(svds(matrix, **options, **space))[::-1].copy())


def _dense_values(conv: Convolution, k: int) -> Tensor:
    return torch.linalg.svdvals(conv.dense())[:k].detach().double().cpu()


def quadrature(
    conv: Convolution, n_probes: int = 8, n_steps: int = 30, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Stochastic Lanczos quadrature: nodes and weights that stand for the spectrum.

    Sums over the singular values become sums over the nodes; all moments come from the same
    quadrature, so that their differences do not cancel wrongly.

    Returns
    -------
    values, weights : float64 tensors of shape (n_probes * n_steps,)
        Nodes, and how many singular values each stands for.
    """
    operator = _Operator(conv)
    n_steps = min(n_steps, operator.small)
    generator = torch.Generator().manual_seed(seed)
    signs = torch.randint(2, (n_probes, operator.small), generator=generator) * 2 - 1
    u = signs.to(**operator.like) / operator.small**0.5
    basis, diagonal, beside = [u], [], []
    for _ in range(n_steps):
        v = operator.gram(basis[-1])
        diagonal.append((v * basis[-1]).sum(1))
        known = torch.stack(basis, 1)  # (n_probes, step, small)
        for _ in range(2):  # orthogonal to all before, twice because rounding spoils once
            v = v - torch.einsum("ps,psn->pn", torch.einsum("pn,psn->ps", v, known), known)
        length = v.norm(dim=1)
        beside.append(length)
        # A space that is exhausted goes on with zeros, which couple to nothing.
        going = length > torch.finfo(v.dtype).eps ** 0.75 * diagonal[0]
        basis.append(torch.where(going[:, None], v / length.clamp_min(1e-30)[:, None], 0))
        beside[-1] = torch.where(going, length, 0)
    matrix = torch.diag_embed(torch.stack(diagonal, 1).double())
    off = torch.stack(beside[:-1], 1).double() if n_steps > 1 else matrix.new_zeros(n_probes, 0)
    matrix = matrix + torch.diag_embed(off, 1) + torch.diag_embed(off, -1)
    squares, vectors = torch.linalg.eigh(matrix.cpu())
    weights = vectors[:, 0].square() * (operator.small / n_probes)
    return squares.clamp_min(0).sqrt().flatten(), weights.flatten()
