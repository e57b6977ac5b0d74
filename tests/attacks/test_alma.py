"""ALMA: its multipliers and its steps."""

import pytest
import torch

from sklearn_robust.attacks import ALMA
from sklearn_robust.attacks._alma import Multipliers
from tests.attacks.models import curved, distances, linear, predicted, samples


def test_other_norms_are_refused():
    with pytest.raises(ValueError, match="norm is 'linf', which ALMA does not support: choose one"):
        ALMA(norm="linf").perturb(linear(), samples(), torch.zeros(12).long())


@pytest.mark.parametrize("norm", ["l2", "l1"])
def test_more_steps_end_nearer(norm):
    model, x = curved(4, width=40, steep=3.0), samples(40)
    y = predicted(model, x)
    few, many = (distances(ALMA(norm=norm, max_iter=n), model, x, y) for n in (2, 150))
    assert many.median() < few.median() and (many <= 1.02 * few).double().mean() > 0.85


def test_multipliers_rise_where_the_sample_is_not_fooled_and_fall_where_it_is():
    state = Multipliers(torch.tensor([2.0, 2.0]))
    for step in range(30):
        weight = state.follow(torch.tensor([-2.0, 2.0]), torch.tensor([False, True]), step)
    assert state.mu[0] > 1 > state.mu[1]
    assert state.rho[0] > 1 == state.rho[1]
    # The weight is the slope of the penalty, in units of the margin.
    y = torch.tensor([1.0, -1.0], requires_grad=True)
    mu, rho = state.mu, state.rho
    beyond = mu * y + mu * rho * y**2 + rho**2 * y**3 / 6
    slope = torch.autograd.grad(torch.where(y >= 0, beyond, mu * y / (1 - rho * y)).sum(), y)[0]
    torch.testing.assert_close(weight, slope / 2)
