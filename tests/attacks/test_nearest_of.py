"""MinimumNorm: the nearest of several attacks, and which they are."""

import pytest
import torch

from sklearn_robust.attacks import ALMA, DDN, FAB, FMN, PGD, MinimumNorm, SigmaZero, WorstCase
from sklearn_robust.metrics import boundary_distance, robustness_curve
from tests.attacks.models import coded, curved, distances, linear, predicted, samples


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_no_member_alone_comes_nearer(norm):
    model, x = curved(4, width=24, steep=2.0), samples(30)
    y = predicted(model, x)
    members = [FMN(max_iter=15), FAB(max_iter=10)]
    ours = distances(MinimumNorm(norm=norm, attacks=members), model, x, y)
    for member in members:
        alone = distances(member.set_params(norm=norm), model, x, y)
        assert (ours <= 1.005 * alone).all()


def test_the_members_suit_the_norm_and_share_its_settings():
    kinds = {"linf": [FMN, FAB], "l2": [DDN, ALMA], "l1": [FMN, ALMA], "l0": [SigmaZero, FMN]}
    for norm, wanted in kinds.items():
        members = MinimumNorm(norm=norm, eps=2, targeted=True).members()
        assert [type(member) for member in members] == wanted
        assert all((m.norm, m.eps, m.targeted) == (norm, 2, True) for m in members)


def test_a_radius_ends_the_search_at_the_first_success():
    model, x = linear(3), samples(30)
    y = predicted(model, x)
    X = x.float().numpy()
    whole = MinimumNorm(norm="l2").evaluate(model, X, y.numpy())
    eps = float(sorted(whole.distance)[15])
    within = MinimumNorm(norm="l2", eps=eps).evaluate(model, X, y.numpy())
    assert (within.fooled == (whole.distance <= eps)).mean() > 0.95
    assert within.n_queries.sum() < whole.n_queries.sum() / 2
    assert (coded(model, within.X_adv) != y.numpy())[within.fooled].all()


def test_curves_and_boundary_distances_take_it():
    model, x = linear(3), samples(20)
    y = predicted(model, x).numpy()
    X, attack = x.float().numpy(), MinimumNorm(norm="l2", bounds=None)
    distance = attack.evaluate(model, X, y).distance
    curve = robustness_curve(model, X, y, eps=[0.05, 0.1], attack=attack)
    assert curve.tolist() == [(distance > 0.05).mean(), (distance > 0.1).mean()]
    column = boundary_distance(model, X, y, directions=attack, max_distance=10)[:, 0]
    assert column == pytest.approx(distance)


BAD = {
    "none": ([], "attacks is empty; give at least one attack"),
    "inside a ball": ([PGD()], "a distance to the boundary is wanted: give MinimumNorm"),
    "no list": (3, "attacks is 3"),
    "another norm": ([SigmaZero()], "norm is 'l2', which SigmaZero does not support"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_members_get_a_sentence(case):
    members, match = BAD[case]
    with pytest.raises((ValueError, TypeError), match=match):
        MinimumNorm(norm="l2", attacks=members).perturb(linear(), samples(), torch.zeros(12).long())


def test_in_a_cascade_it_needs_a_radius():
    with pytest.raises(ValueError, match="MinimumNorm in a cascade needs a radius"):
        WorstCase([MinimumNorm()]).perturb(linear(), samples(), torch.zeros(12).long())
