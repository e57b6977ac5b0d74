"""FAB: its box, its restarts and its targets."""

import numpy as np
import torch

from sklearn_robust.attacks import FAB
from tests.attacks.models import (
    boundary_distance,
    curved,
    distances,
    lengths,
    linear,
    predicted,
    samples,
)


class TestFAB:
    def test_restarts_come_nearer(self):
        model, x = curved(4, width=60, seed=2), samples(40, low=-2, high=2)
        y = predicted(model, x)
        one, many = (
            lengths(
                FAB(norm="l1", max_iter=2, n_restarts=n, random_state=0).perturb(model, x, y),
                x,
                "l1",
            )
            for n in (1, 5)
        )
        assert (many <= one).all() and many.mean() < 0.99 * one.mean()

    def test_toward_single_classes_it_finds_what_the_nearest_boundary_hides(self):
        model, x = linear(5), samples(40)
        y = predicted(model, x)
        exact = boundary_distance(model, x, y, "linf")
        all_classes = FAB(max_iter=10, n_target_classes=4, bounds=None).perturb(model, x, y)
        np.testing.assert_allclose(lengths(all_classes, x, "linf"), exact, rtol=0.01)
        likeliest = FAB(max_iter=10, n_target_classes=1, bounds=None).perturb(model, x, y)
        assert (lengths(likeliest, x, "linf") > 1.01 * torch.as_tensor(exact)).any()

    def test_more_steps_come_nearer(self):
        model, x = curved(4, width=60), samples(40, low=-2, high=2)
        y = predicted(model, x)
        few, many = (distances(FAB(max_iter=n), model, x, y) for n in (2, 30))
        assert (many <= few * (1 + 1e-3)).double().mean() > 0.9 and many.mean() < few.mean()
