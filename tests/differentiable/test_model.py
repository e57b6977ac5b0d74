"""A classifier is opened once: what the model offers agrees with the estimator itself."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC
from torch import nn

import sklearn_robust.differentiable as package
from sklearn_robust import NaturalNet
from sklearn_robust.differentiable import DifferentiableModel, Model, open_model
from sklearn_robust.differentiable._fast.copying import frozen_twin
from sklearn_robust.metrics import jacobian_norm, robust_score
from tests.cases import Normalised, blobs, quick, same_state, state_of

X, y = blobs(60, labels=("a", "b", "c"))
CODES = np.arange(60) % 3


class Images(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(64, 3))


@pytest.fixture(scope="module")
def linear():
    return LogisticRegression(max_iter=1000).fit(X, y)


def test_an_opened_model_is_returned_as_it_is(linear):
    model = open_model(linear)
    assert open_model(model) is model and isinstance(model, Model)


def test_logits_scores_and_labels_are_those_of_the_estimator(linear):
    model = open_model(linear)
    z = linear.decision_function(X.astype(np.float64))
    for logits in (model.logits, model.fused, model.scores, model.double):
        np.testing.assert_allclose(logits(torch.tensor(X, dtype=torch.float64)), z, atol=1e-10)
    assert model.differentiable and model.reason is None and model.native is None
    assert model.name == "LogisticRegression" and model.input_shape == (4,)
    assert model.device == torch.device("cpu")
    np.testing.assert_array_equal(model.classes_, ["a", "b", "c"])
    np.testing.assert_array_equal(model.label_codes(X, y), CODES)
    np.testing.assert_array_equal(model.classes_[model.predict_codes(X)], linear.predict(X))


def test_votes_are_smooth_in_the_logits_alone():
    model = open_model(SVC().fit(X, y))
    x = torch.tensor(X)
    assert model.logits is not model.module and model.scores(x).allclose(model.module(x))
    assert not model.logits(x).allclose(model.module(x))


@pytest.mark.parametrize("labels", [(0, 1), ("a", "b", "c")], ids=len)
def test_native_logits_are_those_of_the_estimator_bit_for_bit(labels):
    X, y = blobs(90, labels=labels)
    net = quick(NaturalNet, module=Normalised, module__n_classes=len(labels)).fit(X, y)
    z = net.decision_function(X)
    found = open_model(net).native(torch.tensor(X)).numpy()
    assert np.array_equal(found if len(labels) > 2 else found[:, 1] - found[:, 0], z)


class Doubtful(NaturalNet):
    def predict(self, X):
        return np.roll(super().predict(X), 1)


def test_a_net_that_predicts_in_its_own_way_has_no_native_logits():
    net = quick(Doubtful, module=Normalised, module__n_classes=3).fit(X, y)
    model = open_model(net)
    assert model.native is None
    np.testing.assert_array_equal(model.classes_[model.predict_codes(X)], net.predict(X))


def test_an_opened_model_copies_weights_at_most_twice():
    images, labels = blobs(20, shape=(1, 6, 6), labels=(0, 1, 2))
    net = quick(NaturalNet, module=Images).fit(images, labels)
    model, x = open_model(net), torch.tensor(images)
    sources = [model.module, model.logits, model.fused, model.scores]
    for source in sources:
        source(x)
    kept = [t for source in sources for t in (*source.parameters(), *source.buffers())]
    big = {t.data_ptr() for t in kept if t.numel() == 64 * 3}
    assert len(big) == 1  # the last layer, which no fused copy changes
    assert net.module_[3].weight.data_ptr() not in big
    before = model.logits(x)
    with torch.no_grad():
        net.module_[3].weight.zero_()
    assert torch.equal(model.logits(x), before)


def test_an_indicator_accepts_an_opened_model(linear):
    model = open_model(linear)
    np.testing.assert_array_equal(jacobian_norm(model, X, y), jacobian_norm(linear, X, y))


def test_the_old_name_of_the_module_warns():
    with pytest.warns(FutureWarning, match="is called DifferentiableModel now"):
        old = package.View
    assert old is DifferentiableModel
    with pytest.raises(AttributeError, match="Vue"):
        package.Vue()


class Held(nn.Module):
    """Layers in a list that torch does not know, a bound method, a hook and a lock."""

    def __init__(self):
        super().__init__()
        import threading

        self.norm, self.drop = nn.BatchNorm1d(4), nn.Dropout(0.9)
        self.listed = [self.norm, self.drop]
        self.act, self.lock, self.seen = self.sharpen, threading.Lock(), []
        self.linear = nn.Linear(4, 3)
        self.linear.register_forward_hook(lambda layer, inputs, z: 2 * z)
        self.register_buffer("calls", torch.zeros(()))

    def sharpen(self, x):
        self.seen.append(self.training)
        self.calls += 1
        return x.tanh()

    def forward(self, x):
        for layer in self.listed:
            x = layer(x)
        with self.lock:
            return self.linear(self.act(x))


def test_a_twin_is_in_eval_mode_and_keeps_everything_to_itself():
    module = Held().train()
    module(torch.tensor(X)).sum().backward()
    before, seen = state_of(module), list(module.seen)
    twin = frozen_twin(module)
    x = torch.tensor(X)
    with torch.no_grad():
        mean, std = module.norm.running_mean, (module.norm.running_var + 1e-5).sqrt()
        h = ((x - mean) / std * module.norm.weight + module.norm.bias).tanh()
        wanted = 2 * (h @ module.linear.weight.T + module.linear.bias)
    torch.testing.assert_close(twin(x), wanted, rtol=1e-5, atol=1e-6)
    assert not any(p.requires_grad for p in twin.parameters())
    assert twin.seen == [*seen, False] and module.seen == seen
    assert twin.lock is module.lock and twin.act.__self__ is twin
    same_state(module, before)


def test_a_twin_follows_weights_that_change_in_place():
    module = nn.GRU(4, 3)
    twin, x = frozen_twin(module), torch.tensor(X)[:, None]
    with torch.no_grad():
        for weight in module.parameters():
            weight.mul_(2)
    assert torch.equal(twin(x)[0], module(x)[0])
    assert {p.data_ptr() for p in twin.parameters()} == {p.data_ptr() for p in module.parameters()}


def test_images_with_their_channels_last_are_told_how_to_move_them():
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    images = np.random.default_rng(0).random((6, 8, 9, 3), dtype=np.float32)
    y = np.arange(6) % 2
    with pytest.raises(ValueError, match=r"channels last.*type np.moveaxis\(X, -1, 1\), or X.tran"):
        robust_score(module, images, y, eps=0.1)
    robust_score(module, np.moveaxis(images, -1, 1), y, eps=0.1)
    with pytest.raises(ValueError, match=r"fails on samples of shape \(5, 8, 9\) \(Given groups"):
        robust_score(module, np.zeros((6, 5, 8, 9)), y, eps=0.1)
