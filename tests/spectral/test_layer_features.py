"""The features of layers as a transformer, against the layers themselves."""

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


def test_the_estimator_is_fitted_on_the_columns_of_a_frame():
    frame, y = load_iris(return_X_y=True, as_frame=True)
    chosen = ColumnTransformer([("some", StandardScaler(), list(frame)[:2])])
    model = make_pipeline(chosen, LogisticRegression())
    assert len(LayerFeatures(model).fit(frame, y).transform(frame)) == len(frame)
