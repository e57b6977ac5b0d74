"""The norm l0 against brute force over features and corners."""

import itertools

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from sklearn_robust._norms import Box, get_norm, keep_largest
from sklearn_robust._random import RowNoise
from sklearn_robust.attacks import BIM, FGSM, MIFGSM, PGD, ThreatModel, WorstCase
from sklearn_robust.metrics import robust_score, taylor_radius
from tests._norms.cases import N_FEATURES, rows
from tests.attacks.models import curved, linear, predicted, samples

BOX = (np.array(0.0), np.array(1.0))


def ball(n, n_features=N_FEATURES, fixed=()):
    eps = torch.full((n_features,), float(n), dtype=torch.float64)
    eps[list(fixed)] = 0
    return get_norm("l0")(eps)


@pytest.mark.parametrize("n", [1, 3, N_FEATURES])
def test_samples_and_projections_change_at_most_so_many_features(n):
    x, moved = rows(200), rows(200, seed=1)
    for d in (ball(n).sample(RowNoise(0, x), x, 0), ball(n).project(moved)):
        assert ((d != 0).sum(1) == n).all()
        assert ball(n).size(d).max() == 1
    held = ball(2, fixed=[0, 3]).sample(RowNoise(0, x), x, 0)
    assert (held[:, [0, 3]] == 0).all() and ((held != 0).sum(1) == 2).all()


def test_the_projection_in_a_box_is_the_nearest_of_all_choices_of_features():
    x = torch.as_tensor(np.random.default_rng(0).uniform(0, 1, (20, N_FEATURES)))
    d = rows(20, seed=1)
    box = Box(BOX, x)
    ours = (ball(2).confine(d, x, box) - x - d).square().sum(1)
    best = torch.full_like(ours, torch.inf)
    for pair in itertools.combinations(range(N_FEATURES), 2):
        kept = torch.zeros(N_FEATURES, dtype=torch.bool)
        kept[list(pair)] = True
        inside = box.clamp(x + torch.where(kept, d, 0)) - x
        best = (inside - d).square().sum(1).minimum(best)
    torch.testing.assert_close(ours, best)


def test_the_smallest_step_needs_as_few_features_as_brute_force():
    grad, slack = rows(30), rows(30, seed=1).abs()
    gain = 0.6 * (grad.abs() * slack).sum(1)
    d = ball(1).smallest_step(grad, gain, slack)
    assert ((d * grad).sum(1) >= gain - 1e-9).all() and (d.abs() <= slack).all()
    for row in range(30):
        n_ours = int((d[row] != 0).sum())
        fewer = itertools.combinations(range(N_FEATURES), n_ours - 1)
        worth = (grad * grad.sign() * slack)[row]
        assert all(worth[list(chosen)].sum() < gain[row] for chosen in fewer)


def test_one_step_is_the_best_for_a_linear_model():
    """FGSM finds every sample that some choice of two features and corners fools."""
    model, x = linear(scale=0.2), samples(60)
    y = predicted(model, x)
    possible = torch.ones(len(x), dtype=torch.bool)
    for i, j in itertools.combinations(range(x.shape[1]), 2):
        for corner in itertools.product((0.0, 1.0), repeat=2):
            point = x.clone()
            point[:, [i, j]] = torch.tensor(corner).double()
            possible &= predicted(model, point) == y
    params = {"eps": 2, "norm": "l0", "bounds": (0, 1), "random_state": 0}
    for attack in (FGSM(loss="margin"), PGD(max_iter=40, loss="margin"), BIM(), MIFGSM()):
        robust = attack.set_params(**params).robust_mask(model, x, y)
        assert (robust | ~possible).all(), attack
        assert (robust == possible).double().mean() > 0.85, attack


@pytest.mark.parametrize("attack", [FGSM, PGD, BIM, MIFGSM, WorstCase])
def test_attacks_keep_the_budget_the_box_the_mask_and_the_grid(attack):
    X = np.round(samples(20).numpy() * 5).astype(np.float32)
    X[:, 3:] += np.float32(0.25)
    model = curved(width=24)
    y = predicted(model, torch.as_tensor(X).double()).numpy()
    mask, integer = np.array([1, 1, 0, 1, 1, 1], bool), np.array([1, 1, 1, 0, 0, 0], bool)
    attack = attack(
        eps=2, norm=0, bounds=(0, 6), mask=mask, integer=integer, random_state=0, batch_size=7
    )
    X_adv = attack.generate(model, X, y)
    assert ((X_adv != X).sum(1) <= 2).all() and (X_adv != X).any()
    assert X_adv.min() >= 0 and X_adv.max() <= 6
    assert np.array_equal(X_adv[:, ~mask], X[:, ~mask])
    assert np.array_equal(X_adv[:, integer], X_adv[:, integer].round())
    assert np.array_equal(attack.set_params(batch_size=20).generate(model, X, y), X_adv)
    result = attack.evaluate(model, X, y)
    assert np.array_equal(result.distance[result.fooled], (result.X_adv != X).sum(1)[result.fooled])


def test_the_largest_values_are_kept_row_by_row():
    values = torch.tensor([[3.0, 1.0, 2.0], [0.0, 5.0, 4.0], [1.0, 2.0, 3.0]])
    kept = keep_largest(values, torch.tensor([2, 3, 0]))
    assert kept.tolist() == [[True, False, True], [False, True, True], [False] * 3]


X = samples(12).float().numpy()
Y = np.arange(12) % 3
MODEL = LogisticRegression().fit(X, Y)
REFUSED = {
    "fraction": (lambda: PGD(eps=0.5, norm="l0"), "counts features: give one whole number"),
    "uneven": (lambda: PGD(eps=[1, 2, 1, 1, 1, 1], norm="l0"), "leave features out by mask"),
    "too many": (lambda: PGD(eps=7, norm="l0"), "a sample has 6 features: give a number up to 6"),
    "no box": (lambda: PGD(eps=2, norm="l0", bounds=None), "X has no box: give bounds="),
    "open box": (lambda: PGD(eps=2, norm="l0", bounds=(0, np.inf)), "the box has an open side"),
    "nothing": (lambda: PGD(norm="l0"), "eps must be given for norm='l0'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_budget_that_is_no_number_of_features_gets_a_sentence(case):
    make, match = REFUSED[case]
    with pytest.raises(ValueError, match=match):
        robust_score(MODEL, X, Y, attack=make())


def test_measures_that_need_a_dual_say_so():
    with pytest.raises(ValueError, match="norm is 'l0', which has no dual norm"):
        taylor_radius(MODEL, X, Y, norm="l0")
    with pytest.raises(ValueError, match="as far as the box allows, and there is no box here"):
        get_norm("l0").steepest_direction(rows())
    assert ThreatModel(2, norm="l0").distance(X + [1, 0, 0, 0, 0, 0], X).max() == 1
    assert ThreatModel(2, norm="l0", bounds=(0, 1)).covering_radius(X) == 6
