"""Views of scikit-learn's transformers; each computes in the dtype of its input."""

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    RobustScaler,
    StandardScaler,
)
from torch import nn

from ..exceptions import NotDifferentiableError
from ._registry import register

__all__ = ["Affine", "Clip", "Matrix"]


def _buffer(values):
    return torch.as_tensor(np.asarray(values, dtype=np.float64).copy())


class Affine(nn.Module):
    """``x * scale + shift``, feature by feature.

    Parameters
    ----------
    scale, shift : array-like
        One number, or one a feature.
    """

    tabular = True

    def __init__(self, scale=1.0, shift=0.0):
        super().__init__()
        self.register_buffer("scale", _buffer(scale))
        self.register_buffer("shift", _buffer(shift))

    def forward(self, x):
        """Transformed samples, shape of ``x``."""
        return x * self.scale.to(x.dtype) + self.shift.to(x.dtype)


class Matrix(nn.Module):
    """``x @ weight + bias``.

    Parameters
    ----------
    weight : array of shape (n_features, n_outputs)
        Matrix.
    bias : array of shape (n_outputs,) or number
        Added to each row.
    """

    tabular = True

    def __init__(self, weight, bias=0.0):
        super().__init__()
        self.register_buffer("weight", _buffer(weight))
        self.register_buffer("bias", _buffer(bias))

    def forward(self, x):
        """Transformed samples (n, n_outputs)."""
        return x @ self.weight.to(x.dtype) + self.bias.to(x.dtype)


class Clip(nn.Module):
    """Clip every feature to a range.

    Parameters
    ----------
    low, high : float
        The range.
    """

    def __init__(self, low, high):
        super().__init__()
        self.low, self.high = low, high

    def forward(self, x):
        """Clipped samples, shape of ``x``."""
        return x.clamp(self.low, self.high)


def _none(value, default):
    return default if value is None else value


@register(StandardScaler)
def _standard_scaler(scaler):
    scale = 1 / np.asarray(_none(scaler.scale_, 1.0))
    mean = scaler.mean_ if scaler.with_mean else 0.0
    return Affine(scale, -mean * scale)


@register(RobustScaler)
def _robust_scaler(scaler):
    scale = 1 / np.asarray(_none(scaler.scale_, 1.0))
    return Affine(scale, -np.asarray(_none(scaler.center_, 0.0)) * scale)


@register(MinMaxScaler)
def _min_max_scaler(scaler):
    affine = Affine(scaler.scale_, scaler.min_)
    return nn.Sequential(affine, Clip(*scaler.feature_range)) if scaler.clip else affine


@register(MaxAbsScaler)
def _max_abs_scaler(scaler):
    return Affine(1 / scaler.scale_)


@register(PCA)
def _pca(pca):
    components = pca.components_
    if pca.whiten:
        components = components / np.sqrt(pca.explained_variance_)[:, None]
    return Matrix(components.T, -pca.mean_ @ components.T)


@register(FunctionTransformer)
def _function_transformer(transformer):
    if transformer.func is not None:
        raise NotDifferentiableError(
            f"FunctionTransformer(func={transformer.func!r}) hides its function from torch. "
            "Subclass it and register the subclass with sklearn_robust.differentiable.register."
        )
    return nn.Identity()
