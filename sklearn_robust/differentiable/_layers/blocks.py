"""Torch building blocks of differentiable models; each computes in the dtype of its input."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from torch import nn
from torch.overrides import handle_torch_function, has_torch_function_unary

__all__ = [
    "Clip",
    "Columns",
    "Matrix",
    "Piecewise",
    "Scale",
    "Sequence",
    "Shift",
    "Union",
    "buffer",
    "confine",
    "log_of",
]


def buffer(values: Any) -> torch.Tensor:
    """Float64 tensor with a copy of ``values``, which may be sparse."""
    if sparse.issparse(values):
        values = values.toarray()
    return torch.as_tensor(np.array(values, dtype=np.float64))


def confine(x: torch.Tensor, low: Any = None, high: Any = None) -> torch.Tensor:
    """Clamp ``x`` with derivative 1 at the bounds themselves, where data often lie.

    The derivative of ``torch.clamp`` there is 0 or 1 by version; 0 would hide the way back inside.
    Modes of torch functions see a single function, as they do with ``torch.clamp``.
    """
    if has_torch_function_unary(x):
        return handle_torch_function(confine, (x,), x, low=low, high=high)
    if low is not None:
        x = torch.where(x < low, low, x)
    return x if high is None else torch.where(x > high, high, x)


def log_of(p: torch.Tensor) -> torch.Tensor:
    """Logarithm of probabilities in float64; that of 0 is finite and has no gradient."""
    p = p.double()
    return p.clamp_min(torch.finfo(p.dtype).tiny).log()


class Sequence(nn.Sequential):
    """Modules of features, one after the other."""

    tabular = True


class Shift(nn.Module):
    """``x + by``.

    Parameters
    ----------
    by : array of shape (n_features,) or float
        What to add.
    """

    tabular = True
    by: torch.Tensor

    def __init__(self, by: ArrayLike) -> None:
        super().__init__()
        self.register_buffer("by", buffer(by))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Shifted samples, shape of ``x``."""
        return x + self.by.to(x.dtype)


class Scale(nn.Module):
    """``x * by``.

    Parameters
    ----------
    by : array of shape (n_features,) or float
        What to multiply with.
    """

    tabular = True
    by: torch.Tensor

    def __init__(self, by: ArrayLike) -> None:
        super().__init__()
        self.register_buffer("by", buffer(by))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scaled samples, shape of ``x``."""
        return x * self.by.to(x.dtype)


class Clip(nn.Module):
    """Clip every feature to a range.

    Parameters
    ----------
    low, high : float
        The range.
    """

    tabular = True

    def __init__(self, low: float, high: float) -> None:
        super().__init__()
        self.low, self.high = float(low), float(high)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Clipped samples, shape of ``x``."""
        return confine(x, self.low, self.high)


class Matrix(nn.Module):
    """``x @ weight + bias``.

    Parameters
    ----------
    weight : array of shape (n_features, n_outputs)
        Matrix.
    bias : array of shape (n_outputs,) or float, default=0.0
        Added to each row.
    """

    tabular = True
    weight: torch.Tensor
    bias: torch.Tensor

    def __init__(self, weight: Any, bias: ArrayLike = 0.0) -> None:
        super().__init__()
        self.register_buffer("weight", buffer(weight))
        self.register_buffer("bias", buffer(bias))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Affine images (n, n_outputs)."""
        return x @ self.weight.to(x.dtype) + self.bias.to(x.dtype)


class Columns(nn.Module):
    """Some of the features.

    Parameters
    ----------
    index : array of ints
        Features to keep, in order.
    """

    tabular = True
    index: torch.Tensor

    def __init__(self, index: ArrayLike) -> None:
        super().__init__()
        index = np.array(index, dtype=np.int64)
        self.register_buffer("index", torch.as_tensor(index))
        neighbours = bool(len(index)) and bool((np.diff(index) == 1).all())
        # A slice has a far cheaper gradient than a gather.
        self.span = slice(int(index[0]), int(index[-1]) + 1) if neighbours else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Kept features (n, len(index))."""
        return x[:, self.index if self.span is None else self.span]


class Union(nn.Module):
    """Outputs of several modules side by side, computed from the same samples.

    Parameters
    ----------
    parts : list of torch.nn.Module
        Each maps (n, n_features) to (n, n_outputs).
    """

    tabular = True

    def __init__(self, parts: Iterable[nn.Module]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """All outputs, concatenated."""
        return torch.cat([part(x) for part in self.parts], 1)


class Piecewise(nn.Module):
    """Polynomials between breakpoints, each feature with its own.

    Beyond the outer breakpoints the outer polynomials go on.

    Parameters
    ----------
    breaks : array of shape (n_features, n_pieces + 1)
        Increasing breakpoints.
    coefficients : array of shape (n_features, n_pieces, degree + 1, n_outputs)
        Highest power first, of the distance to the piece's left breakpoint.
    """

    tabular = True
    breaks: torch.Tensor
    coefficients: torch.Tensor

    def __init__(self, breaks: NDArray[np.float64], coefficients: NDArray[np.float64]) -> None:
        super().__init__()
        self.register_buffer("breaks", buffer(breaks))
        self.register_buffer("coefficients", buffer(coefficients))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Values (n, n_features, n_outputs) in float64."""
        t = x.double()
        inner = self.breaks[:, 1:-1].contiguous()
        piece = torch.searchsorted(inner, t.detach().T.contiguous(), right=True).T
        feature = torch.arange(t.shape[1], device=t.device).expand_as(piece)
        steps = (t - self.breaks[feature, piece])[..., None]
        out = torch.zeros((), dtype=torch.float64, device=t.device)
        for power in range(self.coefficients.shape[2]):
            out = out * steps + self.coefficients[feature, piece, power]
        return out
