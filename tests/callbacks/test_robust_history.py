"""Robust accuracies of epochs against those of the finished net, and their picture."""

import numpy as np
import pytest
from skorch.dataset import Dataset

from sklearn_robust import MinMaxNet, NaturalNet, robust_score
from sklearn_robust.attacks import PGD
from sklearn_robust.callbacks import RobustHistory
from sklearn_robust.datasets import load_moons

X, Y = load_moons(200, random_state=0)
ATTACK = PGD(eps=0.05, max_iter=5, random_state=0)


def fitted(callbacks, **params):
    net = MinMaxNet(max_epochs=4, lr=0.01, random_state=0, attack__eps=0.05, callbacks=callbacks)
    return net.set_params(**params).fit(X, Y)


def test_the_last_epoch_is_the_score_of_the_net():
    history = RobustHistory(ATTACK)
    net = fitted([history])
    train, test = history.train_split(Dataset(X, Y), Y)
    for side, rows in (("train", train.indices), ("test", test.indices)):
        attack = PGD(eps=0.05, max_iter=5, random_state=0, bounds=(X.min(), X.max()))
        wanted = robust_score(net, X[rows], Y[rows], attack=attack)
        assert net.history[-1, f"robust_{side}_acc"] == pytest.approx(wanted, abs=0.03)
        assert net.history[-1, f"robust_{side}_n"] == len(rows)
    assert len(net.history[:, "robust_test_acc"]) == 4


def test_few_samples_are_the_same_in_every_epoch_and_change_no_weight():
    net = fitted([RobustHistory(ATTACK, n_samples=30)])
    assert net.history[:, "robust_train_n"] == [30] * 4
    alone = fitted([], train_split=RobustHistory().train_split)
    assert np.array_equal(net.predict_proba(X), alone.predict_proba(X))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_samples": 0}, "n_samples is 0"),
        ({"validation_fraction": 1.0}, "validation_fraction is 1; give a number below 1"),
        ({"attack": "pgd"}, "attack is 'pgd'; give RobustHistory an instance"),
    ],
)
def test_bad_parameters_are_told_what_is_wrong(params, message):
    with pytest.raises(ValueError, match=message):
        NaturalNet(max_epochs=1, callbacks=[RobustHistory(**params)]).fit(X, Y)
