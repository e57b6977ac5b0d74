"""DDN: what its radius and its steps are for."""

import pytest
import torch

from sklearn_robust.attacks import DDN
from tests.attacks.models import curved, distances, linear, predicted, samples


def test_other_norms_are_refused():
    with pytest.raises(ValueError, match="norm is 'l1', which DDN does not support: choose one of"):
        DDN(norm="l1").perturb(linear(), samples(), torch.zeros(12).long())


def test_more_steps_end_nearer():
    model, x = curved(4, width=40, steep=3.0), samples(40)
    y = predicted(model, x)
    few, many = (distances(DDN(max_iter=n), model, x, y) for n in (2, 60))
    assert many.median() < few.median() and (many <= 1.02 * few).double().mean() > 0.9
