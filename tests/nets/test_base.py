"""Nets of a user: hooks, old names, what a fit leaves on a net, and what it costs in calls."""

import copy
import pickle
import sys

import numpy as np
import pytest
import torch
from sklearn.base import clone
from skorch.callbacks import Callback

import sklearn_robust
from sklearn_robust import GAIRATNet, MinMaxNet, NaturalNet
from sklearn_robust.attacks import PGD
from sklearn_robust.callbacks import WeightPerturbation
from sklearn_robust.nets import AdversarialNet, BaseNet
from tests.cases import NETS, Linear, blobs, quick, same_weights

X, Y = blobs()
SMALL = {"module": Linear, "attack__eps": 0.1, "eps_warm_up": 0}

# -- objectives ----------------------------------------------------------------------------------


class Mixed(AdversarialNet):
    """A user's objective: the mean of clean and adversarial loss."""

    def __init__(self, module="auto", *, attack=PGD, share=0.5, **kwargs):
        super().__init__(module, **kwargs)
        self.attack = attack
        self.share = share

    def batch_loss(self, x, y):
        x_adv = self.perturb(x, y)
        loss, z = super().batch_loss(x, y)
        return (1 - self.share) * loss + self.share * super().batch_loss(x_adv, y)[0], z


def test_the_base_alone_is_natural_training():
    base, natural = (quick(net, module=Linear).fit(X, Y) for net in (BaseNet, NaturalNet))
    assert same_weights(base, natural)


def test_a_net_of_the_user_is_a_net_in_all_respects():
    net = quick(Mixed, **SMALL, share=1.0).fit(X, Y)
    assert same_weights(net, quick(MinMaxNet, **SMALL).fit(X, Y))
    assert same_weights(net, clone(net).fit(X, Y))
    assert same_weights(net, pickle.loads(pickle.dumps(net)))
    assert repr(Mixed(share=0.2)) == "Mixed(share=0.2)"
    assert not same_weights(net, clone(net).set_params(share=0.0).fit(X, Y))


RETURNED = [
    (lambda loss, z: loss, r"returned a tensor of shape \(\); return the pair \(loss, logits\)"),
    (lambda loss, z: None, "returned None; return the pair"),
    (lambda loss, z: (loss, z, z), r"returned \(a tensor of shape \(\), a tensor .*; return the"),
    (
        lambda loss, z: (z, loss),
        r"returned \(a tensor of shape \(16, 2\), a tensor of shape \(\)\)",
    ),
    (lambda loss, z: (loss.item(), z), r"returned \(\d.\d+, a tensor of shape \(16, 2\)\); return"),
]


@pytest.mark.parametrize("callbacks", [[], [WeightPerturbation()]], ids=["plain", "perturbed"])
@pytest.mark.parametrize(("change", "match"), RETURNED, ids=[m[9:40] for _, m in RETURNED])
def test_a_loss_that_is_no_pair_is_refused(change, match, callbacks):
    class Wrong(BaseNet):
        def batch_loss(self, x, y):
            return change(*super().batch_loss(x, y))

    with pytest.raises(TypeError, match=f"Wrong.batch_loss {match}"):
        quick(Wrong, callbacks=callbacks).fit(X, Y)


def test_hooks_are_called_when_they_say():
    calls = []

    class Noted(BaseNet):
        def check_parameters(self):
            super().check_parameters()
            calls.append("check_parameters")

        def check_whole_fit(self):
            super().check_whole_fit()
            calls.append("check_whole_fit")

        def begin_training(self, seed):
            super().begin_training(seed)
            calls.append(("begin_training", seed, self.fit_state.first_epoch))

    net = quick(Noted).fit(X, Y)
    assert calls == ["check_whole_fit", "check_parameters", ("begin_training", 0, 0)]
    calls.clear()
    net.partial_fit(X, Y)
    assert calls == ["check_parameters", ("begin_training", 2, 2)]


# -- old names -----------------------------------------------------------------------------------


def test_the_old_name_of_perturb_works_and_warns():
    net, x, y = quick(MinMaxNet, **SMALL).fit(X, Y), torch.tensor(X), torch.tensor(Y)
    with pytest.warns(FutureWarning, match=r"craft is now perturb, .*: type net.perturb\(x, y\)"):
        old = net.craft(x, y)
    assert torch.equal(old, net.perturb(x, y))
    with pytest.warns(FutureWarning, match="crafting_once is now replay_batch"):
        with net.crafting_once() as cache:
            first = net.perturb(x, y)
            cache.rewind()
            assert net.perturb(x, y) is first


GIVEN = {"ClusterRegNet": {"superclasses": [0, 1]}, "GAIRATNet": {"burn_in": 0}}


@pytest.mark.parametrize("net", [net for net in NETS if issubclass(net, AdversarialNet)])
def test_an_override_by_the_old_name_is_honoured(net):
    seen = []
    with pytest.warns(FutureWarning, match="Old overrides craft, which is now perturb"):

        class Old(net):
            def craft(self, x, y, **kwargs):
                with pytest.warns(FutureWarning, match="craft is now perturb"):
                    x_adv = super().craft(x, y, **kwargs)
                seen.append(len(x))
                return x_adv

    params = {"module": Linear, "max_epochs": 1, **GIVEN.get(net.__name__, {})}
    fitted = quick(Old, **params).fit(X, Y)
    parameter = "adversarial" if net.attack_parameter == "adversarial" else "attack"
    searches = fitted.get_params()[parameter] is not None and net.__name__ != "FreeATNet"
    assert seen == ([16] * 3 if searches else [])
    assert same_weights(fitted, quick(net, **params).fit(X, Y))


@pytest.mark.parametrize("base", ["at", "fat"])
def test_gairat_trains_on_what_an_override_of_perturb_gives(base):
    class Clean(GAIRATNet):
        def perturb(self, x, y, *, observe=None):
            super().perturb(x, y, observe=observe)
            return x

    params = {**SMALL, "base": base, "burn_in": 2}
    with pytest.warns(UserWarning, match="no sample is ever weighted"):
        net = quick(Clean, **params).fit(X, Y)
    assert same_weights(net, quick(NaturalNet, module=Linear).fit(X, Y))
    assert sum(net.history[-1]["kappa_counts"]) == len(X)


# -- what a fit leaves ---------------------------------------------------------------------------


class Copies(Callback):
    """Copies its net in every way while it trains."""

    def on_epoch_end(self, net, **kwargs):
        assert net._fit_state is not None and not [
            k for k in net.get_params() if "state" in k[-6:-1]
        ]
        for copied in (clone(net), copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
            assert copied._fit_state is None


def test_what_a_fit_needs_is_on_no_copy_and_gone_at_its_end():
    net = quick(MinMaxNet, module=Linear, callbacks=[Copies()])
    before = set(vars(quick(MinMaxNet, module=Linear).fit(X, Y)))
    assert set(vars(net.fit(X, Y))) == before
    assert net._fit_state is None
    with pytest.raises(RuntimeError, match="this MinMaxNet is not training: call fit"):
        _ = net.fit_state


def test_a_fit_that_fails_leaves_no_state():
    class Fails(NaturalNet):
        def batch_loss(self, x, y):
            raise ArithmeticError

    net = quick(Fails)
    with pytest.raises(ArithmeticError):
        net.fit(X, Y)
    assert net._fit_state is None


# -- calls ---------------------------------------------------------------------------------------


class Reached(Exception):
    """The optimiser is about to step."""


def test_from_fit_to_the_optimiser_are_at_most_400_calls_of_ours():
    rng = np.random.default_rng(0)
    samples, labels = rng.uniform(size=(100, 4)).astype(np.float32), np.arange(100) % 2
    root, count = sklearn_robust.__path__[0], 0

    def profile(frame, event, argument):
        nonlocal count
        file, name = frame.f_code.co_filename, frame.f_code.co_name
        if event == "call" and file.startswith(root):
            count += 1
        elif event == "call" and name == "adam" and "optim" in file:
            sys.setprofile(None)
            raise Reached

    MinMaxNet(max_epochs=1).fit(samples, labels)
    sys.setprofile(profile)
    try:
        with pytest.raises(Reached):
            MinMaxNet().fit(samples, labels)
    finally:
        sys.setprofile(None)
    assert 100 < count <= 400, count
