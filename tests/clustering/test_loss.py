"""The clustering penalty: its definition, what it is blind to, and the criterion made of it."""

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_robust import MinMaxNet, NaturalNet, nets
from sklearn_robust import _functional as F
from sklearn_robust.attacks import PGD
from sklearn_robust.clustering import ClusterLoss
from sklearn_robust.datasets import make_hierarchical_blobs
from tests.cases import in_training, quick, same_weights

# Nets with a place for a criterion, and what makes their training short and adversarial.
L2 = {"attack__norm": "l2", "attack__eps": 1.0}
WITH_CRITERION = {
    "NaturalNet": {}, "MinMaxNet": L2, "TRADESNet": L2, "GAIRATNet": L2, "FATNet": L2,
    "AdvTrainNet": L2, "FastATNet": L2, "FreeATNet": L2, "JacobianRegNet": {},
}  # fmt: skip

CODES = torch.tensor([0, 0, 1, 1, 1, 1, 1, 1, 0, 0])
Z = torch.randn(7, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def by_hand(z, codes, average, detach=False):
    """Superclass by superclass, as one would write it."""
    total = 0.0
    for code in codes.unique():
        own = z[:, codes == code]
        centre = own.mean(1, keepdim=True)
        spread = ((own - (centre.detach() if detach else centre)) ** 2).sum(1)
        weight = {"class": 1 / len(codes), "superclass": 1 / len(codes.unique()) / own.shape[1]}
        total = total + weight[average] * spread
    return total.mean()


@pytest.mark.parametrize("average", ["class", "superclass"])
def test_the_penalty_is_that_of_its_definition_and_a_centre_need_not_be_detached(average):
    ours, plain, detached = (Z.clone().requires_grad_(True) for _ in range(3))
    value = F.cluster_penalty(ours, CODES, average)
    torch.testing.assert_close(value, by_hand(plain, CODES, average), rtol=1e-14, atol=0)
    value.backward()
    by_hand(plain, CODES, average).backward()
    by_hand(detached, CODES, average, detach=True).backward()
    torch.testing.assert_close(ours.grad, plain.grad, rtol=1e-12, atol=1e-16)
    torch.testing.assert_close(ours.grad, detached.grad, rtol=1e-12, atol=1e-16)


def test_it_is_the_square_of_a_projection():
    members = torch.eye(2, dtype=torch.float64)[CODES]
    averaging = members / members.sum(0) @ members.T
    torch.testing.assert_close(averaging @ averaging, averaging)
    wanted = ((Z - Z @ averaging) ** 2).sum(1).mean() / 10
    torch.testing.assert_close(F.cluster_penalty(Z, CODES), wanted)


def test_equal_superclasses_count_the_same_either_way():
    codes = torch.arange(10) % 5
    torch.testing.assert_close(
        F.cluster_penalty(Z, codes, "class"), F.cluster_penalty(Z, codes, "superclass")
    )


def test_one_class_each_costs_nothing_and_one_superclass_the_variance_of_the_logits():
    assert F.cluster_penalty(Z, torch.arange(10)) == 0
    one = F.cluster_penalty(Z, torch.zeros(10, dtype=torch.long))
    torch.testing.assert_close(one, Z.var(1, correction=0).mean())


def test_a_constant_for_each_superclass_costs_nothing():
    shift = torch.tensor([3.0, -7.0], dtype=torch.float64)[CODES]
    torch.testing.assert_close(F.cluster_penalty(Z + shift, CODES), F.cluster_penalty(Z, CODES))


def test_numbers_that_no_class_has_do_no_harm():
    torch.testing.assert_close(
        F.cluster_penalty(Z, 3 * CODES, "superclass"), F.cluster_penalty(Z, CODES, "superclass")
    )


def test_the_criterion_adds_the_penalty_to_the_cross_entropy():
    target = torch.arange(7)
    loss = ClusterLoss(CODES.tolist(), lam=0.3, average="superclass", label_smoothing=0.1)
    plain = nn.CrossEntropyLoss(label_smoothing=0.1)(Z, target)
    wanted = plain + 0.3 * F.cluster_penalty(Z, CODES, "superclass")
    torch.testing.assert_close(loss(Z, target), wanted)


@pytest.mark.parametrize("name", WITH_CRITERION)
def test_the_criterion_draws_the_logits_of_any_net_together(name):
    X, y, superclasses = make_hierarchical_blobs(10, random_state=0)
    params = {"criterion": ClusterLoss, "criterion__superclasses": superclasses, "max_epochs": 5}
    params |= WITH_CRITERION[name]
    spread = []
    for lam in (0.0, 1.0):
        net = quick(getattr(nets, name), criterion__lam=lam, **params).fit(X, y)
        z = torch.tensor(net.decision_function(X))
        spread.append(float(F.cluster_penalty(z, torch.tensor(superclasses)) / z.var()))
    assert spread[1] < 0.7 * spread[0]


def test_with_min_max_training_it_is_the_clustering_net():
    X, y, superclasses = make_hierarchical_blobs(10, random_state=0)
    attack = {"attack__norm": "l2", "attack__eps": 1.0}
    ours = quick(
        MinMaxNet, criterion=ClusterLoss, criterion__superclasses=superclasses, **attack
    ).fit(X, y)
    net = quick(nets.ClusterRegNet, superclasses=superclasses, attack=PGD, **attack).fit(X, y)
    for a, b in zip(ours.module_.parameters(), net.module_.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_with_trades_it_acts_on_the_clean_samples():
    module, codes = nn.Linear(4, 4).double(), torch.tensor([0, 0, 1, 1])
    x, y = torch.rand(6, 4, dtype=torch.float64), torch.tensor([0, 1, 2, 3, 0, 1])
    losses = []
    for criterion in ({}, {"criterion": ClusterLoss, "criterion__superclasses": codes.tolist()}):
        net = in_training(nets.TRADESNet, module, x, y, attack__eps=0.1, **criterion)
        net.attack_.set_params(random_start=False)
        losses.append(net.batch_loss(x, y)[0])
    wanted = 0.1 * F.cluster_penalty(module(x), codes)
    torch.testing.assert_close(losses[1] - losses[0], wanted)


def test_a_strength_of_zero_is_plain_training():
    X, y, superclasses = make_hierarchical_blobs(10, random_state=0)
    penalised = quick(NaturalNet, criterion=ClusterLoss, criterion__superclasses=superclasses)
    penalised.set_params(criterion__lam=0.0).fit(X, y)
    assert same_weights(penalised, quick(NaturalNet).fit(X, y))
    np.testing.assert_allclose(penalised.predict_proba(X).sum(1), 1, atol=1e-5)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"superclasses": [0.0, 1.0]}, "give the number of the superclass of each class"),
        ({"superclasses": [0, -1]}, "give the number of the superclass of each class"),
        ({"superclasses": [[0, 1]]}, "give the number of the superclass of each class"),
        ({"superclasses": ["a", "b"]}, r"is \['a', 'b'\]; give the number .* takes names, too"),
        ({"superclasses": {"a": [0, 1]}}, "give the number of the superclass of each class"),
        ({"superclasses": [0, 1], "lam": -1}, "lam is -1; give a number of at least 0"),
        ({"superclasses": [0, 1], "average": "mean"}, "average is 'mean'; choose one of"),
        (
            {"superclasses": [0, 1], "reduction": "sum"},
            r"reduction is 'sum'; choose one of \['mean",
        ),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(params, message):
    with pytest.raises(ValueError, match=message):
        ClusterLoss(**params)


def test_other_classes_are_refused():
    with pytest.raises(ValueError, match="superclasses has 2 entries, but there are logits of 10"):
        ClusterLoss([0, 1])(Z, torch.arange(7))
