"""The box of samples: open sides, and points sealed inside after rounding."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_robust._norms import Box, get_norm
from tests._norms.cases import EPS, rows, size
from tests.attacks.models import NORMS


@pytest.mark.parametrize("bounds", [(0, np.inf), (-np.inf, np.inf)], ids=repr)
@pytest.mark.parametrize("norm", NORMS)
def test_a_box_may_be_open(norm, bounds):
    x = rows(10).abs()
    box = Box(tuple(np.array(float(side)) for side in bounds), x)
    ball, grad = get_norm(norm)(EPS["even"]), rows(10, 1)
    step = ball.ascent_step(x, grad, 1.0, box)
    assert torch.isfinite(step).all() and (step != 0).any(1).all()
    gain = torch.full((10,), 0.01).double()
    d = ball.smallest_step(grad, gain, box.slack(x, grad))
    torch.testing.assert_close((d * grad).sum(1), gain, rtol=1e-6, atol=1e-9)
    assert torch.isfinite(ball.confine(5 * d, x, box)).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("eps", EPS)
@pytest.mark.parametrize("norm", NORMS)
@settings(max_examples=20)
@given(seed=st.integers(0, 10**6), scale=st.sampled_from([0.5, 1.0, 1.0000001, 3.0]))
def test_sealed_points_are_inside_after_rounding(norm, eps, dtype, seed, scale):
    """Measured in float64, without any tolerance that a rounding could hide in."""
    x = rows(16, seed, 10.0).to(dtype)
    exact = get_norm(norm)(EPS[eps])
    d = exact.project(rows(16, seed + 1, 5.0)) * scale
    sealed = exact.project_exact((x.double() + d).to(dtype), x, Box(None, x))
    assert sealed.dtype == dtype
    assert size(sealed.double() - x.double(), EPS[eps], norm).max() <= 1 + 1e-14
    if norm == "linf":
        assert ((sealed.double() - x.double()).abs() <= EPS[eps]).all()
