"""TRADES without strength, and what its attack climbs."""

import pytest

from sklearn_robust import GAIRATNet, NaturalNet, TRADESNet
from sklearn_robust.attacks import PGD
from tests.cases import Normalised, Pairs, blobs, quick, same_weights

X, Y = blobs()

LOSS_SETTINGS = [
    ({}, "kl"),
    ({"attack": PGD(eps=0.1)}, "kl"),
    ({"attack": PGD(loss="margin")}, "margin"),
    ({"attack__loss": "cross_entropy"}, "cross_entropy"),
    ({"attack": PGD(loss="margin"), "attack__loss": "dlr"}, "dlr"),
]


@pytest.mark.parametrize(("params", "loss"), LOSS_SETTINGS, ids=str)
def test_the_divergence_is_climbed_unless_another_loss_is_asked_for(params, loss):
    assert quick(TRADESNet, **params).fit(X, Y).attack_.loss == loss
    assert quick(GAIRATNet, base="trades", **params).fit(X, Y).attack_.loss == loss


@pytest.mark.parametrize("as_pairs", [False, True], ids=["arrays", "dataset"])
def test_without_strength_trades_is_natural_bit_for_bit_and_attacks_nothing(as_pairs, monkeypatch):
    data = (Pairs(X, Y),) if as_pairs else (X, Y)
    natural = quick(NaturalNet, module=Normalised).fit(*data)
    assert not same_weights(natural, quick(TRADESNet, module=Normalised).fit(*data))
    monkeypatch.setattr(TRADESNet, "craft", None)  # calling it would fail
    net = quick(TRADESNet, module=Normalised, beta=0).fit(*data)
    assert same_weights(natural, net)
    assert net.history[:, "train_loss"] == natural.history[:, "train_loss"]
