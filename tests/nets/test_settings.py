"""Settings of training: learning rates, recipes, warm starts and mixed precision."""

import math
import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import LRScheduler
from torch import nn
from torch.optim.lr_scheduler import StepLR

from sklearn_robust import FreeATNet, JacobianRegNet, MinMaxNet, NaturalNet, load_net
from sklearn_robust.attacks import PGD
from sklearn_robust.nets import recipe_params
from sklearn_robust.nets._engine import precision as _precision
from tests.cases import NETS, Linear, Normalised, Pairs, blobs, quick, same_weights

X, Y = blobs()
IMAGES, _ = blobs(shape=(3, 8, 8))
SGD = {"module": Linear, "optimizer": torch.optim.SGD, "lr": 0.5}

# -- schedules of the learning rate --------------------------------------------------------------

# Four epochs of three batches: the factor of lr in each batch.
SCHEDULES = {
    None: [1] * 12,
    "cyclic": [1 - abs(k / 6 - 1) for k in range(12)],
    "cosine": [(1 + math.cos(math.pi * k / 12)) / 2 for k in range(12)],
    ((2, 0.1),): [1] * 3 + [0.1] * 9,
    ((1, 0.5), (3, 0.2), (4, 0.0)): [0.5] * 6 + [0.2] * 3 + [0] * 3,
    ((9, 0.1),): [1] * 12,
}


class Rates(torch.optim.SGD):
    """Writes down its learning rates."""

    seen = []

    def step(self, closure=None):
        """Take a step."""
        Rates.seen.append([group["lr"] for group in self.param_groups])
        return super().step(closure)


def rates_of(net, *data, fit="fit"):
    """Learning rates of each step of a fit."""
    Rates.seen = []
    getattr(net.set_params(module=Linear, optimizer=Rates), fit)(*data)
    return np.array(Rates.seen)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_the_learning_rate_follows_its_schedule(schedule):
    net = quick(NaturalNet, lr=0.4, lr_schedule=schedule, max_epochs=4)
    wanted = 0.4 * np.array(SCHEDULES[schedule])
    np.testing.assert_allclose(rates_of(net, X, Y)[:, 0], wanted, atol=1e-12)
    if schedule is not None:
        recorded = [batch["lr"] for row in net.history for batch in row["batches"]]
        np.testing.assert_allclose(recorded, wanted, atol=1e-12)
    again = rates_of(net, X, Y, fit="partial_fit")  # a call of its own
    np.testing.assert_allclose(again[:, 0], wanted, atol=1e-12)


def test_each_group_keeps_its_share():
    groups = [("bias", {"lr": 0.1})]
    net = quick(NaturalNet, lr=0.4, lr_schedule=[(2, 0.5)], optimizer__param_groups=groups)
    rates = rates_of(net, X, Y)
    np.testing.assert_allclose(rates[[0, -1]], [[0.1, 0.4], [0.05, 0.2]])


@pytest.mark.parametrize("name", ["lr", "optimizer__lr"])
def test_a_rate_that_is_set_later_is_what_the_schedule_multiplies(name):
    net = quick(NaturalNet, lr=0.4, lr_schedule=[(2, 0.5)])
    rates_of(net, X, Y)
    net.set_params(**{name: 0.8})
    Rates.seen = []
    net.partial_fit(X, Y)
    np.testing.assert_allclose([Rates.seen[0][0], Rates.seen[-1][0]], [0.8, 0.4])


def test_the_rate_of_one_group_is_set_and_the_others_stay():
    groups = [("bias", {"lr": 0.1})]
    net = quick(NaturalNet, lr=0.4, lr_schedule=[(2, 0.5)], optimizer__param_groups=groups)
    rates_of(net, X, Y)
    net.set_params(optimizer__param_groups__0__lr=0.2)
    Rates.seen = []
    net.partial_fit(X, Y)
    np.testing.assert_allclose([Rates.seen[0], Rates.seen[-1]], [[0.2, 0.4], [0.1, 0.2]])


@pytest.mark.parametrize("schedule", ["cosine", [(2, 0.5)]], ids=str)
def test_without_its_schedule_the_rate_is_lr_again(schedule):
    net = quick(NaturalNet, lr=0.4, lr_schedule=schedule)
    rates_of(net, X, Y)
    Rates.seen = []
    net.set_params(lr_schedule=None).partial_fit(X, Y)
    assert np.ravel(Rates.seen).tolist() == [0.4] * len(Rates.seen)


def test_a_constant_schedule_is_none_bit_for_bit():
    plain = quick(MinMaxNet, **SGD).fit(X, Y)
    assert same_weights(plain, quick(MinMaxNet, lr_schedule=[(1, 1.0)], **SGD).fit(X, Y))


BAD_SCHEDULES = ["linear", 0.1, [], [30, 60], [(0, 0.1)], [(2, 0.1), (1, 0.01)], [(2, -1)], [(2,)]]


@pytest.mark.parametrize("schedule", BAD_SCHEDULES, ids=repr)
def test_a_schedule_that_makes_no_sense_is_refused(schedule):
    with pytest.raises(ValueError, match="lr_schedule is .*; give 'cyclic', 'cosine', None, or"):
        quick(NaturalNet, lr_schedule=schedule).fit(X, Y)


def test_two_masters_of_the_learning_rate_are_refused():
    callbacks = [LRScheduler(StepLR, step_size=1)]
    net = quick(NaturalNet, lr_schedule="cyclic", callbacks=callbacks)
    with pytest.raises(ValueError, match="and the callback LRScheduler both set the learning rate"):
        net.fit(X, Y)


# -- recipes -------------------------------------------------------------------------------------

RECIPES = ["fast-cifar", "gairat-resnet18", "trades-wrn"]


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_its_parameters(name):
    recipe = NaturalNet(Flat, recipe=name, random_state=0)
    told = rf"recipe goes in the next release: type NaturalNet\(\*\*recipe_params\('{name}'\)\)"
    with pytest.warns(FutureWarning, match=told):
        recipe.fit(IMAGES, Y)
    spelled = NaturalNet(Flat, **recipe_params(name), random_state=0).fit(IMAGES, Y)
    assert same_weights(recipe, spelled) and recipe.n_iter_ == recipe_params(name)["max_epochs"]
    assert isinstance(recipe.optimizer_, torch.optim.SGD)


class Flat(nn.Sequential):
    """A linear module for images."""

    def __init__(self):
        super().__init__(nn.Flatten(), nn.Linear(192, 2))


@pytest.mark.filterwarnings("ignore:the parameter recipe goes:FutureWarning")
def test_a_recipe_leaves_the_parameters_as_they_were_given():
    net = NaturalNet(Flat, recipe="fast-cifar", random_state=0)
    before = net.get_params()
    assert net.fit(IMAGES, Y).get_params().keys() >= before.keys()
    assert (net.lr, net.max_epochs, net.augment) == (1e-3, 30, None)
    assert repr(net).startswith("NaturalNet(") and "recipe='fast-cifar'" in repr(net)
    assert same_weights(net, pickle.loads(pickle.dumps(net)))
    assert same_weights(net, clone(net).fit(IMAGES, Y))
    assert net.partial_fit(IMAGES, Y).n_iter_ == 30  # another fifteen


def test_the_papers_numbers():
    """What the papers and their released codes say of their schedules."""
    gairat, trades, fast = (
        recipe_params(n) for n in ("gairat-resnet18", "trades-wrn", "fast-cifar")
    )
    rate = {"gairat": (0.1, 100, 2e-4), "trades": (0.1, 76, 2e-4), "fast": (0.2, 15, 5e-4)}
    for found, wanted in zip((gairat, trades, fast), rate.values(), strict=True):
        decay = "optimizer__weight_decay"
        assert (found["lr"], found["max_epochs"], found[decay]) == wanted
        assert (found["optimizer__momentum"], found["batch_size"]) == (0.9, 128)
    assert gairat["lr_schedule"] == ((31, 0.1), (61, 0.01))
    assert trades["lr_schedule"] == ((75, 0.1),)
    assert fast["lr_schedule"] == "cyclic"


def test_a_recipe_and_another_value_are_refused():
    net = NaturalNet(Flat, recipe="fast-cifar", lr=0.01)
    match = r"recipe='fast-cifar' sets lr=0.2, and lr=0.01 was given too: leave one out, or type N"
    with pytest.raises(ValueError, match=match):
        net.fit(IMAGES, Y)
    with pytest.raises(ValueError, match="recipe='fast-cifar' sets optimizer__momentum=0.9"):
        NaturalNet(Flat, recipe="fast-cifar", optimizer__momentum=0.5).fit(IMAGES, Y)
    with pytest.raises(ValueError, match="recipe is 'cake'; choose one of"):
        NaturalNet(recipe="cake").fit(IMAGES, Y)


# -- warm starts ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def natural():
    return quick(NaturalNet, module=Linear, lr=0.1, random_state=5).fit(X, Y)


@pytest.mark.parametrize("as_path", [False, True], ids=["frozen", "path"])
@pytest.mark.parametrize("net", NETS, ids=lambda net: net.__name__)
def test_any_net_begins_with_the_weights_of_a_fitted_one(net, as_path, natural, tmp_path):
    source = FrozenEstimator(natural)
    if as_path:
        natural.save(tmp_path / "a.net")
        source = tmp_path / "a.net"
    before = {k: v.clone() for k, v in natural.module_.state_dict().items()}
    still = {"optimizer": torch.optim.SGD, "lr": 1e-30, "module": Linear}
    fitted = clone(quick(net, init_from=source, **still)).fit(X, Y)
    assert same_weights(fitted, natural)
    trained = quick(net, init_from=source, module=Linear, lr=0.1).fit(X, Y)
    assert not same_weights(trained, natural)
    assert all(torch.equal(v, before[k]) for k, v in natural.module_.state_dict().items())


def test_a_warm_start_lives_in_a_search_and_a_file(natural, tmp_path):
    net = quick(NaturalNet, module=Linear, init_from=FrozenEstimator(natural))
    search = GridSearchCV(net, {"lr": [1e-9, 1e-8]}, cv=2).fit(X, Y)
    assert search.best_score_ == pytest.approx(natural.score(X, Y), abs=0.1)
    natural.save(tmp_path / "a.net")
    for source in (FrozenEstimator(natural), tmp_path / "a.net"):
        net.set_params(init_from=source).fit(X, Y).save(tmp_path / "b.net")
    (tmp_path / "a.net").unlink()  # a fitted net needs what it began with no more
    again = load_net(tmp_path / "b.net", module=Linear)
    assert same_weights(again, net) and again.init_from == str(tmp_path / "a.net")
    net.set_params(init_from=FrozenEstimator(natural)).fit(X, Y).save(tmp_path / "b.net")
    assert load_net(tmp_path / "b.net", module=Linear).init_from is None


BAD_SOURCES = [
    (lambda n: n, "init_from is a bare NaturalNet, which clone and GridSearchCV would empty: wrap"),
    (lambda n: 3, "init_from is 3; give the path of a saved net, or FrozenEstimator"),
    (lambda n: FrozenEstimator(NaturalNet()), "not (initialized|fitted)"),
    (lambda n: FrozenEstimator(LogisticRegression().fit(X, Y)), "LogisticRegression, which has no"),
    (lambda n: FrozenEstimator(quick(NaturalNet).fit(X, Y)), "weights of init_from do not fit"),
    (
        lambda n: FrozenEstimator(clone(n).fit(X, Y + 1)),
        r"on the labels \[1, 2\], and these are \[0",
    ),
    (lambda n: __file__, "is not a net written by net.save"),
]


@pytest.mark.parametrize(("source", "match"), BAD_SOURCES, ids=[m[:40] for _, m in BAD_SOURCES])
def test_what_cannot_be_begun_with_is_refused(source, match, natural):
    net = quick(MinMaxNet, module=Linear, init_from=source(natural))
    with pytest.raises(Exception, match=match):
        net.fit(X, Y)


# -- mixed precision -----------------------------------------------------------------------------


def test_on_a_cpu_mixed_precision_does_nothing_and_says_so():
    plain = quick(MinMaxNet, module=Normalised, device="cpu").fit(X, Y)
    mixed = quick(MinMaxNet, module=Normalised, device="cpu", amp=True)
    with pytest.warns(UserWarning, match="amp=True acts on a GPU alone: this fit runs on cpu, in"):
        mixed.fit(X, Y)
    assert same_weights(plain, mixed)


@pytest.mark.parametrize("value", [None, 1, "bf16"], ids=repr)
def test_amp_is_yes_or_no(value):
    with pytest.raises(ValueError, match="amp is .*; give True or False"):
        quick(NaturalNet, amp=value).fit(X, Y)


class Typed(nn.Module):
    """Writes down in what precision its layer computes, and its copies' layers."""

    seen = []

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 2)

    def forward(self, x):
        assert x.dtype == torch.float32
        z = self.layer(x)
        Typed.seen.append((self.training, z.dtype))
        return z


@pytest.fixture(params=["pretended", pytest.param("real", marks=pytest.mark.gpu)])
def gpu(request, monkeypatch):
    """A device whose steps may run in mixed precision: the CPU, if we pretend that it pays."""
    if request.param == "real":
        return "cuda"
    monkeypatch.setattr(_precision, "_pays", lambda device: True)
    return "cpu"


@pytest.mark.parametrize("net", NETS, ids=lambda net: net.__name__)
def test_on_a_gpu_steps_run_in_bfloat16_and_all_else_in_float32(net, gpu):
    Typed.seen.clear()
    fitted = quick(net, module=Typed, amp=True, device=gpu).fit(X, Y)
    half = {dtype for training, dtype in Typed.seen if training}
    wanted = torch.float32 if net is JacobianRegNet else torch.bfloat16
    assert half == {wanted}  # what is differentiated twice stays exact
    Typed.seen.clear()
    assert fitted.decision_function(X).dtype == np.float32
    assert {dtype for _, dtype in Typed.seen} == {torch.float32}
    assert all(p.dtype == torch.float32 for p in fitted.module_.parameters())


def test_perturbations_of_mixed_precision_stay_in_the_ball_in_float32(gpu):
    seen = []

    class Watched(MinMaxNet):
        def perturb(self, x, y, **kwargs):
            x_adv = super().perturb(x, y, **kwargs)
            seen.append((x_adv.dtype, float((x_adv - x).abs().max())))
            return x_adv

    params = {"attack": PGD(eps=0.01, max_iter=3), "eps_warm_up": 0, "amp": True}
    quick(Watched, module=Linear, device=gpu, **params).fit(X, Y)
    assert {dtype for dtype, _ in seen} == {torch.float32}
    assert all(0 < reach <= 0.01 + 1e-7 for _, reach in seen)


def test_what_a_free_net_replays_is_one_learning_rate():
    rates = rates_of(quick(FreeATNet, lr=0.4, m=2, lr_schedule=[(2, 0.5)]), *(Pairs(X, Y),))
    np.testing.assert_allclose(rates[:, 0], [0.4] * 6 + [0.2] * 6)
