"""APGD: its losses, its restarts, and that it beats fixed steps."""

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_robust import _functional as F
from sklearn_robust.attacks import APGD, PGD
from sklearn_robust.attacks._apgd_schedule import SparseSchedule
from tests.attacks.models import NORMS, curved, lengths, linear, predicted, samples

EPS = {"linf": 0.15, "l2": 0.4, "l1": 0.8}


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("loss", ["cross_entropy", "margin", "dlr"])
def test_it_ends_no_lower_than_fixed_steps(norm, loss):
    """The mean loss over the samples, at the same number of steps."""
    model, x = curved(5, (16,), width=40), samples(60, (16,))
    y = predicted(model, x)
    params = {"eps": EPS[norm], "norm": norm, "loss": loss, "max_iter": 30, "random_state": 0}
    losses = [
        getattr(F, "margin_loss" if loss == "margin" else loss)(
            model(attack(**params).perturb(model, x, y)), y
        ).mean()
        for attack in (APGD, PGD)
    ]
    assert losses[0] >= losses[1] - 0.01 * losses[1].abs()


@pytest.mark.parametrize("norm", NORMS)
def test_it_reaches_the_worst_point_of_a_linear_model(norm):
    model, x = linear(2), samples(30)
    y = predicted(model, x)
    attack = APGD(eps=EPS[norm], norm=norm, bounds=None, random_state=0)
    fall = F.margin(model(x), y) - F.margin(model(attack.perturb(model, x, y)), y)
    dual = {"linf": 1, "l2": 2, "l1": np.inf}[norm]
    best = EPS[norm] * float(torch.linalg.vector_norm(model.weight[0] - model.weight[1], dual))
    assert fall.max() <= best * (1 + 1e-9)
    assert fall.min() >= {"linf": 1 - 1e-5, "l2": 0.99, "l1": 0.97}[norm] * best


def test_more_steps_never_lower_the_best_loss_by_much():
    model, x = curved(5, width=40), samples(60)
    y = predicted(model, x)
    losses = [
        F.cross_entropy(
            model(APGD(eps=0.15, max_iter=n, random_state=0).perturb(model, x, y)), y
        ).mean()
        for n in (1, 5, 40)
    ]
    assert losses[0] < losses[1] < losses[2] * 1.0001


def test_the_best_point_is_returned_not_the_last():
    """On the way back the loss falls: the observer saw no loss above the one returned."""
    model, x = curved(3, width=40), samples(20)
    y, seen = predicted(model, x), []
    attack = APGD(eps=0.5, max_iter=12, random_state=0)
    x_adv = attack.perturb(
        model, x, y, observe=lambda step, rows, z, x_adv: seen.append(F.cross_entropy(z, y[rows]))
    )
    assert len(seen) == 13
    ours = F.cross_entropy(model(x_adv), y)
    torch.testing.assert_close(ours, torch.stack(seen).amax(0), rtol=1e-6, atol=1e-9)


def test_it_aims_at_as_many_classes_as_it_is_told():
    """Boundaries that the likeliest rival hides are found when others are aimed at too."""
    model, x = linear(6, (4,), seed=5), samples(300, (4,))
    y = predicted(model, x)
    count = {
        n: int(
            (
                ~APGD(
                    eps=0.12, loss="targeted_dlr", n_target_classes=n, random_state=0, max_iter=20
                ).robust_mask(model, x, y)
            ).sum()
        )
        for n in (1, 5, 50)
    }
    assert count[1] < count[5] == count[50]


def test_restarts_never_lower_the_best_loss():
    model, x = curved(4, width=60, seed=4), samples(60)
    y = predicted(model, x)
    one, many = (
        APGD(eps=0.25, norm="l2", max_iter=2, n_restarts=n, loss="margin", random_state=0)
        for n in (1, 6)
    )
    gain = F.margin(model(one.perturb(model, x, y)), y)
    gain = gain - F.margin(model(many.perturb(model, x, y)), y)
    assert gain.min() >= 0 and gain.max() > 0


def test_the_l1_steps_are_sparse():
    model, x = curved(3, (30,), width=40), samples(20, (30,))
    y = predicted(model, x)
    params = {"eps": 1.0, "norm": "l1", "max_iter": 60, "random_state": 0, "bounds": (0, 1)}
    x_adv = APGD(**params).perturb(model, x, y)
    assert lengths(x_adv, x, "l1").max() <= 1
    changed = ((x_adv - x).abs() > 1e-9).sum(1).double()
    assert changed.median() < 10
    assert SparseSchedule(100).every == 4


class Noisy(nn.Module):
    """A linear model behind noise that hides most of its gradient."""

    def __init__(self, scale):
        super().__init__()
        self.inner, self.scale = linear(2, (8,)), scale

    def forward(self, x):
        slopes = torch.randn(len(x), 8, dtype=x.dtype) * self.scale
        return self.inner(x) + (slopes * x).sum(1, keepdim=True) * torch.tensor([1.0, -1.0])


def test_averaging_over_draws_finds_the_way_through_noise():
    model, x = Noisy(3.0), samples(60, (8,))
    y = predicted(model.inner, x)
    fall = {}
    for n_eot in (1, 30):
        torch.manual_seed(0)
        attack = APGD(eps=0.1, max_iter=10, n_eot=n_eot, loss="margin", random_state=0, bounds=None)
        x_adv = attack.perturb(model, x, y)
        fall[n_eot] = (F.margin(model.inner(x), y) - F.margin(model.inner(x_adv), y)).mean()
    assert fall[30] > 1.3 * fall[1]


def test_draws_of_a_random_model_follow_the_seed_of_the_attack():
    X, y = samples(20, (8,)).float().numpy(), np.arange(20) % 2
    attack = APGD(eps=0.1, max_iter=3, n_eot=4, random_state=7)
    first = attack.generate(Noisy(1.0), X, y)
    torch.rand(5)
    assert np.array_equal(attack.generate(Noisy(1.0), X, y), first)


def test_without_a_number_all_other_classes_are_targets():
    model, x = linear(shape=(4,)), samples(shape=(4,))
    y = predicted(model, x)
    found = [
        APGD(eps=0.2, loss="targeted_dlr", max_iter=5, n_target_classes=n, random_state=0).perturb(
            model, x, y
        )
        for n in (None, 99)
    ]
    assert torch.equal(*found)


@pytest.mark.parametrize("n_features", [2, 5, 12])
def test_the_worst_point_of_a_linear_model_in_l1_moves_one_feature(n_features):
    rng = np.random.default_rng(n_features)
    model = linear(2, (n_features,), seed=n_features)
    x = torch.tensor(rng.standard_normal((20, n_features)))
    y = predicted(model, x)
    gain = (model.weight[1] - model.weight[0]).abs().max()
    attack = APGD(eps=0.5, norm="l1", bounds=None, random_state=0)
    z, z_adv = model(x), model(attack.perturb(model, x, y))
    lost = F.margin(z, y) - F.margin(z_adv, y)
    torch.testing.assert_close(lost, torch.full_like(lost, 0.5 * gain.item()), rtol=0.02, atol=0)
