"""Schedules of the learning rate, on their own and beside what else sets it."""

import math

import numpy as np
import pytest
import torch
from skorch.callbacks import LRScheduler
from torch.optim.lr_scheduler import StepLR

from sklearn_robust import FreeATNet, MinMaxNet, NaturalNet
from tests.cases import Linear, Pairs, blobs, quick, same_weights

X, Y = blobs()
SGD = {"module": Linear, "optimizer": torch.optim.SGD, "lr": 0.5}

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


def test_what_a_free_net_replays_is_one_learning_rate():
    rates = rates_of(quick(FreeATNet, lr=0.4, m=2, lr_schedule=[(2, 0.5)]), *(Pairs(X, Y),))
    np.testing.assert_allclose(rates[:, 0], [0.4] * 6 + [0.2] * 6)
