"""GAIRAT: kappa against a slow reference, weights in float64, and its unweighted branches."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from sklearn_robust import GAIRATNet, MinMaxNet
from sklearn_robust import _functional as F
from tests.cases import Normalised, blobs, in_training, quick, same_weights

X, Y = blobs(60)
x64, y64 = torch.tensor(X, dtype=torch.float64), torch.tensor(Y)
MLP = torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.Tanh(), torch.nn.Linear(16, 2))


@pytest.fixture(scope="module")
def module():
    """A small net that is right on most samples, so that kappa takes many values."""
    return quick(MinMaxNet, module=MLP, max_epochs=15, lr=0.02, attack__eps=0.02).fit(X, Y).module_


def one_by_one(module, eps, max_iter):
    """The attack and its count, a sample at a time, as the paper's Algorithm 1 has them."""
    step = 2.5 * eps / max_iter
    kappas, points = [], []
    for x, y in zip(x64, y64, strict=True):
        point, kappa = x[None], 0
        for _ in range(max_iter):
            point = point.detach().requires_grad_(True)
            z = module(point)
            kappa += int(z.argmax() == y)
            (slope,) = torch.autograd.grad(cross_entropy(z, y[None]), point)
            point = (point + step * slope.sign()).clamp(x - eps, x + eps)
        kappas.append(kappa)
        points.append(point.detach())
    return torch.tensor(kappas, dtype=torch.float64), torch.cat(points)


@pytest.mark.parametrize("max_iter", [1, 3, 10])
@pytest.mark.parametrize("lam", [-1.0, 0.0, 2.0])
@pytest.mark.parametrize("eps", [0.15, 0.2])
def test_kappa_and_the_loss_are_those_of_a_slow_reference(module, max_iter, lam, eps):
    params = {
        "attack__eps": eps,
        "attack__max_iter": max_iter,
        "attack__random_start": False,
        "attack__bounds": None,
    }
    net = in_training(GAIRATNet, module, x64, y64, lam=lam, burn_in=0, **params)
    loss, z = net.batch_loss(x64, y64)
    kappa, points = one_by_one(net.module_, eps, max_iter)
    assert max_iter == 1 or len(kappa.unique()) > 2
    weights = (1 + torch.tanh(lam + 5 * (1 - 2 * kappa / max_iter))) / 2
    losses = cross_entropy(net.module_(points), y64, reduction="none")
    wanted = (weights * losses).sum() / weights.sum()
    torch.testing.assert_close(loss, wanted, rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(z, net.module_(points), rtol=0, atol=1e-6)
    batch = net.history[-1]["batches"][-1]
    assert batch["kappa_mean"] == pytest.approx(float(kappa.mean()))
    ess = float(F.effective_sample_size(weights / weights.sum()))
    assert batch["ess"] == pytest.approx(ess, rel=1e-6)


def test_weights_carry_no_gradient(module, monkeypatch):
    net = in_training(GAIRATNet, module, x64, y64, burn_in=0, attack__eps=0.2)
    formula, seen = F.gair_log_weights, []

    def keep(kappa, max_iter, lam):
        seen.append(formula(kappa, max_iter, lam))
        return seen[-1]

    monkeypatch.setattr(F, "gair_log_weights", keep)
    net.batch_loss(x64, y64)
    assert len(seen[0].unique()) > 2 and not seen[0].requires_grad


UNWEIGHTED = [
    {"lam": np.inf},
    {"lam": float("inf"), "burn_in": 0},
    {"burn_in": 1.0},
    {"burn_in": 2},
    {"burn_in": np.int64(2)},
]


@pytest.mark.parametrize("params", UNWEIGHTED, ids=str)
def test_unweighted_branches_train_bit_for_bit_as_min_max(params):
    shared = {"module": Normalised, "attack__eps": 0.2}
    wanted = quick(MinMaxNet, **shared).fit(X, Y)
    net = quick(GAIRATNet, **shared, **params).fit(X, Y)
    assert same_weights(net, wanted)
    assert net.history[:, "train_loss"] == wanted.history[:, "train_loss"]
    assert "ess" not in net.history[-1]["batches"][-1]


@pytest.mark.parametrize(
    ("burn_in", "weighted"),
    [(0, [True] * 4), (0.5, [False, False, True, True]), (1, [False, True, True, True])]
    + [(0.25, [False, True, True, True]), (3, [False, False, False, True]), (1.0, [False] * 4)],
)
def test_weights_begin_after_the_burn_in(burn_in, weighted):
    net = quick(GAIRATNet, max_epochs=4, burn_in=burn_in, attack__eps=0.1).fit(X, Y)
    found = ["ess" in epoch["batches"][0] for epoch in net.history]
    assert found == weighted


def test_burn_in_goes_on_over_calls_of_partial_fit():
    net = quick(GAIRATNet, max_epochs=1, burn_in=2, attack__eps=0.1)
    for _ in range(3):
        net.partial_fit(X, Y)
    assert ["ess" in epoch["batches"][0] for epoch in net.history] == [False, False, True]


def test_history_tells_kappa_and_the_effective_sample_size():
    net = quick(GAIRATNet, max_epochs=4, burn_in=0, attack__eps=0.1).fit(X, Y)
    for epoch in net.history:
        for batch in epoch["batches"]:
            assert 0 <= batch["kappa_mean"] <= 10
            assert 1 <= batch["ess"] <= batch["train_batch_size"] + 1e-3


@pytest.mark.parametrize("lam", [-40.0, 40.0])
def test_training_stays_finite_where_all_weights_are_tiny_or_one(lam):
    net = quick(GAIRATNet, lam=lam, burn_in=0, attack__eps=0.0).fit(X, Y)
    assert np.isfinite(net.predict_proba(X)).all()


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"lam": np.nan}, "lam is nan"),
        ({"lam": -np.inf}, "lam is -inf; give a number above -inf"),
        ({"lam": "auto"}, "lam is 'auto'"),
        ({"burn_in": -1}, "burn_in is -1"),
        ({"burn_in": 1.5}, "burn_in is 1.5"),
        ({"burn_in": "half"}, "burn_in is 'half'"),
        ({"burn_in": np.nan}, "burn_in is nan"),
    ],
    ids=str,
)
def test_parameters_that_make_no_sense_are_refused(params, match):
    with pytest.raises(ValueError, match=match):
        quick(GAIRATNet, **params).fit(X, Y)
