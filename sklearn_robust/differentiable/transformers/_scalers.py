"""Differentiable models of transformers that map each feature, or each sample, by itself."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from torch import nn

from ..._validation import power_scaler
from ...exceptions import NotDifferentiableError
from .._layers.blocks import Clip, Piecewise, Scale, Sequence, Shift, buffer, confine
from .._registry import build, register

__all__ = ["BoxCox", "Elementwise", "Quantiles", "UnitNorm", "YeoJohnson"]


class UnitNorm(nn.Module):
    """Divide each sample by its norm; a sample of zeros stays as it is.

    Parameters
    ----------
    norm : {"l1", "l2", "max"}
        Norm.
    """

    tabular = True

    def __init__(self, norm: str) -> None:
        super().__init__()
        self.order = {"l1": 1, "l2": 2, "max": np.inf}[norm]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Scaled samples, shape of ``x``."""
        size = torch.linalg.vector_norm(x, self.order, dim=1, keepdim=True)
        return x / torch.where(size < 10 * torch.finfo(x.dtype).eps, 1.0, size)


def _power(log_x, lam):
    """``(x**lam - 1) / lam`` from log x, or its limit log x at lam = 0."""
    safe = torch.where(lam == 0, 1.0, lam)
    return torch.where(lam == 0, log_x, torch.expm1(lam * log_x) / safe)


class BoxCox(nn.Module):
    """Box-Cox transform of positive features.

    Parameters
    ----------
    lambdas : array of shape (n_features,)
        Exponents.
    """

    tabular = True
    lambdas: torch.Tensor

    def __init__(self, lambdas: ArrayLike) -> None:
        super().__init__()
        self.register_buffer("lambdas", buffer(lambdas))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features of the same shape; NaN where one of ``x`` is negative."""
        return _power(x.log(), self.lambdas.to(x.dtype))


class YeoJohnson(nn.Module):
    """Yeo-Johnson transform.

    Parameters
    ----------
    lambdas : array of shape (n_features,)
        Exponents.
    """

    tabular = True
    lambdas: torch.Tensor

    def __init__(self, lambdas: ArrayLike) -> None:
        super().__init__()
        self.register_buffer("lambdas", buffer(lambdas))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features of the same shape."""
        lam = self.lambdas.to(x.dtype)
        above = _power(confine(x, low=0).log1p(), lam)
        below = -_power(confine(-x, low=0).log1p(), 2 - lam)
        return torch.where(x >= 0, above, below)


class Quantiles(nn.Module):
    """Empirical distribution function of each feature, linear between distinct quantiles.

    Parameters
    ----------
    quantiles : array of shape (n_features, n_quantiles)
        Increasing.
    references : array of shape (n_quantiles,)
        Their levels, from 0 to 1.
    normal : bool
        Whether to map on to normal scores.
    """

    tabular = True
    low: torch.Tensor
    high: torch.Tensor
    edge = 1e-7  # scikit-learn's distance from the end of a range at which normal scores stop

    def __init__(
        self, quantiles: NDArray[np.float64], references: NDArray[np.float64], *, normal: bool
    ) -> None:
        super().__init__()
        slopes = np.diff(references) / np.diff(quantiles)
        levels = np.broadcast_to(references[:-1], slopes.shape)
        self.lines = Piecewise(quantiles, np.stack([slopes, levels], 2)[..., None])
        self.register_buffer("low", buffer(quantiles[:, 0]))
        self.register_buffer("high", buffer(quantiles[:, -1]))
        self.normal = normal

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features of the same shape."""
        t = x.double()
        level = self.lines(confine(t, self.low, self.high))[..., 0]
        if self.normal:
            level = torch.where(t - self.edge < self.low, 0.0, level)
            level = torch.where(t + self.edge > self.high, 1.0, level)
            end = self.edge - np.spacing(1.0)
            level = torch.special.ndtri(level.clamp(end, 1 - end))
        return level.to(x.dtype)


_FUNCTIONS = {
    getattr(np, name): name
    for name in (
        *("absolute", "exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "square"),
        *("sin", "cos", "tan", "sinh", "cosh", "tanh", "arctan", "arcsinh"),
    )
}


class Elementwise(nn.Module):
    """The torch twin of a numpy function.

    Parameters
    ----------
    name : str
        Its name in torch.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Apply the function to ``x``."""
        return getattr(torch, self.name)(x)


def _standardized(center, scale):
    """``(x - center) / scale``; None leaves that part out."""
    parts = [] if center is None else [Shift(-center)]
    return Sequence(*parts, *([] if scale is None else [Scale(1 / scale)]))


@register(StandardScaler)
def _standard_scaler(scaler):
    return _standardized(scaler.mean_ if scaler.with_mean else None, scaler.scale_)


@register(RobustScaler)
def _robust_scaler(scaler):
    return _standardized(scaler.center_, scaler.scale_)


@register(MinMaxScaler)
def _min_max_scaler(scaler):
    clip = [Clip(*scaler.feature_range)] if scaler.clip else []
    return Sequence(Scale(scaler.scale_), Shift(scaler.min_), *clip)


@register(MaxAbsScaler)
def _max_abs_scaler(scaler):
    clip = [Clip(-1, 1)] if vars(scaler).get("clip", False) else []  # since scikit-learn 1.9
    return Sequence(Scale(1 / scaler.scale_), *clip)


@register(Normalizer)
def _normalizer(normalizer):
    return UnitNorm(normalizer.norm)


@register(PowerTransformer)
def _power_transformer(transformer):
    kind = {"box-cox": BoxCox, "yeo-johnson": YeoJohnson}[transformer.method]
    scaler = power_scaler(transformer)
    return Sequence(kind(transformer.lambdas_), *([] if scaler is None else [build(scaler)]))


@register(QuantileTransformer)
def _quantile_transformer(transformer):
    quantiles = transformer.quantiles_.T
    tied = np.flatnonzero((np.diff(quantiles) <= 0).any(1))
    if len(tied):
        raise NotDifferentiableError(
            f"QuantileTransformer met repeated values in {len(tied)} features (first feature "
            f"{tied[0]}), where it jumps. Use PowerTransformer instead, or attack the model "
            "with sklearn_robust.attacks.Square."
        )
    normal = transformer.output_distribution == "normal"
    return Quantiles(quantiles, transformer.references_, normal=normal)


@register(FunctionTransformer)
def _function_transformer(transformer):
    if transformer.func is None:
        return nn.Identity()
    if transformer.func in _FUNCTIONS and not transformer.kw_args:
        return Elementwise(_FUNCTIONS[transformer.func])
    raise NotDifferentiableError(
        f"FunctionTransformer(func={transformer.func!r}) hides its function from torch. "
        "Subclass it and register the subclass with sklearn_robust.differentiable.register."
    )
