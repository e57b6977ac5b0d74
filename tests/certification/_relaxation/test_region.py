"""The least value of a linear function on a box, a ball and their intersection."""

import numpy as np
import pytest
import torch
from scipy.optimize import linprog

from sklearn_robust._norms import get_norm
from sklearn_robust.certification._relaxation.region import Region


def region_of(norm, width=0.3):
    generator = torch.Generator().manual_seed(0)
    x, radius = torch.rand(2, 3, 4, dtype=torch.float64, generator=generator)
    kind = None if norm == "linf" else get_norm(norm)
    return Region(x, (x - radius).clamp_min(0), (x + radius).clamp_max(width), kind, radius)


@pytest.mark.parametrize("norm", ["linf", "l1"])
def test_the_least_value_is_not_above_that_of_a_linear_programme(norm):
    region = region_of(norm, width=9)
    a = torch.randn(5, 3, 4, dtype=torch.float64)
    least = region.minimum(a)
    for i, row in np.ndindex(5, 3):
        x, r = region.x[row].numpy(), region.radius[row].numpy()
        c = np.concatenate([a[i, row], -a[i, row]])
        ends = (region.x - region.low)[row], (region.high - region.x)[row]
        limits = [(0, float(e)) for e in (*ends[1], *ends[0])]
        rows = {} if norm == "linf" else {"A_ub": [np.tile(1 / r, 2)], "b_ub": [1]}
        exact = linprog(c, bounds=limits, **rows).fun + float(a[i, row].numpy() @ x)
        assert float(least[i, row]) <= exact + 1e-9
        assert norm == "l1" or float(least[i, row]) == pytest.approx(exact)


@pytest.mark.parametrize("norm", ["l1", "l2"])
def test_a_ball_without_a_box_is_exact(norm):
    region = region_of(norm)
    region = Region(region.x, region.x - 9, region.x + 9, region.norm, region.radius)
    a = torch.randn(5, 3, 4, dtype=torch.float64)
    order = {"l1": torch.inf, "l2": 2}[norm]
    gain = torch.linalg.vector_norm(a * region.radius, order, dim=2)
    assert torch.allclose(region.minimum(a), (a * region.x).sum(2) - gain)


def test_part():
    region = region_of("l2")
    rows = torch.tensor([2, 0])
    part = region.part(rows)
    a = torch.randn(5, 3, 4, dtype=torch.float64)
    assert torch.equal(part.minimum(a[:, rows]), region.minimum(a)[:, rows])
