"""Predictions beside the module itself, whatever the batches and modes."""

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_robust import NaturalNet
from sklearn_robust.nets._engine import predict


def module(n_classes):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, n_classes))


@pytest.mark.parametrize("n_classes", [2, 4])
def test_logits_labels_and_probabilities_are_those_of_the_module(n_classes, monkeypatch):
    monkeypatch.setattr(predict, "auto_batch_size", lambda *_: 7)  # three batches, the last odd
    own, X = module(n_classes), np.random.default_rng(0).normal(size=(17, 3)).astype("float32")
    net = NaturalNet.from_module(own, classes=[*"abcd"][:n_classes])
    z = own.eval()(torch.tensor(X)).detach().numpy()
    wanted = z[:, 1] - z[:, 0] if n_classes == 2 else z
    np.testing.assert_allclose(net.decision_function(X), wanted, rtol=1e-5, atol=1e-6)
    assert (net.predict(X) == net.classes_[z.argmax(1)]).all()
    np.testing.assert_allclose(net.predict_proba(X).sum(1), 1, rtol=1e-6)


def test_a_module_in_training_mode_is_left_as_it_was():
    net = NaturalNet.from_module(module(3), classes=range(3))
    net.module_.train()
    before = {name: value.clone() for name, value in net.module_.state_dict().items()}
    X = np.random.default_rng(1).normal(size=(9, 3)).astype("float32")
    first = net.decision_function(X)
    assert (first == net.decision_function(X)).all()
    assert net.module_.training
    assert all((before[name] == value).all() for name, value in net.module_.state_dict().items())


def test_a_net_without_a_fit_says_so():
    net = NaturalNet()
    for name in ("classes_", "n_iter_"):
        with pytest.raises(AttributeError, match="this NaturalNet is not fitted yet"):
            getattr(net, name)
