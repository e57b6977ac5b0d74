"""CertifiedNet: its loss by hand, its proofs, the networks that it can and cannot train."""

import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV
from torch import nn
from torch.nn import functional as F

from sklearn_robust import CertifiedNet, MinMaxNet
from sklearn_robust.attacks import FGSM
from sklearn_robust.certification import make_certified_scorer, robust_bounds
from sklearn_robust.datasets import load_moons
from tests.cases import Normalised, blobs, quick, same_weights

X, Y = blobs()
MOONS = load_moons(200, random_state=0)
IMAGES = blobs(24, (1, 8, 8), labels=(0, 1, 2))


def small(*, n_hidden=6):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, n_hidden), nn.ReLU(), nn.Linear(n_hidden, 2))


def test_one_step_is_that_of_interval_arithmetic_by_hand():
    net = small()
    fit = quick(
        CertifiedNet, module=net, max_epochs=1, batch_size=-1, attack__eps=0.1, eps_warm_up=0,
        ibp_init=False, optimizer=torch.optim.SGD, lr=0.1, attack__bounds=None,
    )  # fmt: skip
    fit.fit(X, Y)
    x, codes = torch.tensor(X), torch.tensor(Y)
    first, last = net[0], net[2]
    centre, radius = first(x), 0.1 * first.weight.abs().sum(1)
    low, high = (centre - radius).relu(), (centre + radius).relu()
    # Two classes: the other logit minus the own one, at its largest.
    w = last.weight[1 - codes] - last.weight[codes]
    b = last.bias[1 - codes] - last.bias[codes]
    worst = (w.clamp_min(0) * high + w.clamp_max(0) * low).sum(1) + b
    F.softplus(worst).mean().backward()
    for trained, own in zip(fit.module_.parameters(), net.parameters(), strict=True):
        assert torch.allclose(trained, own - 0.1 * own.grad, atol=1e-6)


def test_weights_without_interval_loss_are_those_of_min_max():
    params = {"attack__eps": 0.1, "module": Normalised}
    certified = quick(CertifiedNet, ibp_weight=0, ibp_init=False, **params).fit(X, Y)
    assert same_weights(
        certified, quick(MinMaxNet, lr=5e-3, lr_schedule="cosine", **params).fit(X, Y)
    )
    mixed = quick(CertifiedNet, ibp_weight=0.5, ibp_init=False, **params).fit(X, Y)
    assert not same_weights(certified, mixed)


def test_more_is_proven_than_of_other_nets():
    params = {"attack__eps": 0.05, "lr": 0.02, "max_epochs": 24, "batch_size": 64}
    net = quick(CertifiedNet, eps_warm_up=8, **params).fit(*MOONS)
    result = robust_bounds(net, *MOONS, eps=0.05)
    assert result.lower > 0.75 and result.lower <= result.upper
    assert not (result.certified & ~result.attacked).any()


def test_weights_are_drawn_for_intervals():
    module = nn.Sequential(nn.Linear(400, 300), nn.ReLU(), nn.Linear(300, 2))
    data = blobs(16, (400,))
    net = quick(CertifiedNet, module=module, lr=1e-12, optimizer=torch.optim.SGD).fit(*data)
    drawn = net.module_[0].weight.detach()
    assert float(drawn.std()) == pytest.approx((2 * np.pi) ** 0.5 / 400, rel=0.02)
    width = drawn.abs().sum(1).mean()
    assert float(width) == pytest.approx(2, rel=0.05)  # of which ReLU leaves one half
    kept = quick(CertifiedNet, module=module, lr=1e-12, optimizer=torch.optim.SGD, ibp_init=False)
    assert torch.allclose(kept.fit(*data).module_[0].weight, module[0].weight)


def test_eps_grows_over_half_of_the_epochs_and_the_rate_falls():
    net = quick(CertifiedNet, max_epochs=6, batch_size=-1, attack__eps=0.1)
    assert net.warm_up_epochs() == 3
    assert quick(CertifiedNet, max_epochs=6, eps_warm_up=1.5).warm_up_epochs() == 1.5
    rates = [row["batches"][0]["lr"] for row in net.fit(X, Y).history]
    expected = 5e-3 * (1 + np.cos(np.pi * np.arange(6) / 6)) / 2
    assert rates == pytest.approx(expected)
    assert net.share_of_eps() == 1


def test_a_second_fit_by_partial_fit_keeps_the_weights():
    net = quick(CertifiedNet, lr=1e-12, optimizer=torch.optim.SGD).fit(X, Y)
    before = net.module_.state_dict()["classifier.weight"].clone()
    net.partial_fit(X, Y)
    assert torch.allclose(net.module_.state_dict()["classifier.weight"], before)


def test_tightness_narrows_intervals_while_eps_warms_up():
    params = {"attack__eps": 0.1, "lr": 0.01, "max_epochs": 5, "eps_warm_up": 5}
    loose, tight = (
        quick(CertifiedNet, tightness=t, ibp_init=False, **params).fit(X, Y) for t in (0, 20)
    )
    sizes = [
        float(net.module_.features[1].weight.detach().abs().sum(1).mean()) for net in (loose, tight)
    ]
    assert sizes[1] < sizes[0]


@pytest.mark.parametrize(
    "parts",
    [
        [nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.MaxPool2d(2)],
        [nn.Conv2d(1, 4, 3), nn.GELU(), nn.Dropout(), nn.AvgPool2d(2)],
        [nn.Conv2d(1, 4, 3), nn.Softplus(), nn.AdaptiveAvgPool2d(3)],
    ],
)
def test_convolutions_pooling_and_normalisation(parts):
    module = nn.Sequential(*parts, nn.Flatten(), nn.Linear(36, 3))
    net = quick(CertifiedNet, module=module, attack__eps=0.01, max_epochs=3).fit(*IMAGES)
    assert all(np.isfinite(net.history[:, "train_loss"]))
    assert robust_bounds(net, *IMAGES, eps=0.001).note is None
    assert all(part.training is False for part in net.module_.modules())


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"ibp_weight": 1.5}, "ibp_weight is 1.5"),
        ({"tightness": -1}, "tightness is -1"),
        ({"eps_warm_up": -1}, "eps_warm_up is -1"),
        ({"ibp_init": "yes"}, "ibp_init is 'yes'"),
        ({"attack__norm": "l2", "attack__eps": 1}, "CertifiedNet trains on boxes, and the attack"),
        ({"module": nn.Sequential(nn.Linear(4, 2), nn.LayerNorm(2))}, "cannot train this module"),
    ],
)
def test_what_cannot_be_trained_is_refused(params, sentence):
    with pytest.raises(ValueError, match=sentence):
        quick(CertifiedNet, **params).fit(X, Y)


def test_a_search_by_what_is_proven():
    net = quick(CertifiedNet, attack=FGSM, attack__eps=0.05, lr=0.01, max_epochs=10)
    scorer = make_certified_scorer(eps=0.05)
    search = GridSearchCV(net, {"ibp_weight": [0.5, 1.0]}, scoring=scorer, cv=2).fit(X, Y)
    assert 0.5 < search.best_score_ <= 1
    assert scorer(search, X, Y) == robust_bounds(search, X, Y, eps=0.05).lower
