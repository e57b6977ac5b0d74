"""Nets of a user: hooks, losses, and what a fit costs in calls."""

import pickle
import sys

import numpy as np
import pytest
from sklearn.base import clone

import sklearn_robust
from sklearn_robust import MinMaxNet
from sklearn_robust.attacks import PGD
from sklearn_robust.callbacks import WeightPerturbation
from sklearn_robust.nets import AdversarialNet, BaseNet
from tests.cases import blobs, quick, same_weights
from tests.nets.small import SMALL

X, Y = blobs()


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
