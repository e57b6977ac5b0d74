"""Adversarial training mixes the clean and the adversarial loss."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from sklearn_robust import AdvTrainNet, NaturalNet
from tests.cases import Linear, Normalised, Pairs, blobs, in_training, quick, same_weights
from tests.nets.corners import worst_points, x64, y64

X, Y = blobs()
EPS = 0.3


@pytest.mark.parametrize("adv_weight", [0.0, 0.3, 1.0, 1])
def test_adversarial_training_mixes_the_two_losses(adv_weight):
    module = Linear()
    params = {"attack__eps": EPS, "attack__bounds": None, "adv_weight": adv_weight}
    net = in_training(AdvTrainNet, module, x64, y64, **params)
    loss, z = net.batch_loss(x64, y64)
    clean = cross_entropy(net.module_(x64), y64)
    adversarial = cross_entropy(net.module_(worst_points(module)), y64)
    torch.testing.assert_close(z, net.module_(x64))
    torch.testing.assert_close(loss, (1 - adv_weight) * clean + adv_weight * adversarial)


@pytest.mark.parametrize("as_pairs", [False, True], ids=["arrays", "dataset"])
def test_without_weight_adversarial_training_is_natural_bit_for_bit(as_pairs):
    data = (Pairs(X, Y),) if as_pairs else (X, Y)
    natural = quick(NaturalNet, module=Normalised).fit(*data)
    assert same_weights(natural, quick(AdvTrainNet, module=Normalised, adv_weight=0).fit(*data))
    assert not same_weights(natural, quick(AdvTrainNet, module=Normalised).fit(*data))


@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan, "half"], ids=repr)
def test_a_weight_that_makes_no_sense_is_refused(value):
    with pytest.raises(ValueError, match="adv_weight is .*; give a number of at least 0 and at mo"):
        quick(AdvTrainNet, adv_weight=value).fit(X, Y)
