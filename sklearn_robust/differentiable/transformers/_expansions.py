"""Differentiable models of transformers that make several features of one."""

from __future__ import annotations

from collections.abc import Sequence
from math import factorial

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.interpolate import BSpline
from sklearn.preprocessing import PolynomialFeatures, SplineTransformer
from torch import nn

from ...exceptions import NotDifferentiableError
from .._layers.blocks import Piecewise, buffer, confine
from .._registry import register

__all__ = ["Monomials", "Splines"]


class Monomials(nn.Module):
    """Products of powers of the features.

    Parameters
    ----------
    powers : array of ints of shape (n_outputs, n_features)
        Exponents.
    """

    tabular = True
    factors: torch.Tensor

    def __init__(self, powers: NDArray[np.int64]) -> None:
        super().__init__()
        n_outputs, n_features = powers.shape
        degree = int(powers.sum(1).max(initial=0))
        factors = np.full((n_outputs, degree), n_features)  # that column holds ones
        for factor, row in zip(factors, powers, strict=True):
            chosen = np.repeat(np.arange(n_features), row)
            factor[: len(chosen)] = chosen
        self.register_buffer("factors", torch.as_tensor(factors))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Monomials (n, n_outputs)."""
        columns = torch.cat([x, torch.ones_like(x[:, :1])], 1)
        out = torch.ones_like(x[:, :1]).expand(len(x), len(self.factors))
        for factor in self.factors.T:
            out = out * columns[:, factor]
        return out


class Splines(nn.Module):
    """B-splines of each feature.

    Parameters
    ----------
    splines : list of scipy.interpolate.BSpline
        One per feature, with one output for each basis function.
    extrapolation : {"error", "constant", "linear", "continue", "periodic"}
        What happens beyond the outer knots.
    n_kept : int
        How many basis functions of each feature to keep.
    """

    tabular = True
    low: torch.Tensor
    high: torch.Tensor
    slopes: torch.Tensor

    def __init__(self, splines: Sequence[BSpline], extrapolation: str, n_kept: int) -> None:
        super().__init__()
        breaks = np.stack([spline.t[spline.k : len(spline.t) - spline.k] for spline in splines])
        coefficients = np.stack([_taylor(s, b[:-1]) for s, b in zip(splines, breaks, strict=True)])
        coefficients = coefficients[..., :n_kept]
        self.inside = Piecewise(breaks, coefficients)
        self.register_buffer("low", buffer(breaks[:, 0]))
        self.register_buffer("high", buffer(breaks[:, -1]))
        self.extrapolation = extrapolation
        if extrapolation == "linear":
            ends = zip(splines, breaks[:, [0, -1]], strict=True)
            slopes = np.stack([spline(end, nu=1)[:, :n_kept] for spline, end in ends])
            self.register_buffer("slopes", buffer(slopes))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Values (n, n_features * n_kept) in the dtype of ``x``."""
        t = x.double()
        if self.extrapolation == "periodic":
            t = self.low + (t - self.low).remainder(self.high - self.low)
        if self.extrapolation not in ("constant", "linear"):
            return self.inside(t).flatten(1).to(x.dtype)
        out = self.inside(confine(t, self.low, self.high))
        if self.extrapolation == "linear":
            below, above = t - confine(t, low=self.low), t - confine(t, high=self.high)
            out = out + below[..., None] * self.slopes[:, 0] + above[..., None] * self.slopes[:, 1]
        return out.flatten(1).to(x.dtype)


def _taylor(spline, points):
    """Coefficients (n_points, degree + 1, n_outputs) right of each point, highest power first."""
    powers = range(spline.k, -1, -1)
    return np.stack([spline(points, nu=power) / factorial(power) for power in powers], axis=1)


@register(PolynomialFeatures)
def _polynomial_features(transformer):
    return Monomials(transformer.powers_)


@register(SplineTransformer)
def _spline_transformer(transformer):
    splines, degree = transformer.bsplines_, transformer.degree
    if degree == 0:
        raise NotDifferentiableError(
            "SplineTransformer(degree=0) is constant between knots. Use a degree of at least 1."
        )
    if degree == 1 and transformer.extrapolation == "linear":
        raise NotDifferentiableError(
            "SplineTransformer(degree=1, extrapolation='linear') jumps between knots from its "
            "second feature on. Type extrapolation='continue', which is linear for this degree."
        )
    for feature, spline in enumerate(splines):
        if not np.all(np.diff(spline.t[degree:-degree]) > 0):
            raise NotDifferentiableError(
                f"SplineTransformer was fitted on a feature without spread, number {feature}. Drop "
                "such features before it, with VarianceThreshold."
            )
    n_splines = splines[0].c.shape[1]
    n_kept = n_splines if transformer.include_bias else n_splines - 1
    return Splines(splines, transformer.extrapolation, n_kept)
