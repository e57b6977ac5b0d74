"""Changes of the features of layers, against the matrices of the layers."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.naive_bayes import GaussianNB
from torch import nn

from sklearn_robust import NaturalNet
from sklearn_robust.attacks import FGSM, PGD
from sklearn_robust.datasets import load_digits_images
from sklearn_robust.spectral import feature_change_report


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits_images()
    return X, y, NaturalNet(max_epochs=2, random_state=0).fit(X[:600], y[:600])


def linear_net(orthogonal=False):
    """Two linear layers without anything between, float64."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(6, 6), nn.Linear(6, 3)).double()
    if orthogonal:
        nn.init.orthogonal_(net[0].weight)
    return net


def test_changes_of_a_linear_net_are_those_of_its_matrices():
    net = linear_net()
    X = np.random.default_rng(0).normal(size=(30, 6)).astype(np.float32)
    attack = FGSM(eps=0.1, bounds=None)
    report = feature_change_report(net, X, attack=attack, samples=True, n_directions=5)
    step = attack.generate(net, X).astype(float) - X
    first = net[0].weight.detach().numpy()
    second = net[1].weight.detach().numpy() @ first
    with torch.no_grad():
        h = [net[0](torch.tensor(X).double()), net(torch.tensor(X).double())]
    for row, matrix in enumerate((first, second)):
        change = np.linalg.norm(step @ matrix.T, axis=1)
        length = np.linalg.norm(step, axis=1)
        np.testing.assert_allclose(report.adversarial[row], change, rtol=1e-6)
        assert report.adversarial_mean[row] == pytest.approx(change.mean())
        assert report.adversarial_std[row] == pytest.approx(change.std(), rel=1e-5)
        relative = change / np.linalg.norm(h[row], axis=1)
        assert report.adversarial_relative_std[row] == pytest.approx(relative.std(), rel=1e-5)
        assert report.adversarial_max[row] == pytest.approx(change.max())
        assert report.adversarial_gain[row] == pytest.approx((change / length).mean())
        relative = change / h[row].norm(dim=1).numpy()
        assert report.adversarial_relative[row] == pytest.approx(relative.mean())
        assert report.random[row].shape == (30, 5)
        variance = report.random[row].var(1).mean()
        assert report.random_variance[row] == pytest.approx(variance)
    local = report.adversarial[1] / report.adversarial[0]
    assert report.adversarial_local_gain[1] == pytest.approx(local.mean())
    assert report.adversarial_local_gain[0] == report.adversarial_gain[0]
    np.testing.assert_allclose(report.anisotropy, report.adversarial_mean / report.random_mean)
    assert report.name == ["0", "1"] and report.type == ["Linear", "Linear"]


@pytest.mark.parametrize("noise", ["sphere", "sign"])
def test_random_perturbations_are_as_long_as_the_attack_s(noise):
    """An orthogonal layer shows their length."""
    net = linear_net(orthogonal=True)
    X = np.random.default_rng(0).normal(size=(30, 6)).astype(np.float32)
    attack = PGD(eps=0.3, norm="l2", bounds=None, random_state=0)
    report = feature_change_report(net, X, attack=attack, noise=noise, samples=True)
    np.testing.assert_allclose(
        report.random[0], report.adversarial[0][:, None].repeat(8, 1), rtol=1e-6
    )
    assert report.anisotropy[0] == pytest.approx(1) and report.random_variance[0] < 1e-12
    assert report.adversarial_gain[0] == pytest.approx(1) and report.anisotropy[1] > 1


def test_the_attack_changes_the_logits_more_than_noise_does(digits):
    X, y, net = digits
    report = feature_change_report(net, X[:100], y[:100], attack=PGD(eps=0.1, random_state=0))
    assert report.anisotropy[-1] > 2
    assert pd.DataFrame(report).shape[0] == 4 and report.n_dead.tolist() == [0] * 4


def test_layers_can_be_chosen_and_the_seed_decides(digits):
    X, _, net = digits
    a, b, c = (
        feature_change_report(net, X[:20], layers=["features"], random_state=s, batch_size=n)
        for s, n in [(0, 7), (0, 20), (1, 20)]
    )
    assert a.name == ["features"] and a.type == ["Sequential"]
    assert a.name == feature_change_report(net, X[:20], layers="features").name
    np.testing.assert_allclose(a.random_mean, b.random_mean, rtol=1e-5)
    assert a.random_mean != c.random_mean


@pytest.mark.filterwarnings("ignore::sklearn_robust.exceptions.ZeroGradientWarning")
def test_dead_layers_are_counted_not_divided_by():
    net = linear_net()
    nn.init.zeros_(net[0].weight)
    nn.init.zeros_(net[0].bias)
    X = np.random.default_rng(0).normal(size=(10, 6))
    report = feature_change_report(net, X, attack=PGD(eps=0.1, bounds=None, random_state=0))
    assert report.n_dead.tolist() == [10, 0]
    assert np.isnan(report.adversarial_relative[0]) and np.isnan(report.anisotropy[0])
    assert report.adversarial_gain[0] == 0


def test_bad_input_is_told_what_to_type(digits):
    X, _, net = digits
    with pytest.raises(ValueError, match="moved no sample: give it an eps above 0"):
        feature_change_report(net, X[:5], attack=FGSM(eps=0))
    with pytest.raises(ValueError, match="which NaturalNet lacks; choose from"):
        feature_change_report(net, X[:5], layers=["conv"])
    with pytest.raises(ValueError, match="n_directions is 0"):
        feature_change_report(net, X[:5], n_directions=0)
    with pytest.raises(ValueError, match="noise is 'cube'; choose one of"):
        feature_change_report(net, X[:5], noise="cube")
    with pytest.raises(TypeError, match="give an attack instance"):
        feature_change_report(net, X[:5], attack=PGD)
    points = np.random.default_rng(0).normal(size=(50, 2))
    bayes = GaussianNB().fit(points, np.arange(50) % 2)
    with pytest.raises(ValueError, match="GaussianNB has no linear layer whose features change"):
        feature_change_report(bayes, points)
