"""Differentiable models of neural networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from sklearn.neural_network import MLPClassifier
from torch import nn

from ...exceptions import NotDifferentiableError
from .._layers.blocks import Matrix
from .._layers.outputs import ClassifierModule, two_columns
from .._module import AnyDtype
from .._registry import register

__all__ = ["MultilayerPerceptron"]

_ACTIVATIONS = {
    "identity": nn.Identity,
    "logistic": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
}


class MultilayerPerceptron(ClassifierModule):
    """Multilayer perceptron; its logits are log-probabilities.

    Parameters
    ----------
    weights : list of arrays of shape (n_inputs, n_outputs)
        Matrices of the layers.
    biases : list of arrays of shape (n_outputs,)
        Intercepts.
    activation : {"identity", "logistic", "tanh", "relu"}
        Between the layers.
    """

    def __init__(self, weights: Sequence[Any], biases: Sequence[Any], activation: str) -> None:
        super().__init__()
        *hidden, last = zip(weights, biases, strict=True)
        parts = []
        for layer in hidden:
            parts += [Matrix(*layer), _ACTIVATIONS[activation]()]
        self.layers = nn.Sequential(*parts, Matrix(*two_columns(*last)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Log-probabilities (n, n_classes) in float64."""
        return self.layers(x.double()).log_softmax(1)


@register(MLPClassifier)
def _mlp(model):
    if model.out_activation_ == "logistic" and model.n_outputs_ > 1:
        raise NotDifferentiableError(
            f"This MLPClassifier was fitted on {model.n_outputs_} labels per sample: fit it on y "
            "of shape (n_samples,), with one class for each sample."
        )
    return MultilayerPerceptron(model.coefs_, model.intercepts_, model.activation)


@register(nn.Module)
def _torch_module(module):
    return AnyDtype(module)
