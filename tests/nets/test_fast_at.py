"""Fast adversarial training against closed forms, and what one-step nets refuse."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from sklearn_robust import FastATNet, FreeATNet, NaturalNet
from sklearn_robust._random import RowNoise
from sklearn_robust.attacks import PGD
from tests.cases import Linear, Normalised, blobs, in_training, quick, same_weights

X, Y = blobs()
x64, y64 = torch.tensor(X, dtype=torch.float64), torch.tensor(Y)
EPS = 0.1
BALL = {"attack__eps": EPS, "attack__random_state": 0}


def uphill(module):
    """Sign of the loss's gradient of a linear model of two classes, wherever it is taken."""
    weight = module.weight.detach().to(x64)
    return torch.stack([weight[1 - label] - weight[label] for label in y64]).sign()


@pytest.mark.parametrize("alpha", [None, 0.5])
def test_rs_takes_one_step_from_noise_and_returns_to_the_ball(alpha):
    net = in_training(FastATNet, Linear(), x64, y64, alpha=alpha, attack__bounds=None, **BALL)
    noise = EPS * (2 * RowNoise(0, x64).uniform(x64, 0) - 1)
    moved = (noise + (alpha or 1.25) * EPS * uphill(net.module_)).clamp(-EPS, EPS)
    torch.testing.assert_close(net.perturb(x64, y64) - x64, moved)
    loss, z = net.batch_loss(x64, y64)
    torch.testing.assert_close(z, net.module_(x64 + moved))
    torch.testing.assert_close(loss, cross_entropy(z, y64))


def test_rs_is_pgd_of_one_step():
    net = in_training(FastATNet, Normalised(), x64, y64, **BALL)
    attack = PGD(eps=EPS, max_iter=1, step_size=1.25 * EPS, random_state=0)
    wanted = attack.perturb(net.module_, x64, y64)
    torch.testing.assert_close(net.perturb(x64, y64), wanted, rtol=0, atol=0)


@pytest.mark.parametrize(("alpha", "noise"), [(None, 2.0), (1.5, 3.0), (1.0, 0.0)])
def test_n_steps_from_more_noise_and_does_not_return(alpha, noise):
    params = {"variant": "n", "alpha": alpha, "noise": noise, "attack__bounds": None}
    net = in_training(FastATNet, Linear(), x64, y64, **params, **BALL)
    start = noise * EPS * (2 * RowNoise(0, x64).uniform(x64, 0) - 1)
    moved = start + (alpha or 1.0) * EPS * uphill(net.module_)
    torch.testing.assert_close(net.perturb(x64, y64) - x64, moved)
    assert (moved.abs().max() > 1.5 * EPS) == (noise > 0)


@pytest.mark.parametrize("variant", ["rs", "n"])
def test_both_stay_in_the_box_and_leave_what_may_not_move(variant):
    mask = np.array([True, False, True, True])
    params = {"attack__bounds": (0, 1), "attack__mask": mask, "attack__eps": 0.7}
    net = quick(FastATNet, variant=variant, **params).fit(X, Y)
    crafted = net.perturb(torch.tensor(X), torch.tensor(Y)).numpy()
    assert crafted.min() == 0 and crafted.max() == 1
    assert (crafted[:, 1] == X[:, 1]).all()


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_rs_stays_in_the_ball_of_any_norm(norm):
    net = quick(FastATNet, attack__eps=0.3, attack__norm=norm).fit(X, Y)
    moved = net.perturb(torch.tensor(X), torch.tensor(Y)).numpy() - X
    size = np.linalg.norm(moved, {"linf": np.inf, "l2": 2, "l1": 1}[norm], axis=1)
    assert 0.1 < size.max() <= 0.3 + 1e-6


def test_variants_differ_and_radius_zero_with_no_warm_up_is_natural():
    natural = quick(NaturalNet, module=Normalised).fit(X, Y)
    rs, n = (quick(FastATNet, module=Normalised, variant=v).fit(X, Y) for v in ("rs", "n"))
    assert not same_weights(rs, n) and not same_weights(rs, natural)
    still = quick(FastATNet, module=Normalised, attack__eps=0).fit(X, Y)
    assert same_weights(still, natural)


def test_n_cannot_keep_integers():
    params = {"attack__integer": [0], "attack__bounds": None}
    whole = np.round(10 * X).astype(np.float32)
    with pytest.raises(ValueError, match="variant='n' leaves the grid of integer features"):
        quick(FastATNet, variant="n", **params).fit(whole, Y)
    net = quick(FastATNet, attack__eps=2, **params).fit(whole, Y)
    crafted = net.perturb(torch.tensor(whole), torch.tensor(Y))
    assert torch.equal(crafted[:, 0], crafted[:, 0].round())


FAULTS = [
    (FastATNet, {"variant": "free"}, r"variant is 'free'; choose one of \['n', 'rs'\]"),
    (FastATNet, {"alpha": 0}, "alpha is 0; give a number above 0"),
    (FastATNet, {"noise": -1}, "noise is -1; give a number of at least 0"),
    (FreeATNet, {"m": 0}, "m is 0; give an integer of at least 1"),
    (FreeATNet, {"m": 2.0}, "m is 2.0"),
    (FreeATNet, {"attack__loss": "margin"}, "gradient of its criterion and cannot use the loss"),
    (FreeATNet, {"attack__integer": [0]}, "or the integer features of attack=FGSM"),
]


@pytest.mark.parametrize(("net", "params", "match"), FAULTS, ids=[str(f[1]) for f in FAULTS])
def test_parameters_that_make_no_sense_are_refused(net, params, match):
    with pytest.raises(ValueError, match=match):
        quick(net, **params).fit(X, Y)
