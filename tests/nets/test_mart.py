"""The boosted loss of MART."""

import torch

from sklearn_robust import _functional as F

CODES = torch.tensor([0, 1])


def test_the_boosted_loss_is_finite_where_probabilities_round_to_zero_and_one():
    z = torch.tensor([[800.0, 0, -5], [-800, 0, 800]], requires_grad=True)
    loss = F.boosted_cross_entropy(z, CODES)
    (slope,) = torch.autograd.grad(loss.sum(), z)
    assert loss.tolist() == [0, 1600]
    assert slope.isfinite().all()
