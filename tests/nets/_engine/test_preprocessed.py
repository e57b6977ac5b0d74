"""Preprocessing inside a net, so that eps is in raw pixels."""

import numpy as np
import pytest
import torch
from torch import nn
from torchvision import transforms

from sklearn_robust import NaturalNet, load_net, robust_score
from sklearn_robust.attacks import FGSM
from sklearn_robust.nets._engine.preprocessed import Preprocessed, Standardise

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.1, 0.3)
X = np.random.default_rng(0).random((20, 3, 4, 4), dtype=np.float32)
MODULE = nn.Sequential(nn.Flatten(), nn.Linear(48, 2))


def scaled(X):
    return (X - np.reshape(MEAN, (3, 1, 1))) / np.reshape(STD, (3, 1, 1))


WAYS = {
    "pair": (MEAN, STD),
    "module": transforms.Normalize(MEAN, STD),
    "compose": transforms.Compose([transforms.Normalize(MEAN, STD)]),
    "function": lambda x: (
        (x - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_module_sees_preprocessed_samples(way):
    net = NaturalNet.from_module(MODULE, classes=[0, 1], preprocess=WAYS[way])
    plain = NaturalNet.from_module(MODULE, classes=[0, 1])
    np.testing.assert_allclose(
        net.decision_function(X), plain.decision_function(scaled(X)), atol=1e-4
    )


def test_eps_is_in_raw_pixels():
    net = NaturalNet.from_module(MODULE, classes=[0, 1], preprocess=(MEAN, STD))
    X_adv = FGSM(eps=0.05).generate(net, X)
    assert np.abs(X_adv - X).max() <= 0.05 and 0 <= X_adv.min() and X_adv.max() <= 1
    y = net.predict(X)
    weights = (MODULE[1].weight[1] - MODULE[1].weight[0]).detach().reshape(3, 4, 4)
    reach = 0.05 * (weights.abs() / torch.tensor(STD)[:, None, None]).sum()
    left = np.abs(net.decision_function(X)) > float(reach)
    score = robust_score(net, X, y, attack=FGSM(eps=0.05, bounds=None, loss="margin"))
    assert score == pytest.approx(left.mean())


def test_nets_with_preprocessing_are_saved(tmp_path):
    net = NaturalNet.from_module(MODULE, classes=[0, 1], preprocess=(MEAN, STD))
    net.save(tmp_path / "a.net")
    module = Preprocessed(Standardise([0.0] * 3, [1.0] * 3), MODULE)
    again = load_net(tmp_path / "a.net", module=module)
    np.testing.assert_array_equal(again.decision_function(X), net.decision_function(X))


def test_single_numbers_serve_all_channels():
    net = NaturalNet.from_module(MODULE, classes=[0, 1], preprocess=(0.5, 0.25))
    plain = NaturalNet.from_module(MODULE, classes=[0, 1])
    np.testing.assert_allclose(
        net.decision_function(X), plain.decision_function(4 * X - 2), atol=1e-5
    )


@pytest.mark.parametrize(
    ("preprocess", "words"),
    [
        (transforms.Compose([transforms.ToTensor(), WAYS["module"]]), "has the step ToTensor"),
        (3, "give a function of a batch of tensors, or .mean, std. by channel"),
        ((0.5, 0.0), "give .mean, std., each one number or one for each"),
        ((MEAN,), "give .mean, std."),
        ((MEAN, STD[:2]), "give .mean, std."),
        ((0.5, "wide"), "give .mean, std."),
        ((float("nan"), 1.0), "give .mean, std."),
    ],
)
def test_what_cannot_preprocess_a_batch_is_refused(preprocess, words):
    with pytest.raises(ValueError, match=words):
        NaturalNet.from_module(MODULE, classes=[0, 1], preprocess=preprocess)
