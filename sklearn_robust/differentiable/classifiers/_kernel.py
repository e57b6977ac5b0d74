"""Differentiable models of kernel machines and kernel feature maps."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy import sparse
from sklearn.kernel_approximation import Nystroem, RBFSampler
from sklearn.svm import SVC, NuSVC
from torch import nn

from ..._validation import svm_gamma
from ...exceptions import NotDifferentiableError
from .._layers.blocks import Matrix, Scale, Sequence, buffer
from .._layers.outputs import ClassifierModule, signed_pair
from .._layers.pairwise_voting import Guiding, PairwiseVoting
from .._registry import register

__all__ = ["Cosine", "Kernel", "SupportVectors"]

# Near the boundary of a pair the logarithm of the ratio of its two sums is the decision function
# over one of them; times their usual size, the two weigh about the same.
_USUAL_SUM = 10 / 3


class Kernel(nn.Module):
    """Kernel of the samples with fixed points.

    Parameters
    ----------
    anchors : array of shape (n_anchors, n_features)
        The points.
    name : {"linear", "rbf", "poly", "sigmoid"}
        Kernel.
    gamma, coef0, degree : float
        Its parameters, as in scikit-learn.
    who : str
        Whose kernel it is, for messages.
    """

    tabular = True
    origin: torch.Tensor
    anchors: torch.Tensor
    squares: torch.Tensor
    names = ("linear", "rbf", "poly", "sigmoid")

    def __init__(
        self,
        anchors: Any,
        name: str,
        *,
        gamma: float = 1.0,
        coef0: float = 0.0,
        degree: float = 3,
        who: str = "the model",
    ) -> None:
        super().__init__()
        if name not in self.names:
            raise NotDifferentiableError(
                f"{who} has kernel={name!r}, which torch cannot follow; choose one of "
                f"{list(self.names)}, or attack it with sklearn_robust.attacks.Square."
            )
        anchors = buffer(anchors)
        # Distances stay the same, and small numbers do not cancel where data are far from zero.
        self.register_buffer("origin", anchors.mean(0) * (name == "rbf"))
        self.register_buffer("anchors", anchors - self.origin)
        self.register_buffer("squares", self.anchors.square().sum(1))
        self.name, self.gamma, self.coef0, self.degree = name, gamma, coef0, degree

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Kernel values (n, n_anchors)."""
        x = x - self.origin.to(x.dtype) if self.name == "rbf" else x
        product = x @ self.anchors.T.to(x.dtype)
        if self.name == "linear":
            return product
        if self.name == "rbf":
            distance = x.square().sum(1, keepdim=True) + self.squares.to(x.dtype) - 2 * product
            return torch.exp(-self.gamma * distance)
        product = self.gamma * product + self.coef0
        return product**self.degree if self.name == "poly" else torch.tanh(product)


class SupportVectors(Guiding, ClassifierModule):
    """Support vector classifier.

    Parameters
    ----------
    model : fitted SVC or NuSVC
        With kernel "linear", "rbf", "poly" or "sigmoid".

    Notes
    -----
    Two classes: the logits are -f/2 and f/2 of the decision function f. More classes: the logits
    are the decision function of ``decision_function_shape="ovr"``, whatever the model's own
    shape: votes of the pairs, plus confidences squashed into (-1/3, 1/3). Their largest is what
    ``predict`` says with ``break_ties=True``; without it, ``predict`` gives equal votes to the
    first class.

    Votes jump, and their gradient sees only the squashed part, so attacks follow the smooth
    logits of ``PairwiseVoting``.

    The decision function of an RBF kernel is a difference of two positive sums that both fade far
    from the data: moving away from every class lowers a lead, and an attack that climbs there ends
    in a corner without another class. Where ``guiding``, the logits add the logarithm of the ratio
    of the two sums, which has the same sign and a gradient that leads to the support vectors of
    the other class.
    """

    unsupported = {
        "log_proba": "predict_proba of an SVC couples pairwise probabilities iteratively. Wrap an "
        "SVC without probabilities in CalibratedClassifierCV instead."
    }

    def __init__(self, model: Any) -> None:
        super().__init__()
        n_classes = len(model.classes_)
        self.kernel = Kernel(
            model.support_vectors_,
            model.kernel,
            gamma=svm_gamma(model),
            coef0=model.coef0,
            degree=model.degree,
            who=type(model).__name__,
        )
        self.outputs = Matrix(_pair_weights(model), model.intercept_)
        self.voting = PairwiseVoting(n_classes) if n_classes > 2 else None
        self.paired = model.decision_function_shape == "ovo"

    def pairs(self, x: torch.Tensor) -> torch.Tensor:
        """Decision values (n, n_pairs), signed as scikit-learn's."""
        return self.outputs(self.kernel(x.double()))

    def _leads(self, x: torch.Tensor) -> torch.Tensor:
        """Decision values; when guiding, numbers of the same signs that lead farther."""
        if not self.guiding or self.kernel.name != "rbf":
            return self.pairs(x)
        x = self.kernel(x.double())
        weight, bias = self.outputs.weight.to(x.dtype), self.outputs.bias.to(x.dtype)
        least = torch.finfo(x.dtype).tiny
        first, second = (
            x @ (sign * weight).clamp_min(0) + (sign * bias).clamp_min(0) for sign in (1, -1)
        )
        ratio = first.clamp_min(least).log() - second.clamp_min(least).log()
        return first - second + _USUAL_SUM * ratio

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (n, n_classes) in float64."""
        f = self._leads(x)
        return signed_pair(f) if self.voting is None else self.voting.logits(-f)

    def decision(self, x: torch.Tensor) -> torch.Tensor:
        """Decision function in the model's own shape."""
        f = self.pairs(x)
        return f if self.voting is None or self.paired else self.voting.votes(-f)


def _pair_weights(model):
    """Weights (n_support, n_pairs) of the support vectors in each pair's decision value."""
    dual = model.dual_coef_
    dual = dual.toarray() if sparse.issparse(dual) else dual
    stops = np.cumsum(model.n_support_)
    spans = [slice(stop - n, stop) for stop, n in zip(stops, model.n_support_, strict=True)]
    columns = []
    for i in range(len(spans)):
        for j in range(i + 1, len(spans)):
            weights = np.zeros(dual.shape[1])
            weights[spans[i]] = dual[j - 1, spans[i]]
            weights[spans[j]] = dual[i, spans[j]]
            columns.append(weights)
    return np.stack(columns, axis=1)


class InDouble(Sequence):
    """Steps computed in float64: distances cancel, and what undoes a kernel is large."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Output of the last step, in the dtype of ``x``."""
        return super().forward(x.double()).to(x.dtype)


class Cosine(nn.Module):
    """Elementwise cosine."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Cosine of ``x``."""
        return x.cos()


@register(NuSVC)
@register(SVC)
def _svc(model):
    return SupportVectors(model)


@register(Nystroem)
def _nystroem(model):
    given = {name: getattr(model, name) for name in ("gamma", "coef0", "degree")}
    params = (model.kernel_params or {}) | {k: v for k, v in given.items() if v is not None}
    defaults = {"gamma": 1 / model.n_features_in_, "coef0": 1, "degree": 3}
    name = {"polynomial": "poly"}.get(model.kernel, model.kernel)
    kernel = Kernel(model.components_, name, who="Nystroem", **(defaults | params))
    return InDouble(kernel, Matrix(model.normalization_.T))


@register(RBFSampler)
def _rbf_sampler(sampler):
    size = np.sqrt(2 / sampler.n_components)
    projection = Matrix(sampler.random_weights_, sampler.random_offset_)
    return Sequence(projection, Cosine(), Scale(size))
