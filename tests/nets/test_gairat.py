"""GAIRAT: kappa against a slow reference, weights in float64, and its unweighted branches."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from sklearn_robust import FATNet, GAIRATNet, MARTNet, MinMaxNet, TRADESNet
from sklearn_robust import _functional as F
from sklearn_robust.nets import AdversarialNet
from sklearn_robust.nets._reweighting import KappaObserver
from tests.cases import Normalised, blobs, in_training, named, quick, same_weights

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


# -- weight functions and bases, on a smooth net in float64 ---------------------------------------

EXACT = {"attack__eps": 0.2, "attack__random_start": False, "attack__bounds": None}


def probability_margins(z):
    """max_{k != y} p_k - p_y, spelled out for two classes."""
    p = z.softmax(1)
    return torch.stack([row[1 - y] - row[y] for row, y in zip(p, y64, strict=True)])


FUNCTIONS = {
    "tanh": lambda kappa, z: (1 + torch.tanh(0.5 + 5 * (1 - kappa / 5))) / 2,
    "sigmoid": lambda kappa, z: torch.sigmoid(0.5 + 5 * (1 - kappa / 5)),
    "linear": lambda kappa, z: 1 - kappa / 11,
    "margin": lambda kappa, z: (1 + torch.tanh(0.5 + 5 * probability_margins(z))) / 2,
}


def steep(kappa, max_iter):
    """Weigh only samples that are near the boundary."""
    return (kappa < max_iter / 2).float()


@pytest.mark.parametrize("weight_fn", [*FUNCTIONS, steep], ids=named)
def test_weight_functions_weigh_the_loss_of_each_sample(module, weight_fn):
    params = {"weight_fn": weight_fn, "lam": 0.5, "burn_in": 0}
    net = in_training(GAIRATNet, module, x64, y64, **params, **EXACT)
    loss, _ = net.batch_loss(x64, y64)
    kappa, points = one_by_one(net.module_, 0.2, 10)
    z = net.module_(points)
    own = FUNCTIONS.get(weight_fn, lambda kappa, z: steep(kappa, 10))
    weights = own(kappa, z.detach())
    losses = cross_entropy(z, y64, reduction="none")
    wanted = (weights * losses).sum() / weights.sum()
    torch.testing.assert_close(loss, wanted, rtol=1e-6, atol=0)
    parameters = list(net.module_.parameters())
    ours = torch.autograd.grad(loss, parameters)
    for found, theirs in zip(ours, torch.autograd.grad(wanted, parameters), strict=True):
        torch.testing.assert_close(found, theirs, rtol=1e-5, atol=1e-9)


def terms(base, module, points):
    """What the weights act on in each base, and what they leave alone, with beta = 2."""
    z, z_adv = module(x64), module(points)
    p, q = z.softmax(1), z_adv.softmax(1)
    kl = (p * (p / q).log()).sum(1)
    if base == "trades":
        return cross_entropy(z, y64, reduction="none"), 2 * kl.mean()
    right, other = (q.gather(1, label[:, None])[:, 0] for label in (y64, 1 - y64))
    unsure = 1 - p.gather(1, y64[:, None])[:, 0]
    return -right.log() - (1 - other).log(), 2 * (kl * unsure).mean()


@pytest.mark.parametrize("base", ["trades", "mart"])
def test_experimental_bases_weigh_the_term_that_they_say(module, base):
    start = {"attack__eps": 0.2, "attack__bounds": None, "attack__random_state": 0}
    params = {"base": base, "beta": 2.0, "burn_in": 0, "lam": 0.0, **start}
    net = in_training(GAIRATNet, module, x64, y64, **params)
    loss, _ = net.batch_loss(x64, y64)
    kappa = torch.zeros(len(y64), dtype=torch.float64)

    def count(step, rows, z, x_adv):
        kappa[rows] += z.argmax(1) == y64[rows]

    points = net.perturb(x64, y64, observe=count)
    weights = F.gair_log_weights(kappa, 10, 0.0).softmax(0)
    weighted, rest = terms(base, net.module_, points)
    torch.testing.assert_close(loss, (weights * weighted).sum() + rest, rtol=1e-6, atol=0)


@pytest.mark.parametrize("weighted_term", ["loss", "divergence", "both"])
def test_weights_of_trades_act_on_the_term_that_is_named(module, weighted_term):
    """MAIL-TRADES weighs the divergence, GAIR-TRADES the loss of the clean samples."""
    start = {"attack__eps": 0.2, "attack__bounds": None, "attack__random_state": 0}
    params = {"base": "trades", "beta": 2.0, "burn_in": 0, "weight_fn": "margin", "lam": -2.5}
    net = in_training(GAIRATNet, module, x64, y64, weighted_term=weighted_term, **params, **start)
    loss, _ = net.batch_loss(x64, y64)
    points = net.perturb(x64, y64)
    z, z_adv = net.module_(x64), net.module_(points)
    weights = F.mail_log_weights(z_adv.detach(), y64, -2.5).softmax(0)
    p, q = z.softmax(1), z_adv.softmax(1)
    kl, clean = (p * (p / q).log()).sum(1), cross_entropy(z, y64, reduction="none")
    wanted = (weights * clean).sum() if weighted_term != "divergence" else clean.mean()
    wanted = wanted + 2 * ((weights * kl).sum() if weighted_term != "loss" else kl.mean())
    torch.testing.assert_close(loss, wanted, rtol=1e-6, atol=0)


def test_an_overridden_perturb_is_used_and_counted(module):
    class Halfway(GAIRATNet):
        def perturb(self, x, y, *, observe=None):
            return (x + super().perturb(x, y, observe=observe)) / 2

    start = {"attack__eps": 0.2, "attack__bounds": None, "attack__random_state": 0}
    net = in_training(Halfway, module, x64, y64, lam=float("inf"), **start)
    loss, _ = net.batch_loss(x64, y64)
    points = (x64 + AdversarialNet.perturb(net, x64, y64)) / 2
    torch.testing.assert_close(loss, cross_entropy(net.module_(points), y64))
    assert sum(net.history[-1]["kappa_counts"]) == len(y64)


BASES = {
    "at": (MinMaxNet, {}),
    "fat": (FATNet, {"tau": 1}),
    "trades": (TRADESNet, {"beta": 2.0}),
    "mart": (MARTNet, {"beta": 2.0}),
}


@pytest.mark.parametrize("base", BASES)
def test_without_weights_each_base_trains_bit_for_bit_as_its_own_net(base):
    cls, params = BASES[base]
    shared = {"module": Normalised, "attack__eps": 0.2, **params}
    wanted = quick(cls, **shared).fit(X, Y)
    net = quick(GAIRATNet, base=base, lam=np.inf, **shared).fit(X, Y)
    assert same_weights(net, wanted)
    assert not same_weights(net, quick(GAIRATNet, base=base, burn_in=0, **shared).fit(X, Y))


def test_kappa_may_end_at_the_first_error():
    """A sample that is wrong, right, wrong, right: counted twice, or not at all."""
    y, rows = torch.tensor([0, 1]), torch.arange(2)
    answers = [[1, 1], [0, 1], [1, 1], [0, 0]]
    for first, wanted in ((False, [2, 3]), (True, [0, 3])):
        path = KappaObserver(y, first=first)
        for step, codes in enumerate(answers):
            z = torch.nn.functional.one_hot(torch.tensor(codes), 2).float()
            assert path(step, rows, z, None) is None
        assert path.kappa.tolist() == wanted


def test_kappa_first_is_at_most_the_count(module):
    found = {}
    for kappa in ("count", "first"):
        net = in_training(GAIRATNet, module, x64, y64, kappa=kappa, burn_in=0, **EXACT)
        net.batch_loss(x64, y64)
        found[kappa] = net.history[-1]["batches"][-1]["kappa_mean"]
    assert 0 < found["first"] <= found["count"]


def test_a_criterion_is_weighted_too(module):
    params = {"burn_in": 0, "lam": 0.0, **EXACT}
    smooth = {"criterion__label_smoothing": 0.2}
    net = in_training(GAIRATNet, module, x64, y64, **params, **smooth)
    loss, z = net.batch_loss(x64, y64)
    kappa, _ = one_by_one(net.module_, 0.2, 10)
    weights = F.gair_log_weights(kappa, 10, 0.0).softmax(0)
    losses = cross_entropy(z, y64, reduction="none", label_smoothing=0.2)
    torch.testing.assert_close(loss, (weights * losses).sum(), rtol=1e-6, atol=0)


class Averaging(torch.nn.CrossEntropyLoss):
    """Deaf to ``reduction``."""

    def forward(self, z, y):
        return cross_entropy(z, y)


def test_a_criterion_that_only_averages_is_refused():
    net = quick(GAIRATNet, criterion=Averaging, burn_in=0)
    with pytest.raises(ValueError, match=r"it must support reduction='none'"):
        net.fit(X, Y)


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


@pytest.mark.filterwarnings("ignore:burn_in=2 takes all of training")
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
    assert found == weighted == net.history[:, "weighted"]


@pytest.mark.parametrize("burn_in", [4, 0.9])
def test_a_burn_in_that_ends_with_training_is_told(burn_in):
    with pytest.warns(UserWarning, match="takes all of training .*no sample is ever weighted"):
        quick(GAIRATNet, max_epochs=4, burn_in=burn_in).fit(X, Y)


@pytest.mark.parametrize("base", ["at", "trades"])
def test_class_weights_share_out_the_loss_and_do_not_scale_it(base):
    def first_loss(**params):
        shared = {"attack__eps": 0.1, "base": base, "iterator_train__shuffle": False}
        weight = torch.tensor([1.0, 9.0])
        net = quick(GAIRATNet, burn_in=0, criterion__weight=weight, **shared, **params)
        return net.fit(X, Y).history[0]["batches"][0]["train_loss"]

    alike = first_loss(weight_fn=lambda kappa, max_iter: torch.ones_like(kappa))
    assert alike == pytest.approx(first_loss(lam=np.inf), rel=1e-5)


def test_burn_in_goes_on_over_calls_of_partial_fit():
    net = quick(GAIRATNet, max_epochs=1, burn_in=2, attack__eps=0.1)
    for _ in range(3):
        net.partial_fit(X, Y)
    assert ["ess" in epoch["batches"][0] for epoch in net.history] == [False, False, True]


@pytest.mark.parametrize(
    "lam",
    [[(1, np.inf), (3, -1.0)], ((1, np.inf), (3, 0)), lambda epoch: np.inf if epoch < 3 else 0],
)
def test_lam_may_change_from_epoch_to_epoch(lam):
    net = quick(GAIRATNet, max_epochs=4, burn_in=0, lam=lam, attack__eps=0.1).fit(X, Y)
    assert ["ess" in epoch["batches"][0] for epoch in net.history] == [False, False, True, True]


@pytest.mark.parametrize("max_iter", [1, 4])
@pytest.mark.parametrize("lam", [-1.0, np.inf])
def test_history_counts_the_samples_of_each_kappa(lam, max_iter):
    params = {"lam": lam, "attack__max_iter": max_iter, "attack__eps": 0.2}
    net = quick(GAIRATNet, max_epochs=3, **params).fit(X, Y)
    for epoch in net.history:
        counts, batches = np.array(epoch["kappa_counts"]), epoch["batches"]
        assert counts.sum() == len(X) and len(counts) == max_iter + 1
        assert np.array_equal(counts, np.sum([b["kappa_counts"] for b in batches], axis=0))
        means = [b["kappa_mean"] * b["train_batch_size"] for b in batches]
        assert counts @ np.arange(max_iter + 1) == pytest.approx(sum(means))


def test_a_batch_whose_loss_is_taken_twice_is_counted_once(module):
    net = in_training(GAIRATNet, module, x64, y64, burn_in=0, **EXACT)
    for _ in range(2):
        net.batch_loss(x64, y64)
    assert sum(net.history[-1]["kappa_counts"]) == len(X)


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
        ({"burn_in": 3}, "burn_in is 3 epochs and max_epochs 2: training would end first"),
        ({"base": "awp"}, r"base is 'awp'; choose one of \['at', 'fat', 'mart', 'trades'\]"),
        ({"weight_fn": "step"}, "weight_fn is 'step'; choose one of"),
        ({"kappa": "last"}, r"kappa is 'last'; choose one of \['count', 'first'\]"),
        ({"beta": -1}, "beta is -1"),
        ({"weighted_term": "kl"}, "weighted_term is 'kl'; choose one of"),
        ({"weighted_term": "both"}, "is for base='trades', whose loss has a divergence; base is"),
        ({"lam": [(1, np.inf), (2, np.nan)]}, "lam from epoch 2 is nan"),
        ({"lam": [(2, 0.0)]}, "that begin with epoch 1 and ascend"),
        ({"lam": lambda epoch: -np.inf}, "lam in epoch 1 is -inf"),
        (
            {"weight_fn": lambda kappa, max_iter: kappa[:1], "burn_in": 0},
            "weight_fn gave .* for 16",
        ),
        ({"weight_fn": lambda kappa, max_iter: 0 * kappa, "burn_in": 0}, "one above 0"),
        ({"weight_fn": lambda kappa, max_iter: -1 - kappa, "burn_in": 0}, "of at least 0"),
        ({"weight_fn": lambda kappa, max_iter: kappa / 0 + 1, "burn_in": 0}, "a finite number"),
    ],
    ids=named,
)
def test_parameters_that_make_no_sense_are_refused(params, match):
    with pytest.raises(ValueError, match=match):
        quick(GAIRATNet, **params).fit(X, Y)


def test_another_base_takes_its_attack_with_it():
    net = quick(GAIRATNet, base="at").fit(X, Y).set_params(base="trades").partial_fit(X, Y)
    assert net.attack_.loss == "kl"
