"""Margins of a batch: in the output, among the features, in the input."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .. import _functional as F
from .._norms import get_norm
from ..differentiable import DifferentiableModel
from ._layers import last_layer
from ._lipschitz import lipschitz_bounds
from ._trace import trace_of

__all__ = ["Geometry", "feature_margin", "linear_margin"]


def feature_margin(z: Tensor, matrix: Tensor) -> Tensor:
    """Distance (l2) among the last features to the nearest boundary of the predicted class.

    It is min_j (f_p - f_j) / ||w_p - w_j|| over the classes j other than the predicted p.
    """
    rows = torch.cdist(matrix.to(z), matrix.to(z), compute_mode="donot_use_mm_for_euclid_dist")
    top, predicted = z.max(1)
    return _nearest(top[:, None] - z, rows[predicted], predicted)


def _nearest(gap: Tensor, gradient_norm: Tensor, predicted: Tensor) -> Tensor:
    """Smallest quotient over the other classes; infinite for a gap whose gradient is zero."""
    far = torch.where(gap > 0, gap / gradient_norm, torch.zeros_like(gap))
    return far.scatter(1, predicted[:, None], torch.inf).amin(1)


def linear_margin(model: DifferentiableModel, x: Tensor, norm: str = "l2") -> Tensor:
    """Distance in the input to the nearest boundary of the predicted class, linearised at ``x``.

    It is min_j (f_p - f_j) / ||grad f_p - grad f_j||_q with the dual norm q.
    """
    x = x.detach().requires_grad_(True)
    z = model(x)
    predicted = z.argmax(1)
    others = F.competing_classes(z, predicted)
    gaps = z.gather(1, predicted[:, None]) - z.gather(1, others)
    far = torch.full_like(z, torch.inf)
    for k in range(others.shape[1]):
        gradient = F.input_gradient(gaps[:, k], x, retain_graph=k + 1 < others.shape[1])
        size = get_norm(norm).dual_length(gradient)
        gap = gaps[:, k].detach()
        far[:, k] = torch.where(gap > 0, gap / size.to(gap), 0)
    return far.amin(1).detach()


def _same_everywhere(model: DifferentiableModel, x: Tensor) -> bool:
    """Whether the logits of samples, and of these at half their size, are the same."""
    with torch.no_grad():
        z = model(torch.cat([x, x / 2]))
    return torch.equal(z, z[:1].expand_as(z))


class Geometry:
    """Last matrix and Lipschitz constants of a model, from which margins follow.

    Parameters
    ----------
    model : DifferentiableModel
        The model.
    x : tensor of shape (n, ...)
        Samples to run it on.

    Attributes
    ----------
    matrix : tensor of shape (n_classes, n_features) or None
        Weights of the last layer.
    lipschitz : float
        Bound of the l2 Lipschitz constant from the input to the logits.
    to_features : float
        The same to the input of the last layer.
    constant : bool
        Whether the logits do not depend on the sample.
    unknown : list of str
        Operations without a known bound, which make both infinite.
    """

    def __init__(self, model: DifferentiableModel, x: Tensor) -> None:
        trace = trace_of(model, x)
        self.constant = trace.output is None and _same_everywhere(model, x)
        bounds, self.unknown = lipschitz_bounds(trace)
        if trace.output is not None:
            self.lipschitz = bounds[trace.output]
        else:
            self.lipschitz = 0.0 if self.constant else math.inf
            self.unknown += [] if self.constant else ["steps that torch does not record"]
        last = last_layer(trace)
        self.matrix: Tensor | None = None if last is None else last.matrix
        self.to_features = math.inf if last is None else bounds[last.source]

    def lower_bound(self, z: Tensor, n_inputs: int, norm: str = "l2") -> Tensor:
        """Radius within which no change of the input changes the prediction, shape (n,)."""
        top = z.topk(2, dim=1).values
        radius = (top[:, 0] - top[:, 1]) / (math.sqrt(2) * self.lipschitz)
        if self.matrix is not None:
            radius = torch.maximum(radius, feature_margin(z, self.matrix) / self.to_features)
        return radius / math.sqrt(get_norm(norm).euclidean_square(n_inputs))
