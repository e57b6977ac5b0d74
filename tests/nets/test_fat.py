"""Friendly adversarial training: who stops when, in float64 against one sample at a time."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from sklearn_robust import FATNet, GAIRATNet, MinMaxNet
from tests.cases import Normalised, blobs, in_training, named, quick, same_weights

X, Y = blobs(60)
x64, y64 = torch.tensor(X, dtype=torch.float64), torch.tensor(Y)
MLP = torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.Tanh(), torch.nn.Linear(16, 2))
EPS, STEPS = 0.2, 10
EXACT = {
    "attack__eps": EPS,
    "attack__max_iter": STEPS,
    "attack__random_start": False,
    "attack__bounds": None,
}


@pytest.fixture(scope="module")
def module():
    """A small net that is right on most samples, so that they stop at many steps."""
    return quick(MinMaxNet, module=MLP, max_epochs=15, lr=0.02, attack__eps=0.02).fit(X, Y).module_


def one_by_one(module, tau):
    """The attack a sample at a time; it ends at the iterate misclassified for the last time."""
    kappas, points, stopped = [], [], []
    for x, y in zip(x64, y64, strict=True):
        point, kappa, left, ended = x[None], 0, tau, False
        for _ in range(STEPS):
            point = point.detach().requires_grad_(True)
            z = module(point)
            if z.argmax() != y:
                ended = left == 0
                if ended:
                    break
                left -= 1
            else:
                kappa += 1
            (slope,) = torch.autograd.grad(cross_entropy(z, y[None]), point)
            point = (point + 2.5 * EPS / STEPS * slope.sign()).clamp(x - EPS, x + EPS)
        kappas.append(kappa)
        points.append(point.detach())
        stopped.append(ended)
    return torch.tensor(kappas), torch.cat(points), torch.tensor(stopped)


@pytest.mark.parametrize("tau", [0, 1, 3, STEPS])
def test_points_loss_and_kappa_are_those_of_a_slow_reference(module, tau):
    net = in_training(FATNet, module, x64, y64, tau=tau, **EXACT)
    kappa, points, stopped = one_by_one(net.module_, tau)
    assert len(kappa.unique()) > 2 and bool(stopped.any()) == (tau < STEPS)
    torch.testing.assert_close(net.perturb(x64, y64), points, rtol=0, atol=1e-12)
    loss, z = net.batch_loss(x64, y64)
    torch.testing.assert_close(loss, cross_entropy(net.module_(points), y64))
    torch.testing.assert_close(z, net.module_(points))  # row i is sample i still
    weighted = in_training(GAIRATNet, module, x64, y64, base="fat", tau=tau, burn_in=0, **EXACT)
    weighted.batch_loss(x64, y64)
    batch = weighted.history[-1]["batches"][-1]
    assert batch["kappa_counts"] == torch.bincount(kappa, minlength=STEPS + 1).tolist()


def test_every_sample_that_stopped_is_misclassified(module):
    """Also from random starts; those that held out may be right or, by the last step, wrong."""
    net = in_training(FATNet, module, x64, y64, attack__eps=EPS)
    gone, last = torch.zeros(len(y64), dtype=torch.bool), []

    def watch(step, rows, z, x_adv):
        last.append(rows)
        gone[rows] = z.argmax(1) != y64[rows]

    x_adv = net.perturb(x64, y64, observe=watch)
    assert 5 < gone.sum() < 55 and len(last[-1]) < len(last[0]) == len(y64)
    with torch.no_grad():
        assert (net.module_.eval()(x_adv).argmax(1) != y64)[gone].all()


def test_a_sample_that_stopped_is_not_looked_at_again(module):
    net = in_training(FATNet, module, x64, y64, tau=1, **EXACT)
    seen = torch.zeros(len(y64))

    def watch(step, rows, z, x_adv):
        seen[rows] += 1

    net.perturb(x64, y64, observe=watch)
    kappa, _, stopped = one_by_one(net.module_, 1)
    assert torch.equal(seen, torch.where(stopped, kappa + 2, STEPS).float())


def test_as_many_steps_as_the_attack_has_is_min_max_training():
    shared = {"module": Normalised, "attack__eps": 0.2}
    wanted = quick(MinMaxNet, **shared).fit(X, Y)
    assert same_weights(wanted, quick(FATNet, tau=10, **shared).fit(X, Y))
    assert same_weights(wanted, quick(FATNet, tau=lambda epoch: 10, **shared).fit(X, Y))
    assert not same_weights(wanted, quick(FATNet, **shared).fit(X, Y))


@pytest.mark.parametrize(
    "tau", [[(1, 0), (3, 10)], ((1, 0), (3, 10)), lambda epoch: 10 * (epoch > 2)], ids=named
)
def test_tau_may_change_from_epoch_to_epoch(tau):
    shared = {"module": Normalised, "attack__eps": 0.2, "max_epochs": 1}
    net, friendly = quick(FATNet, tau=tau, **shared), quick(FATNet, **shared)
    for fitted in (net, friendly):
        fitted.partial_fit(X, Y).partial_fit(X, Y)
    assert same_weights(net, friendly)
    assert same_weights(net.partial_fit(X, Y), friendly.set_params(tau=10).partial_fit(X, Y))


FAULTS = [
    (11, "tau is 11, but the attack takes 10 steps: give at most 10"),
    (-1, "tau is -1; give an integer of at least 0"),
    (0.5, "tau is 0.5"),
    ("auto", "tau is 'auto'"),
    ([(1, 0), (2, 11)], "tau from epoch 2 is 11, but the attack takes 10 steps"),
    ([(2, 0)], r"tau is \[\(2, 0\)\]; give a number, a callable of the epoch, or pairs"),
    ([(1, 0), (5, 2), (3, 1)], "that begin with epoch 1 and ascend"),
    ([], "that begin with epoch 1 and ascend"),
    ([0, 1], "that begin with epoch 1 and ascend"),
    (lambda epoch: 10 * epoch, "tau in epoch 2 is 20, but the attack takes 10 steps"),
]


@pytest.mark.parametrize(("tau", "match"), FAULTS, ids=[match for _, match in FAULTS])
def test_a_tau_that_makes_no_sense_is_refused(tau, match):
    for net in (quick(FATNet, tau=tau), quick(GAIRATNet, base="fat", tau=tau)):
        with pytest.raises(ValueError, match=match):
            net.fit(X, Y)


def test_training_stays_finite_where_all_stop_at_once():
    net = quick(FATNet, module=Normalised, attack__eps=5.0, attack__bounds=None, eps_warm_up=0)
    assert np.isfinite(net.fit(X, Y).predict_proba(X)).all()
