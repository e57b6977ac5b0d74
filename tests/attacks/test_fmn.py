"""FMN: how its radius follows success, and the fewest features."""

import itertools

import numpy as np
import pytest
import torch

from sklearn_robust._norms import get_norm
from sklearn_robust.attacks import FMN
from sklearn_robust.attacks._fmn import _radius
from tests.attacks.models import curved, distances, linear, predicted, samples


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_more_steps_end_nearer(norm):
    model, x = curved(4, width=40, steep=3.0), samples(40)
    y = predicted(model, x)
    few, many = (distances(FMN(norm=norm, max_iter=n), model, x, y) for n in (2, 60))
    assert many.median() < few.median() and (many <= 1.02 * few).double().mean() > 0.85


def test_the_radius_shrinks_after_a_success_and_grows_otherwise():
    radius, best = torch.tensor([4.0, 4.0, 4.0]), torch.tensor([torch.inf, 5.0, 3.0])
    hit = torch.tensor([True, False, False])
    plain = _radius(get_norm("l2")(torch.ones(())), radius, best, hit, 0.1)
    assert plain.tolist() == pytest.approx([3.6, 4.4, 2.997])
    counts = _radius(get_norm("l0")(torch.ones(())), radius, best, hit, 0.1)
    assert counts.tolist() == [3, 5, 3]


def test_the_fewest_features_of_a_linear_model_are_found():
    """Brute force over the features that a linear model of two classes needs."""
    model, x = linear(2, (8,), scale=0.3), samples(40, (8,))
    y = predicted(model, x)
    slope = (model.weight[1] - model.weight[0]) * (1 - 2 * y)[:, None]
    gain = torch.where(slope > 0, slope * (1 - x), -slope * x)
    z = model(x).detach()
    gap = (z.gather(1, y[:, None]) - z.gather(1, 1 - y[:, None]))[:, 0]
    fewest = np.full(40, np.inf)
    for n in range(8, 0, -1):
        for chosen in itertools.combinations(range(8), n):
            fewest[(gain[:, list(chosen)].sum(1) > gap).numpy()] = n
    result = FMN(norm="l0", max_iter=20, bounds=(0, 1)).evaluate(
        model, x.float().numpy(), y.numpy()
    )
    assert np.array_equal(result.distance, fewest)
