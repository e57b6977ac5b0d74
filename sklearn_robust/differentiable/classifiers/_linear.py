"""Differentiable models of linear classifiers."""

from __future__ import annotations

from typing import Any

import numpy as np
import sklearn.linear_model
import torch
from scipy import sparse
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import (
    LogisticRegression,
    Perceptron,
    RidgeClassifier,
    RidgeClassifierCV,
    SGDClassifier,
)
from sklearn.svm import LinearSVC
from torch.nn import functional as F

from .._layers.blocks import Matrix, buffer, confine, log_of
from .._layers.outputs import ClassifierModule, normalized, two_columns
from .._registry import register

__all__ = ["Discriminant", "Linear"]


class Linear(ClassifierModule):
    """Affine logits.

    Parameters
    ----------
    weight : array of shape (n_features, n_outputs)
        One column for two classes, else one per class.
    bias : array of shape (n_outputs,)
        Intercepts.
    link : {"softmax", "one_vs_rest", "modified_huber"}, default="softmax"
        How probabilities follow from the decision function.
    """

    def __init__(self, weight: Any, bias: Any, link: str = "softmax") -> None:
        super().__init__()
        self.matrix = Matrix(*two_columns(weight, bias))
        self.link = link

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (n, n_classes) in float64."""
        return self.matrix(x.double())

    def log_proba(self, x: torch.Tensor) -> torch.Tensor:
        """Log-probabilities (n, n_classes)."""
        z = self(x)
        binary = z.shape[1] == 2
        if self.link == "modified_huber":
            f = 2 * z if binary else z
            return normalized(log_of((confine(f, -1, 1) + 1) / 2))
        if self.link == "one_vs_rest" and not binary:
            return normalized(F.logsigmoid(z))
        return z.log_softmax(1)


class Discriminant(Linear):
    """Linear discriminant analysis: a classifier that can serve as a transformer, too.

    Parameters
    ----------
    model : fitted LinearDiscriminantAnalysis
        With any solver.
    """

    scalings: torch.Tensor
    center: torch.Tensor

    def __init__(self, model: Any) -> None:
        super().__init__(_weights(model), model.intercept_)
        if model.solver == "lsqr":
            self.unsupported = {
                "transform": "LinearDiscriminantAnalysis(solver='lsqr') maps nothing."
            }
            return
        n_components = len(model.explained_variance_ratio_)
        self.register_buffer("scalings", buffer(model.scalings_[:, :n_components]))
        self.register_buffer("center", buffer(model.xbar_ if model.solver == "svd" else 0.0))

    def transform(self, x: torch.Tensor) -> torch.Tensor:
        """Project samples on the discriminant directions."""
        return (x - self.center.to(x.dtype)) @ self.scalings.to(x.dtype)


@register(LinearSVC)
@register(Perceptron)
@register(RidgeClassifier)
@register(RidgeClassifierCV)
def _linear(model):
    return Linear(_weights(model), model.intercept_)


if "PassiveAggressiveClassifier" in vars(sklearn.linear_model):  # until scikit-learn 1.10
    register(sklearn.linear_model.PassiveAggressiveClassifier, _linear)


@register(LogisticRegression)
def _logistic_regression(model):
    scheme = vars(model).get("multi_class", "auto")  # until scikit-learn 1.8
    single = scheme == "ovr" or (scheme != "multinomial" and model.solver == "liblinear")
    link = "one_vs_rest" if single else "softmax"
    return Linear(_weights(model), model.intercept_, link)


@register(SGDClassifier)
def _sgd(model):
    link = "modified_huber" if model.loss == "modified_huber" else "one_vs_rest"
    return Linear(_weights(model), model.intercept_, link)


@register(LinearDiscriminantAnalysis)
def _discriminant(model):
    return Discriminant(model)


def _weights(model):
    """Coefficients (n_features, n_outputs), which may be kept sparse or in one dimension."""
    coef = model.coef_
    return np.atleast_2d(coef.toarray() if sparse.issparse(coef) else coef).T
