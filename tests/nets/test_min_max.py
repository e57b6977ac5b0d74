"""Min-max training against a closed form in float64."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from sklearn_robust import MinMaxNet
from sklearn_robust.attacks import BIM, FGSM, PGD
from tests.cases import Linear, in_training
from tests.nets.corners import worst_points, x64, y64

EPS = 0.3


@pytest.mark.parametrize("attack", [PGD, BIM, FGSM, PGD(loss="margin", n_restarts=2)], ids=str)
def test_min_max_training_takes_the_loss_of_the_worst_points(attack):
    module = Linear()
    params = {"attack": attack, "attack__eps": EPS, "attack__bounds": None}
    net = in_training(MinMaxNet, module, x64, y64, **params)
    loss, z = net.batch_loss(x64, y64)
    wanted = net.module_(worst_points(module))
    torch.testing.assert_close(z, wanted, rtol=0, atol=1e-6)
    torch.testing.assert_close(loss, cross_entropy(wanted, y64), rtol=1e-6, atol=0)
