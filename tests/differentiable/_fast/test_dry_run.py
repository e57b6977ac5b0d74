"""A dry run tells what a module draws and leaves the generators alone."""

import torch
from torch import nn

from sklearn_robust.differentiable._fast.dry_run import draws_random_numbers


def test_finding_random_draws_draws_nothing():
    drops = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Dropout(0.5))
    x, before = torch.rand(1, 3, 8, 8), torch.get_rng_state()
    assert draws_random_numbers(drops, x)
    assert not draws_random_numbers(drops.eval(), x)
    assert draws_random_numbers(lambda x: x + torch.randn(3, 1, 1), x)
    assert torch.equal(torch.get_rng_state(), before)
