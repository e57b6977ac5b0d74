"""The guard of one-step training: it sees a collapse, ends it, and is silent otherwise."""

import warnings

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

from sklearn_robust import AdvTrainNet, NaturalNet, robust_score
from sklearn_robust.attacks import BIM, PGD
from sklearn_robust.callbacks import CatastrophicOverfittingGuard, WeightAveraging
from sklearn_robust.exceptions import CatastrophicOverfittingWarning
from tests.cases import NETS, Linear, Pairs, blobs, quick, same_weights

# Four features: the first tells the classes apart by a wide margin, the second by a narrow one.
Y = np.arange(60) % 2
X = np.full((60, 4), 0.5, np.float32)
X[:, 0] += np.where(Y, 0.3, -0.3)
X[:, 1] += np.where(Y, 0.03, -0.03)
EPS = 0.1
ROBUST, BLIND = ([[-a, -b, 0.0, 0.0], [a, b, 0.0, 0.0]] for a, b in [(5.0, 0.0), (0.0, 1e4)])


class Script(Callback):
    """Sets the weights at the end of each epoch.

    ``BLIND`` is right on all samples and leans on the narrow feature: it is not robust. It is so
    sure of itself that the gradient of cross-entropy vanishes: one step of FGSM stays in place.
    """

    def __init__(self, weights):
        self.weights = weights

    def on_epoch_end(self, net, **kwargs):
        """Set the weights."""
        state = {"weight": torch.tensor(self.weights[len(net.history) - 1])}
        net.module_.load_state_dict({**state, "bias": -state["weight"].sum(1) / 2})


def play(*weights, guard=None, callbacks=(), data=(X, Y), **params):
    """A fit whose epochs end with the given weights, and its guard."""
    guard = guard or CatastrophicOverfittingGuard()
    callbacks = [Script(weights), guard, *callbacks]
    params = {"module": Linear, "attack__eps": EPS, "max_epochs": len(weights), **params}
    return quick(AdvTrainNet, callbacks=callbacks, **params).fit(*data), guard


MESSAGE = (
    "AdvTrainNet overfitted to its own attack in epoch 3: accuracy under several steps fell from "
    "1.00 to 0.00, while under FGSM it is 1.00. Training ends with the weights of the best epoch"
)


@pytest.mark.parametrize("as_pairs", [False, True], ids=["arrays", "dataset"])
def test_a_collapse_ends_training_with_the_last_good_weights(as_pairs):
    data = (Pairs(X, Y),) if as_pairs else (X, Y)
    with pytest.warns(CatastrophicOverfittingWarning, match=MESSAGE):
        net, guard = play(ROBUST, ROBUST, BLIND, ROBUST, data=data)
    assert net.n_iter_ == guard.collapsed_epoch_ == 3
    assert net.module_.weight.tolist() == ROBUST
    assert net.history[:, "guard_acc"] == [1, 1, 0]
    assert net.history[:, "guard_fgsm_acc"] == [1, 1, 1]
    assert robust_score(net, X, Y, attack=PGD(eps=EPS)) == 1


def test_an_average_does_not_bring_the_collapse_back():
    averaging = WeightAveraging(decay=0.0)
    with pytest.warns(CatastrophicOverfittingWarning):
        net, _ = play(ROBUST, BLIND, callbacks=[averaging])
    assert net.module_.weight.tolist() == ROBUST


FINE = {
    "robust throughout": (ROBUST, ROBUST),
    "better and better": (BLIND, ROBUST),
}


@pytest.mark.parametrize("case", FINE)
def test_without_a_fall_nothing_is_said(case):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net, guard = play(*FINE[case])
    assert net.n_iter_ == 2 and guard.collapsed_epoch_ is None


def test_a_net_that_was_never_robust_is_trained_to_the_end_and_named():
    match = (
        "AdvTrainNet ends with accuracy 0.00 under several steps and 1.00 under FGSM: it is robust"
    )
    with pytest.warns(CatastrophicOverfittingWarning, match=match):
        net, guard = play(BLIND, BLIND)
    assert net.n_iter_ == 2 and guard.collapsed_epoch_ is None
    assert net.module_.weight.tolist() == BLIND


def test_a_fall_that_fgsm_sees_too_is_not_this_collapse():
    narrow = [[0.0, -5.0, 0.0, 0.0], [0.0, 5.0, 0.0, 0.0]]  # not robust, and not sure of itself
    net, guard = play(ROBUST, narrow)
    assert net.history[:, "guard_acc"] == net.history[:, "guard_fgsm_acc"] == [1, 0]
    assert guard.collapsed_epoch_ is None


def test_the_fall_that_matters_and_the_attack_may_be_given():
    params = {"drop": 1.0, "n_samples": 10}
    net, guard = play(ROBUST, BLIND, guard=CatastrophicOverfittingGuard(**params))
    assert guard.collapsed_epoch_ is None and net.n_iter_ == 2
    weak = CatastrophicOverfittingGuard(BIM(eps=EPS))  # as blind as FGSM
    net, guard = play(ROBUST, BLIND, guard=weak)
    assert net.history[:, "guard_acc"] == [1, 1]


def test_a_feature_that_may_not_move_is_not_moved_to_judge():
    """Without the narrow feature, and with the wide one fixed, nothing can fool the net."""
    fixed = {"attack__mask": np.array([False, False, True, True])}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net, _ = play(ROBUST, BLIND, **fixed)
    assert net.history[:, "guard_acc"] == net.history[:, "guard_fgsm_acc"] == [1, 1]


def test_the_same_samples_judge_every_epoch():
    noisy = np.where(np.arange(60) < 20, 1 - Y, Y)  # a third of the labels is wrong
    net, _ = play(*[ROBUST] * 4, guard=CatastrophicOverfittingGuard(n_samples=7), data=(X, noisy))
    scores = net.history[:, "guard_acc"]
    assert len(set(scores)) == 1 and scores[0] * 7 == pytest.approx(round(scores[0] * 7))


@pytest.mark.parametrize("net", NETS, ids=lambda net: net.__name__)
def test_a_guard_does_not_disturb_any_net(net):
    data, params = blobs(), {"module": Linear, "max_epochs": 3}
    plain = quick(net, **params).fit(*data)
    watched = quick(net, **params, callbacks=[CatastrophicOverfittingGuard()]).fit(*data)
    assert same_weights(plain, watched)


BAD = [
    ({"n_samples": 0}, "n_samples is 0; give an integer of at least 1"),
    ({"random_state": None}, "random_state is None; give an integer of at least 0"),
    ({"drop": 0}, "drop is 0; give a number above 0 and at most 1"),
    ({"drop": 20}, "drop is 20"),
    ({"attack": PGD(norm="l3")}, "norm is 'l3'"),
    ({"attack": PGD}, "attack is <class.*; give CatastrophicOverfittingGuard an instance"),
]


@pytest.mark.parametrize(("params", "match"), BAD, ids=str)
def test_parameters_that_make_no_sense_are_refused(params, match):
    with pytest.raises(ValueError, match=match):
        quick(NaturalNet, callbacks=[CatastrophicOverfittingGuard(**params)]).fit(*blobs())
