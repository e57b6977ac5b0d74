"""Differentiable models of classifiers that compare the densities of classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis
from sklearn.naive_bayes import ComplementNB, GaussianNB, MultinomialNB

from .._layers.blocks import Matrix, buffer
from .._layers.outputs import ClassifierModule
from .._registry import register

__all__ = ["Gaussians", "LogLinear"]


class Gaussians(ClassifierModule):
    """Log-density of one Gaussian per class, plus the log-prior.

    Parameters
    ----------
    means : array of shape (n_classes, n_features)
        Centres.
    whiteners : list of arrays of shape (n_features,) or (n_features, rank)
        What turns a centred sample of that class into white noise: factors, or a matrix.
    offsets : array of shape (n_classes,)
        Log-prior minus half the log-determinant.
    posterior : bool
        Whether to normalise the logits to log-probabilities.
    """

    means: torch.Tensor
    offsets: torch.Tensor

    def __init__(
        self,
        means: ArrayLike,
        whiteners: Sequence[ArrayLike],
        offsets: ArrayLike,
        *,
        posterior: bool,
    ) -> None:
        super().__init__()
        self.register_buffer("means", buffer(means))
        self.register_buffer("offsets", buffer(offsets))
        for k, whitener in enumerate(whiteners):
            self.register_buffer(f"whitener{k}", buffer(whitener))
        self.posterior = posterior

    def _squared(self, x, k):
        whitener = getattr(self, f"whitener{k}")
        gap = x - self.means[k]
        return (gap * whitener if whitener.ndim == 1 else gap @ whitener).square().sum(1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Log-posteriors (n, n_classes) in float64, normalised if so asked."""
        x = x.double()
        squared = torch.stack([self._squared(x, k) for k in range(len(self.means))], 1)
        z = self.offsets - squared / 2
        return z.log_softmax(1) if self.posterior else z


class LogLinear(ClassifierModule):
    """Log-probabilities of classes whose log-densities are linear.

    Parameters
    ----------
    weight : array of shape (n_features, n_classes)
        Log-probabilities of the features.
    bias : array of shape (n_classes,) or float
        Log-priors.
    """

    def __init__(self, weight: Any, bias: ArrayLike) -> None:
        super().__init__()
        self.matrix = Matrix(weight, bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Log-probabilities (n, n_classes) in float64."""
        return self.matrix(x.double()).log_softmax(1)


@register(GaussianNB)
def _gaussian_nb(model):
    offsets = np.log(model.class_prior_) - 0.5 * np.log(2 * np.pi * model.var_).sum(1)
    return Gaussians(model.theta_, model.var_**-0.5, offsets, posterior=True)


@register(QuadraticDiscriminantAnalysis)
def _quadratic(model):
    factors = zip(model.rotations_, model.scalings_, strict=True)
    whiteners = [rotation * scaling**-0.5 for rotation, scaling in factors]
    determinants = np.array([np.log(scaling).sum() for scaling in model.scalings_])
    offsets = np.log(model.priors_) - 0.5 * determinants
    return Gaussians(model.means_, whiteners, offsets, posterior=False)


@register(MultinomialNB)
def _multinomial_nb(model):
    return LogLinear(model.feature_log_prob_.T, model.class_log_prior_)


@register(ComplementNB)
def _complement_nb(model):
    return LogLinear(model.feature_log_prob_.T, 0.0)
