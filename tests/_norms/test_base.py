"""Facts about norms."""

import numpy as np
import pytest
import torch

from sklearn_robust._norms import get_norm
from sklearn_robust._random import RowNoise
from tests._norms.cases import rows
from tests.attacks.models import NORMS, ORDER


@pytest.mark.parametrize("norm", NORMS)
def test_facts_about_a_norm(norm):
    kind, v = get_norm(norm), rows(30)
    order = ORDER[norm]
    torch.testing.assert_close(kind.length(v), torch.linalg.vector_norm(v, order, dim=1))
    dual = {np.inf: 1, 2: 2, 1: np.inf}[order]
    torch.testing.assert_close(kind.dual_length(v), torch.linalg.vector_norm(v, dual, dim=1))
    assert kind.length_of_ones(7) == pytest.approx(np.linalg.norm(np.ones(7), order))
    # Hoelder's inequality, which the steepest direction meets.
    step = kind.steepest_direction(v)
    torch.testing.assert_close(kind.length(step), torch.ones(30).double())
    torch.testing.assert_close((step * v).sum(1), kind.dual_length(v))
    # The longest vector of the ball in l2 is a corner, or an axis.
    corner = torch.ones(1, 7) / kind.length(torch.ones(1, 7))
    axis = torch.eye(7)[:1]
    longest = max(float(u.square().sum()) for u in (corner, axis))
    assert kind.euclidean_square(7) == pytest.approx(longest)
    drawn = kind.random_direction(RowNoise(0, v), v, 0)
    torch.testing.assert_close(kind.length(drawn), torch.ones(30).double())
    X = v.numpy()
    assert np.array_equal(kind.distance(X, 0 * X), np.linalg.norm(X, order, axis=1))
