"""Views of scikit-learn's classifiers; they compute in float64, as scikit-learn does."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from torch import nn

from ._registry import register
from ._transformers import Matrix
from ._view import AnyDtype

__all__ = ["Double"]


class Double(nn.Module):
    """Run ``body`` on float64 copies of flat samples.

    Parameters
    ----------
    body : torch.nn.Module
        Maps (n, n_features) float64 to logits.
    """

    tabular = True

    def __init__(self, body):
        super().__init__()
        self.body = body

    def forward(self, x):
        """Logits (n, n_classes) in float64."""
        return self.body(x.double())


def two_columns(weight, bias):
    """Give a single-column decision function f the columns -f/2 and f/2."""
    weight, bias = np.asarray(weight), np.atleast_1d(bias)
    if weight.shape[1] > 1:
        return weight, bias
    return np.hstack([-weight, weight]) / 2, np.hstack([-bias, bias]) / 2


@register(LogisticRegression)
def _linear_classifier(model):
    return Double(Matrix(*two_columns(model.coef_.T, model.intercept_)))


@register(nn.Module)
def _torch_module(module):
    return AnyDtype(module)


