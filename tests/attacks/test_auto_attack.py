"""AutoAttack: no sample withstands it that a member fools, from two classes up."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from sklearn_robust.attacks import APGD, FAB, PGD, AutoAttack, Square
from tests.attacks.models import (
    NORMS,
    boundary_distance,
    curved,
    lengths,
    linear,
    predicted,
    samples,
)
from tests.attacks.test_apgd import Noisy

EPS = {"linf": 0.1, "l2": 0.3, "l1": 0.6}


def short():
    return [
        APGD(max_iter=10),
        APGD(loss="targeted_dlr", max_iter=10),
        FAB(max_iter=8, n_target_classes=9),
        Square(max_iter=50),
    ]


def test_the_members_of_the_standard_version_have_the_budgets_of_the_paper():
    members = AutoAttack(eps=0.1, norm="l2").members()
    assert [type(member) for member in members] == [APGD, APGD, FAB, Square]
    assert [member.loss for member in members[:2]] == ["cross_entropy", "targeted_dlr"]
    assert [member.max_iter for member in members] == [100, 100, 100, 5000]
    assert members[1].n_target_classes == members[2].n_target_classes == 9
    assert all(member.eps == 0.1 and member.norm == "l2" for member in members)
    random = AutoAttack(version="rand", n_eot=7).members()
    assert [(member.loss, member.n_eot) for member in random] == [("cross_entropy", 7), ("dlr", 7)]


def test_the_standard_version_restarts_more_and_aims_at_fewer_classes_in_l1():
    first, targeted, nearest, _ = AutoAttack(eps=5, norm=1).members()
    assert (first.n_restarts, targeted.n_target_classes, nearest.n_target_classes) == (5, 5, 5)
    first, targeted, nearest, _ = AutoAttack(eps=5, norm="l2").members()
    assert (first.n_restarts, targeted.n_target_classes, nearest.n_target_classes) == (1, 9, 9)


def test_the_default_radius_holds_for_every_member():
    assert [member.eps for member in AutoAttack().members()] == [8 / 255] * 4


@pytest.mark.parametrize("n_classes", [2, 3, 4, 5])
@pytest.mark.parametrize("norm", NORMS)
def test_it_is_exact_on_linear_models(norm, n_classes):
    model, x = linear(n_classes), samples(40)
    y = predicted(model, x)
    exact = torch.as_tensor(boundary_distance(model, x, y, norm))
    attack = AutoAttack(
        eps=EPS[norm], norm=norm, version="custom", attacks=short(), bounds=None, random_state=0
    )
    withstood = attack.robust_mask(model, x, y)
    clear = (exact - EPS[norm]).abs() > 0.01 * EPS[norm]
    assert torch.equal(withstood[clear], exact[clear] > EPS[norm])


@pytest.mark.parametrize("norm", NORMS)
def test_no_sample_withstands_that_a_member_fools(norm):
    model, x = curved(4, width=40), samples(60)
    y = predicted(model, x)
    params = {"eps": EPS[norm], "norm": norm, "random_state": 0}
    ours = AutoAttack(version="custom", attacks=short(), **params).robust_mask(model, x, y)
    assert 0 < ours.sum() < len(x)
    for member in short():
        theirs = member.set_params(**params).robust_mask(model, x, y)
        # Those that draw random numbers draw others in a cascade than alone.
        assert (ours & ~theirs).sum() <= (0 if isinstance(member, FAB) else 1), member


def test_the_standard_version_runs_to_its_end():
    model, x = curved(3, width=24), samples(10)
    y = predicted(model, x)
    X = x.float().numpy()
    result = AutoAttack(eps=0.02, random_state=0).evaluate(model, X, y.numpy())
    left = result.n_queries[~result.fooled]
    assert len(left) and left.min() > 100 + 2 * 100 + 2 * 100 + 100


def test_survivors_are_batched_anew_without_changing_a_verdict():
    X = samples(50).numpy()
    y = np.arange(50) % 3
    model = LogisticRegression(C=100.0, max_iter=1000).fit(X, y)
    X, y = X[model.predict(X) == y], y[model.predict(X) == y]
    params = {"eps": 0.02, "version": "custom", "attacks": short(), "random_state": 0}
    results = [AutoAttack(batch_size=n, **params).evaluate(model, X, y) for n in (7, 50)]
    assert 0 < results[0].fooled.mean() < 1
    for key in ("fooled", "n_queries"):
        assert np.array_equal(results[0][key], results[1][key])
    np.testing.assert_allclose(results[0].X_adv, results[1].X_adv, atol=1e-6)


def test_generate_returns_adversarial_points():
    model, x = linear(3), samples(40)
    y = predicted(model, x)
    attack = AutoAttack(eps=0.2, version="custom", attacks=short(), random_state=0)
    x_adv = attack.perturb(model, x, y)
    assert torch.equal(predicted(model, x_adv) == y, attack.robust_mask(model, x, y))
    assert lengths(x_adv, x, "linf").max() <= 0.2


def test_the_rand_version_sees_through_noise():
    model, x = Noisy(0.05), samples(60, (8,))
    y = predicted(model.inner, x)
    exact = torch.as_tensor(boundary_distance(model.inner, x, y, "linf"))
    eps = float(exact.median())
    attack = AutoAttack(eps=eps, version="rand", n_eot=10, bounds=None, random_state=0)
    result = attack.evaluate(model, x.float().numpy(), y.numpy())
    assert result.fooled[exact < 0.7 * eps].mean() > 0.9


@pytest.mark.parametrize("labels", [("no", "yes"), (3, 5, 9)], ids=str)
def test_it_attacks_classifiers_of_scikit_learn(labels):
    X = samples(40).numpy()
    y = np.array(labels)[np.arange(40) % len(labels)]
    model = LogisticRegression().fit(X, y)
    ours = AutoAttack(eps=0.05, version="custom", attacks=short(), random_state=0)
    weaker = PGD(eps=0.05, random_state=0)
    assert ours.evaluate(model, X, y).fooled.sum() >= weaker.evaluate(model, X, y).fooled.sum()


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"version": "plus"}, "version is 'plus'"),
        ({"version": "custom"}, "attacks go with version='custom'"),
        ({"attacks": [PGD()]}, "attacks go with version='custom'"),
        ({"norm": "l2"}, "eps must be given for norm='l2'"),
        ({"n_eot": 0}, "n_eot is 0"),
    ],
    ids=str,
)
def test_bad_parameters_get_a_sentence(params, match):
    with pytest.raises(ValueError, match=match):
        AutoAttack(**params).perturb(linear(), samples(), torch.zeros(12).long())
