"""Margins of a batch: in the output, among the features, in the input."""

import math

import torch

from .. import _functional as F
from .._norms import get_norm
from ._layers import last_matrix
from ._lipschitz import lipschitz_bounds
from ._trace import trace_of

__all__ = ["Geometry", "feature_margin", "linear_margin"]


def feature_margin(z, matrix):
    """Distance in the last features to the nearest boundary of the predicted class, l2.

    It is min_j (f_p - f_j) / ||w_p - w_j|| over the classes j other than the predicted p.
    """
    rows = torch.cdist(matrix.to(z), matrix.to(z), compute_mode="donot_use_mm_for_euclid_dist")
    top, predicted = z.max(1)
    return _nearest(top[:, None] - z, rows[predicted], predicted)


def _nearest(gap, slope, predicted):
    """Smallest quotient over the other classes; a gap that nothing closes is infinitely far."""
    far = torch.where(gap > 0, gap / slope, torch.zeros_like(gap))
    return far.scatter(1, predicted[:, None], torch.inf).amin(1)


def linear_margin(view, x, norm="l2"):
    """Distance in the input to the nearest boundary of the predicted class, linearised at ``x``.

    It is min_j (f_p - f_j) / ||grad f_p - grad f_j||_q with the dual norm q.
    """
    x = x.detach().requires_grad_(True)
    z = view(x)
    predicted = z.argmax(1)
    others = F.competing_classes(z, predicted)
    gaps = z.gather(1, predicted[:, None]) - z.gather(1, others)
    far = torch.full_like(z, torch.inf)
    for k in range(others.shape[1]):
        slope = F.input_gradient(gaps[:, k], x, retain_graph=k + 1 < others.shape[1])
        size = get_norm(norm).dual_length(slope)
        gap = gaps[:, k].detach()
        far[:, k] = torch.where(gap > 0, gap / size.to(gap), 0)
    return far.amin(1).detach()


class Geometry:
    """What the weights of a model say about all its margins.

    Attributes
    ----------
    matrix : tensor of shape (n_classes, n_features) or None
        Weights of the last layer.
    lipschitz : float
        Bound of the l2 Lipschitz constant from the input to the logits.
    to_features : float
        The same to the input of the last layer.
    unknown : list of str
        Operations without a known bound, which make both infinite.
    """

    def __init__(self, view, x):
        trace = trace_of(view, x)
        bounds, self.unknown = lipschitz_bounds(trace)
        self.lipschitz = 0.0 if trace.output is None else bounds[trace.output]
        last = last_matrix(trace)
        self.matrix, number = (None, None) if last is None else last
        self.to_features = math.inf if number is None else bounds[number]

    def lower_bound(self, z, n_inputs, norm="l2"):
        """Radius within which no change of the input changes the prediction, shape (n,)."""
        top = z.topk(2, dim=1).values
        radius = (top[:, 0] - top[:, 1]) / (math.sqrt(2) * self.lipschitz)
        if self.matrix is not None:
            radius = torch.maximum(radius, feature_margin(z, self.matrix) / self.to_features)
        return radius / math.sqrt(get_norm(norm).euclidean_square(n_inputs))
