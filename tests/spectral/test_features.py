"""The features of layers, and how they change, against the layers themselves."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch import nn

from sklearn_robust import NaturalNet
from sklearn_robust.attacks import FGSM, PGD
from sklearn_robust.datasets import load_digits_images
from sklearn_robust.spectral import LayerFeatures, feature_change_report
from tests.spectral.models import Twice, randomized


@pytest.fixture(autouse=True)
def array_api(monkeypatch):
    """One check of scikit-learn's runs only where this is set."""
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")


@parametrize_with_checks([LayerFeatures(), LayerFeatures(layer=-1)])
def test_a_check_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits_images()
    return X, y, NaturalNet(max_epochs=2, random_state=0).fit(X[:600], y[:600])


def test_features_are_what_the_layers_return(digits):
    X, _, net = digits
    x, module = torch.tensor(X), net.module_
    with torch.no_grad():
        expected = {
            None: module.classifier[:2](module.features(x)),
            0: module.features[0](x).flatten(1),
            -1: module(x),
            "features": module.features(x),
            "features.3": module.features[:4](x).flatten(1),
        }
    for layer, value in expected.items():
        features = LayerFeatures(FrozenEstimator(net), layer=layer, batch_size=500).fit(X)
        got = features.transform(X)
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, value.numpy(), atol=1e-4)
        assert len(features.get_feature_names_out()) == got.shape[1]
    assert features.layer_names_ == ["features.0", "features.3", "classifier.0", "classifier.2"]


def test_of_a_linear_model_the_last_layer_sees_the_samples():
    X, y = load_iris(return_X_y=True)
    np.testing.assert_allclose(LayerFeatures().fit(X, y).transform(X), X, rtol=1e-6)
    scaled = make_pipeline(StandardScaler(), LogisticRegression())
    np.testing.assert_allclose(
        LayerFeatures(scaled).fit(X, y).transform(X),
        StandardScaler().fit_transform(X),
        rtol=1e-4,
        atol=1e-5,
    )


def test_it_is_a_step_like_any_other(digits):
    X, _, net = digits
    features = LayerFeatures(FrozenEstimator(net))
    pipe = make_pipeline(features, KMeans(3, n_init=1, random_state=0)).fit(X[:100])
    assert set(pipe.predict(X)) <= {0, 1, 2}
    frame = clone(features).set_output(transform="pandas").fit_transform(X[:50])
    assert isinstance(frame, pd.DataFrame) and frame.columns[0] == "layerfeatures0"
    fitted = features.fit(X)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.transform(X[:9]), copy.deepcopy(fitted).transform(X[:9]))


def test_an_operation_in_place_and_a_second_run_are_kept_apart():
    module = randomized(Twice()).float()
    X = np.random.default_rng(0).random((8, 2, 4, 4), dtype=np.float32)
    net = NaturalNet.from_module(module, classes=range(3))
    first, second = (
        LayerFeatures(FrozenEstimator(net), layer=name).fit(X).transform(X)
        for name in ("conv", "conv:2")
    )
    x = torch.tensor(X)
    with torch.no_grad():
        conv = module.conv(x)
        pooled = nn.functional.max_pool2d(conv.relu(), 2)
        np.testing.assert_allclose(first, conv.flatten(1), rtol=1e-5)
        np.testing.assert_allclose(second, module.conv(pooled).flatten(1), rtol=1e-5)
    assert (second < 0).any()  # and not what relu_ made of it


def test_the_net_is_left_as_it_was(digits):
    X, _, net = digits
    LayerFeatures(FrozenEstimator(net)).fit(X).transform(X)
    feature_change_report(net, X[:20], n_directions=2)
    for module in net.module_.modules():
        assert not module._forward_hooks and not module._forward_pre_hooks


def test_bad_layers_are_told_what_there_is(digits):
    X, y, net = digits
    frozen = FrozenEstimator(net)
    for layer, words in [
        ("conv9", r"layer is 'conv9'; choose one of \['model', 'features', 'features.0'"),
        (4, "layer is 4, but FrozenEstimator has 4 linear layers"),
    ]:
        with pytest.raises(ValueError, match=words):
            LayerFeatures(frozen, layer=layer).fit(X)
    flat = X.reshape(len(X), -1)
    with pytest.raises(ValueError, match="GaussianNB does not end in a linear layer; choose"):
        LayerFeatures(GaussianNB()).fit(flat, y)
    with pytest.raises(ValueError, match="requires y"):
        LayerFeatures(LogisticRegression()).fit(flat)
    with pytest.raises(NotFittedError):
        LayerFeatures(frozen).transform(X)
    with pytest.raises(ValueError, match="sample shape"):
        LayerFeatures(frozen).fit(X).transform(X[:, :, :5])
    with pytest.raises(ValueError, match="batch_size is 0"):
        LayerFeatures(frozen, batch_size=0).fit(X)


# -- feature changes ---------------------------------------------------------------------------


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


def test_the_estimator_is_fitted_on_the_columns_of_a_frame():
    frame, y = load_iris(return_X_y=True, as_frame=True)
    chosen = ColumnTransformer([("some", StandardScaler(), list(frame)[:2])])
    model = make_pipeline(chosen, LogisticRegression())
    assert len(LayerFeatures(model).fit(frame, y).transform(frame)) == len(frame)
