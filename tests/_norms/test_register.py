"""A norm of the user with the attacks."""

import itertools

import pytest
import torch

from sklearn_robust._norms import check_norm, column
from sklearn_robust._random import RowNoise
from sklearn_robust.attacks import (
    APGD,
    BIM,
    FAB,
    FGSM,
    MIFGSM,
    PGD,
    CarliniWagner,
    DeepFool,
    Norm,
    Square,
    ThreatModel,
    register_norm,
)
from tests._norms.cases import EPS, Count, rows
from tests.attacks.models import linear, predicted, samples


def test_a_norm_of_the_user_works_with_every_gradient_attack():
    assert register_norm(Count) is Count
    x = samples(30)
    model = linear()
    y = predicted(model, x)
    for attack in (PGD(max_iter=30), BIM(max_iter=30), MIFGSM(), FGSM()):
        attack.set_params(eps=2, norm="changes", bounds=(0, 1), random_state=0)
        x_adv = attack.perturb(model, x, y)
        assert ((x_adv != x).sum(1) <= 2).all()
        assert x_adv.min() >= 0 and x_adv.max() <= 1
    # Brute force: the two features and corners that hurt most.
    pgd = PGD(eps=2, norm="count", bounds=(0, 1), max_iter=200, n_restarts=3, random_state=0)
    robust = pgd.robust_mask(model, x, y)
    possible = torch.ones_like(robust)
    for i, j in itertools.combinations(range(x.shape[1]), 2):
        for corner in itertools.product((0.0, 1.0), repeat=2):
            point = x.clone()
            point[:, [i, j]] = torch.tensor(corner).double()
            possible &= predicted(model, point) == y
    assert (robust | ~possible).all()
    assert (robust == possible).double().mean() > 0.8
    assert (
        ThreatModel(2, norm="count").distance(x.numpy() + [1, 0, 0, 0, 0, 0], x.numpy()).max() == 1
    )
    assert ThreatModel(2, norm="count", bounds=(0, 1)).covering_radius(x.float().numpy()) == 6


def test_what_a_norm_cannot_do_is_told():
    register_norm(Count)
    x, y = samples(2), torch.zeros(2, dtype=torch.int64)
    for attack in (FAB, DeepFool, CarliniWagner, Square, APGD):
        with pytest.raises(ValueError, match=f"norm is 'count', which {attack.__name__} does not"):
            attack(eps=2, norm="count").perturb(linear(), x, y)
    with pytest.raises(ValueError, match="norm is 'count', which has no dual norm"):
        Count.dual_length(x)
    with pytest.raises(ValueError, match="choose 'linf', 'l2', 'l1', 'l0' or 'count'"):
        check_norm("l3")


def test_defaults_suit_a_norm_of_another_order():
    """l3 in a few lines: its dual is l1.5, and its steps and samples come from the base."""

    @register_norm
    class L3(Norm):
        name, order, dual = "l3", 3, "l1.5"

        def project(self, d, slack=None):
            return d / column(self.size(d), d).clamp_min(1)

    @register_norm
    class L15(L3):
        name, order, dual = "l1.5", 1.5, "l3"

    ball, x = L3(EPS["partly fixed"]), rows(400)
    drawn = ball.sample(RowNoise(0, x), x, 0)
    assert ball.size(drawn).max() <= 1 + 1e-9 and (drawn[:, [1, 3]] == 0).all()
    step = ball.steepest_step(x, 0.5)
    torch.testing.assert_close(ball.size(step), torch.full((400,), 0.5).double())
    torch.testing.assert_close(L3.dual_length(x), torch.linalg.vector_norm(x, 1.5, dim=1))
    model, x = linear(), samples(20)
    x_adv = PGD(eps=0.3, norm="l3", bounds=None).perturb(model, x, predicted(model, x))
    assert torch.linalg.vector_norm(x_adv - x, 3, dim=1).max() <= 0.3 + 1e-9
