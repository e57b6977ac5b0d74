"""The attack of Carlini and Wagner: its search, and its place among others."""

import pytest
import torch

from sklearn_robust.attacks import CarliniWagner
from tests.attacks.models import curved, distances, linear, predicted, samples


class TestCarliniWagner:
    def test_the_l1_norm_is_refused(self):
        with pytest.raises(ValueError, match="norm is 'l1', which CarliniWagner does not support"):
            CarliniWagner(norm="l1").perturb(linear(), samples(), torch.zeros(12).long())

    @pytest.mark.parametrize("norm", ["l2", "linf"])
    def test_more_searches_come_nearer(self, norm):
        model, x = curved(4, width=60), samples(40, low=-2, high=2)
        y = predicted(model, x)
        few, many = (
            distances(CarliniWagner(norm=norm, max_iter=20, n_searches=n), model, x, y)
            for n in (1, 6)
        )
        assert (many <= few * (1 + 1e-9)).all() and (many < few).any()

    def test_the_step_is_in_the_units_of_x(self):
        model, x = curved(), samples()
        y = predicted(model, x)
        steps = [
            CarliniWagner(step_size=s, max_iter=5, n_searches=1).perturb(model, x, y)
            for s in (1e-4, 0.1)
        ]
        assert not torch.allclose(*steps)
