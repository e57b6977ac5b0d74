"""DeepFool against the exact distances of linear models."""

import numpy as np
import pytest
import torch

from sklearn_robust.attacks import DeepFool
from tests.attacks.models import NORMS, boundary_distance, lengths, linear, predicted, samples


@pytest.mark.parametrize("norm", NORMS)
def test_deepfool_is_there_in_one_step(norm):
    model, x = linear(4), samples(40)
    y = predicted(model, x)
    x_adv = DeepFool(norm=norm, max_iter=1, bounds=None).perturb(model, x, y)
    found, exact = lengths(x_adv, x, norm).numpy(), boundary_distance(model, x, y, norm)
    np.testing.assert_allclose(found, exact, rtol=1e-2)


class TestDeepFool:
    def test_candidates_limit_the_classes_that_are_looked_at(self):
        model, x = linear(5), samples(60)
        y = predicted(model, x)
        exact = torch.as_tensor(boundary_distance(model, x, y, "l2"))
        one, four = (
            lengths(DeepFool(n_candidates=n, bounds=None).perturb(model, x, y), x, "l2")
            for n in (1, 4)
        )
        torch.testing.assert_close(four, exact, rtol=0.01, atol=0)
        assert (one >= exact).all() and (one > 1.05 * exact).any()

    def test_it_looks_at_samples_only_until_they_are_fooled(self):
        """One forward for the clean samples, one for the step, four to refine what was found."""
        model, x = linear(3), samples(20)
        y = predicted(model, x)
        result = DeepFool(bounds=None).evaluate(model, x.float().numpy(), y.numpy())
        assert (result.n_queries == 6).all()
        quick = DeepFool(bounds=None, eps=100.0).evaluate(model, x.float().numpy(), y.numpy())
        assert (quick.n_queries == 2).all()
