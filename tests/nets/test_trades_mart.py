"""What TRADES and MART share: the loss of a batch, what is climbed, and what is refused."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from sklearn_robust import GAIRATNet, MARTNet, TRADESNet
from sklearn_robust import _functional as F
from sklearn_robust.attacks import PGD
from sklearn_robust.clustering import ClusterLoss
from tests.cases import Linear, Normalised, blobs, in_training, quick

X, Y = blobs()
x64, y64 = torch.tensor(X, dtype=torch.float64), torch.tensor(Y)

# Logits of two clean and two adversarial samples, their classes, and each sample's loss.
CLEAN = torch.tensor([[2, 0, -1], [0, 1, 0.5]], dtype=torch.float64)
WORST = torch.tensor([[1, 0.5, -1], [0.8, 0.2, 0.1]], dtype=torch.float64)
CODES = torch.tensor([0, 1])
LOSSES = [
    (TRADESNet, 1, 0.6181248081),
    (TRADESNet, 6, 1.5834596233),
    (MARTNet, 5, 1.8164148317),
    (MARTNet, 6, 1.8827205065),
]


class Known(nn.Module):
    """Gives known logits: clean ones for the row 0, adversarial ones for all else."""

    def __init__(self):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(1, dtype=torch.float64))

    def forward(self, x):
        return (CLEAN if x.abs().max() == 0 else WORST) + self.shift + 0 * x


def known(net, monkeypatch, **params):
    """A net in training whose attack finds the known points."""
    found = in_training(net, Known(), torch.zeros(2, 3, dtype=torch.float64), CODES, **params)
    monkeypatch.setattr(found.attack_, "perturb", lambda logits, x, y, **_: x + 1)
    return found


@pytest.mark.parametrize(("net", "beta", "wanted"), LOSSES)
def test_the_loss_of_the_batch_is_the_known_one(net, beta, wanted, monkeypatch):
    loss, _ = known(net, monkeypatch, beta=beta).batch_loss(torch.zeros(2, 3).double(), CODES)
    assert loss.item() == pytest.approx(wanted, abs=1e-9)


ATTACK = {"attack__eps": 0.1, "attack__bounds": None, "attack__random_state": 0}


def spelled_out(net, module, x, x_adv, y, beta):
    """TRADES and MART as their papers print them."""
    p, q = module(x).softmax(1), module(x_adv).softmax(1)
    kl = (p * (p / q).log()).sum(1)
    clean = cross_entropy(module(x), y)
    if net is TRADESNet:
        return clean + beta * kl.mean()
    right = q.gather(1, y[:, None])[:, 0]
    other = q.scatter(1, y[:, None], 0).amax(1)
    unsure = 1 - p.gather(1, y[:, None])[:, 0]
    return (-right.log() - (1 - other).log() + beta * kl * unsure).mean()


@pytest.mark.parametrize("beta", [0.5, 6.0])
@pytest.mark.parametrize("net", [TRADESNet, MARTNet])
def test_loss_and_gradient_are_those_of_the_formula(net, beta):
    fitted = in_training(net, Linear(), x64, y64, beta=beta, **ATTACK)
    loss, _ = fitted.batch_loss(x64, y64)
    wanted = spelled_out(net, fitted.module_, x64, fitted.perturb(x64, y64), y64, beta)
    torch.testing.assert_close(loss, wanted)
    parameters = list(fitted.module_.parameters())
    for ours, theirs in zip(
        torch.autograd.grad(loss, parameters), torch.autograd.grad(wanted, parameters), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize(
    ("net", "loss"), [(TRADESNet, "kl"), (MARTNet, "cross_entropy")], ids=["TRADES", "MART"]
)
def test_the_attack_climbs_what_the_paper_says(net, loss):
    fitted = in_training(net, Linear(), x64, y64, **ATTACK)
    attack = PGD(eps=0.1, bounds=None, loss=loss, random_state=0)
    points = attack.perturb(fitted.module_, x64, y64)
    torch.testing.assert_close(fitted.perturb(x64, y64), points, rtol=0, atol=0)


def test_batch_statistics_see_the_clean_and_the_adversarial_batch_once_each():
    for net in (TRADESNet, MARTNet):
        fitted = quick(net, module=Normalised, batch_size=-1, max_epochs=1).fit(X, Y)
        assert int(fitted.module_[1].num_batches_tracked) == 2


def test_a_criterion_with_superclasses_acts_on_the_clean_logits():
    superclasses = {"criterion": ClusterLoss, "criterion__superclasses": [0, 0], **ATTACK}
    net = in_training(TRADESNet, Linear(), x64, y64, beta=2, criterion__lam=0.3, **superclasses)
    plain = in_training(TRADESNet, net.module_, x64, y64, beta=2, **ATTACK)
    gap = net.batch_loss(x64, y64)[0] - plain.batch_loss(x64, y64)[0]
    penalty = F.cluster_penalty(net.module_(x64), torch.tensor([0, 0]))
    torch.testing.assert_close(gap, 0.3 * penalty)


FAULTS = [
    (TRADESNet, {"beta": -1}, "beta is -1; give a number of at least 0"),
    (TRADESNet, {"beta": np.nan}, "beta is nan"),
    (MARTNet, {"beta": "6"}, "beta is '6'"),
    (MARTNet, {"criterion": nn.MultiMarginLoss}, "criterion is .*MultiMarginLoss.*MART's loss is"),
    (MARTNet, {"criterion__label_smoothing": 0.1}, r"\['label_smoothing'\] is set for it, but MAR"),
    (GAIRATNet, {"base": "mart", "criterion": nn.MultiMarginLoss}, "MART's loss is its own"),
]


@pytest.mark.parametrize(("net", "params", "match"), FAULTS, ids=[str(f[1]) for f in FAULTS])
def test_parameters_that_make_no_sense_are_refused(net, params, match):
    with pytest.raises(ValueError, match=match):
        quick(net, **params).fit(X, Y)
