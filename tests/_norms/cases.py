"""Balls, samples and a norm of a user that the tests of norms share."""

import numpy as np
import torch

from sklearn_robust.attacks import Norm
from tests.attacks.models import ORDER

EPS = {
    "even": torch.tensor(0.7, dtype=torch.float64),
    "uneven": torch.tensor([0.5, 1.0, 0.25, 2.0, 0.8], dtype=torch.float64),
    "partly fixed": torch.tensor([0.5, 0.0, 1.0, 0.0, 0.8], dtype=torch.float64),
}
N_FEATURES = 5


def rows(n=20, seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    return torch.as_tensor(rng.standard_normal((n, N_FEATURES)) * scale)


def relative(d, eps):
    """Coordinates in which the ball is the unit ball; those that cannot move count as 0."""
    return torch.where(eps > 0, d / torch.where(eps > 0, eps, 1), 0)


def size(d, eps, norm):
    return torch.linalg.vector_norm(relative(d, eps), ORDER[norm], dim=1)


class Count(Norm):
    """At most eps features change, whatever the box."""

    name, aliases, order, dual = "count", ("changes",), 0, None

    def size(self, d):
        return self.length(d) / self.radius

    def project(self, d, slack=None):
        flat = self.only_free(d).flatten(1)
        largest = flat.abs().topk(min(int(self.radius), flat.shape[1])).indices
        return torch.zeros_like(flat).scatter(1, largest, flat.gather(1, largest)).view_as(d)

    def sample(self, noise, x, stream):
        return self.project(2 * noise.uniform(x, stream) - 1)

    def steepest_step(self, grad, step, slack=None):
        return step * grad.sign()
