"""Views of transformers that make several features of one."""

import numpy as np
import torch
from scipy.interpolate import PPoly
from sklearn.preprocessing import PolynomialFeatures, SplineTransformer
from torch import nn

from ..exceptions import NotDifferentiableError
from ._blocks import Piecewise, buffer
from ._registry import register

__all__ = ["Monomials", "Splines"]


class Monomials(nn.Module):
    """Products of powers of the features.

    Parameters
    ----------
    powers : array of ints of shape (n_outputs, n_features)
        Exponents.
    """

    tabular = True

    def __init__(self, powers):
        super().__init__()
        n_outputs, n_features = powers.shape
        degree = int(powers.sum(1).max(initial=0))
        factors = np.full((n_outputs, degree), n_features)  # that column holds ones
        for factor, row in zip(factors, powers, strict=True):
            chosen = np.repeat(np.arange(n_features), row)
            factor[: len(chosen)] = chosen
        self.register_buffer("factors", torch.as_tensor(factors))

    def forward(self, x):
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
        One a feature, with one output for each basis function.
    extrapolation : {"error", "constant", "linear", "continue", "periodic"}
        What happens beyond the outer knots.
    n_kept : int
        How many basis functions of each feature to keep.
    """

    tabular = True

    def __init__(self, splines, extrapolation, n_kept):
        super().__init__()
        pieces = [_pieces(spline) for spline in splines]
        breaks = np.stack([p.x for p in pieces])
        coefficients = np.stack([p.c.transpose(1, 0, 2)[..., :n_kept] for p in pieces])
        self.inside = Piecewise(breaks, coefficients)
        self.register_buffer("low", buffer(breaks[:, 0]))
        self.register_buffer("high", buffer(breaks[:, -1]))
        self.extrapolation = extrapolation
        if extrapolation == "linear":
            ends = zip(pieces, breaks[:, [0, -1]], strict=True)
            slopes = np.stack([piece.derivative()(end)[:, :n_kept] for piece, end in ends])
            self.register_buffer("slopes", buffer(slopes))

    def forward(self, x):
        """Values (n, n_features * n_kept) in the dtype of ``x``."""
        t = x.double()
        if self.extrapolation == "periodic":
            t = self.low + (t - self.low).remainder(self.high - self.low)
        if self.extrapolation not in ("constant", "linear"):
            return self.inside(t).flatten(1).to(x.dtype)
        out = self.inside(t.clamp(self.low, self.high))
        if self.extrapolation == "linear":
            below, above = t - t.clamp(min=self.low), t - t.clamp(max=self.high)
            out = out + below[..., None] * self.slopes[:, 0] + above[..., None] * self.slopes[:, 1]
        return out.flatten(1).to(x.dtype)


def _pieces(spline):
    """Polynomials of a B-spline between its inner knots."""
    whole = PPoly.from_spline((spline.t, spline.c, spline.k))
    inner = slice(spline.k, len(spline.t) - spline.k - 1)
    return PPoly(whole.c[:, inner], whole.x[spline.k : len(spline.t) - spline.k])


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
    for feature, spline in enumerate(splines):
        if not np.all(np.diff(spline.t[degree:-degree]) > 0):
            raise NotDifferentiableError(
                f"SplineTransformer was fitted on a feature without spread, number {feature}. Drop "
                "such features before it, with VarianceThreshold."
            )
    n_splines = splines[0].c.shape[1]
    n_kept = n_splines if transformer.include_bias else n_splines - 1
    return Splines(splines, transformer.extrapolation, n_kept)
