"""PGD against the closed forms of linear models."""

import numpy as np
import pytest
import torch

from sklearn_robust import _functional as F
from sklearn_robust.attacks import PGD
from tests.attacks.models import DUAL, NORMS, curved, lengths, linear, predicted, samples

EPS = {"linf": 0.1, "l2": 0.3, "l1": 0.5}
# How much of the greatest change of the margin PGD must reach.
SHARE = {"linf": 1 - 1e-5, "l2": 0.98, "l1": 0.98}


def greatest_change(slope, x, eps, norm, bounds=None):
    """Largest gain of <slope, d> over the ball around x, and the box; l2 has no box here."""
    slope, x = slope.flatten(1).numpy(), x.flatten(1).numpy()
    if bounds is None:
        return eps * np.linalg.norm(slope, DUAL[norm], axis=1)
    room = np.where(slope > 0, bounds[1] - x, x - bounds[0])
    slope = np.abs(slope)
    if norm == "linf":
        return (slope * np.minimum(room, eps)).sum(1)
    order = np.argsort(-slope, axis=1)  # l1: the steepest features are filled one by one
    room, slope = np.take_along_axis(room, order, 1), np.take_along_axis(slope, order, 1)
    left = np.maximum(eps - (room.cumsum(1) - room), 0)
    return (slope * np.minimum(room, left)).sum(1)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("loss", ["cross_entropy", "margin", "scaled_cross_entropy"])
def test_pgd_reaches_the_worst_point_of_a_linear_model(norm, loss):
    """With two classes every loss has the same worst point: the margin falls by eps ||dw||."""
    model, x = linear(2), samples(30)
    y = predicted(model, x)
    slope = (model.weight[1 - y] - model.weight[y]).reshape(x.shape)
    best = greatest_change(slope, x, EPS[norm], norm)
    # The default path of 2.5 eps turns a random start on the far side of an l2 ball only so far.
    for share, search in (
        (SHARE[norm], {"random_start": False}),
        (SHARE[norm], {"max_iter": 50, "step_size": EPS[norm] / 10}),
        (SHARE[norm] - 0.02 * (norm == "l2"), {}),
    ):
        attack = PGD(eps=EPS[norm], norm=norm, loss=loss, bounds=None, random_state=0, **search)
        fall = F.margin(model(x), y) - F.margin(model(attack.perturb(model, x, y)), y)
        assert np.all(fall.detach().numpy() <= best * (1 + 1e-9))
        assert np.all(fall.detach().numpy() >= share * best)


@pytest.mark.parametrize("norm", ["linf", "l1"])
def test_pgd_fills_an_active_box(norm):
    model, x = linear(2, shape=(8,)), samples(30, shape=(8,))
    x = torch.where(x < 0.3, 0.0, torch.where(x > 0.7, 1.0, x))  # most features at their bounds
    y = predicted(model, x)
    eps = 4 * EPS[norm]
    attack = PGD(eps=eps, norm=norm, loss="margin", max_iter=100, random_state=0)
    x_adv = attack.perturb(model, x, y)
    fall = F.margin(model(x), y) - F.margin(model(x_adv), y)
    slope = (model.weight[1 - y] - model.weight[y]).reshape(x.shape)
    best = greatest_change(slope, x, eps, norm, bounds=(0, 1))
    assert np.all(fall.detach().numpy() >= SHARE[norm] * best)
    assert x_adv.min() >= 0 and x_adv.max() <= 1


def test_the_default_step_is_two_and_a_half_radii_over_the_number_of_steps():
    model, x = curved(), samples()
    y = predicted(model, x)
    told = PGD(eps=0.1, max_iter=5, step_size=2.5 * 0.1 / 5, random_state=0)
    ours = PGD(eps=0.1, max_iter=5, random_state=0)
    torch.testing.assert_close(ours.perturb(model, x, y), told.perturb(model, x, y))


@pytest.mark.parametrize("norm", NORMS)
def test_pgd_starts_anywhere_in_the_ball_unless_told_otherwise(norm):
    """One step of no length shows the starting points."""
    model, x = curved(), samples(200)
    y = predicted(model, x)
    params = {"eps": EPS[norm], "norm": norm, "max_iter": 1, "step_size": 1e-12, "bounds": None}
    start = PGD(**params, random_state=0).perturb(model, x, y)
    size = lengths(start, x, norm) / EPS[norm]
    assert 0.5 < size.mean() < 1 and size.max() <= 1 and size.min() < size.max()
    at_home = PGD(**params, random_start=False).perturb(model, x, y)
    torch.testing.assert_close(at_home, x, rtol=0, atol=1e-11)


@pytest.mark.parametrize("stop", [False, True], ids=["last", "first"])
def test_restarts_never_lower_the_best_loss(stop):
    model, x = curved(width=40), samples(40)
    y = predicted(model, x)
    one, many = (
        PGD(eps=0.4, max_iter=2, n_restarts=n, random_state=0, loss="margin") for n in (1, 6)
    )
    if stop:
        assert (many.robust_mask(model, x, y) <= one.robust_mask(model, x, y)).all()
        return
    gain = F.margin(model(one.perturb(model, x, y)), y) - F.margin(
        model(many.perturb(model, x, y)), y
    )
    assert gain.min() >= 0 and gain.max() > 0


@pytest.mark.parametrize("norm", NORMS)
def test_a_verdict_on_a_linear_model_of_several_classes_is_exact(norm):
    """Cross-entropy alone climbs a mixture of the classes, and leaves rows that can be fooled."""
    eps, missed, can_be_fooled = 3 * EPS[norm], 0, 0
    for seed in range(5):
        model, x = linear(3, seed=seed), samples(60)
        y = predicted(model, x)
        weight, z = model.weight, model(x).detach()
        gap = z.gather(1, y[:, None]) - z
        reach = eps * torch.linalg.vector_norm(weight[y][:, None] - weight, DUAL[norm], dim=2)
        exact = ((gap > reach) | (torch.arange(3) == y[:, None])).all(1)
        robust = PGD(eps=eps, norm=norm, bounds=None, random_state=0).robust_mask(model, x, y)
        assert not (exact & ~robust).any()
        missed += int((robust & ~exact).sum())
        can_be_fooled += int((~exact).sum())
    assert can_be_fooled > 60 and missed <= 0.02 * can_be_fooled


def test_a_radius_in_the_place_of_the_estimator_is_told():
    with pytest.raises(ValueError, match=r"estimator is 0.5, a number: .* PGD\(eps=0.5\)"):
        PGD(0.5).check_parameters()
