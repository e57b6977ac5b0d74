"""Accelerated searches: other arithmetic for the gradient, the same judge."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch import nn

from sklearn_robust import NaturalNet, robust_score
from sklearn_robust.attacks import FGSM, PGD, AutoAttack
from sklearn_robust.differentiable import Accelerated, as_module


@parametrize_with_checks([Accelerated(), Accelerated(LinearSVC())])
def test_it_is_a_classifier(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.uniform(size=(120, 1, 6, 6)).astype(np.float32)
    return X, (X.mean((1, 2, 3)) > 0.5).astype(int) + (X[:, 0, 0, 0] > 0.8)


@pytest.fixture(scope="module")
def net(data):
    return NaturalNet(max_epochs=20, random_state=0).fit(*data)


def quick(model, data, **params):
    return Accelerated(FrozenEstimator(model), **params).fit(*data)


def test_it_predicts_as_the_estimator_does(net, data):
    fast = quick(net, data)
    assert np.array_equal(fast.predict(data[0]), net.predict(data[0]))
    assert np.array_equal(fast.predict_proba(data[0]), net.predict_proba(data[0]))
    assert not hasattr(quick(LinearSVC().fit(data[0][:, 0, 0], data[1]), data), "predict_proba")


def test_the_search_computes_in_bfloat16_and_the_judge_in_float32(net, data):
    view = as_module(quick(net, data))
    x = view.tensor(data[0])
    z, wanted = view(x), as_module(net)(x)
    assert z.dtype == torch.float32
    torch.testing.assert_close(z, wanted, rtol=0.05, atol=0.05)
    assert not torch.equal(z, wanted) and torch.equal(view.exact(x), wanted)
    assert torch.equal(as_module(quick(net, data, precision="float32"))(x), wanted)
    double = x.double()
    assert torch.equal(view(double), as_module(net)(double))  # float64 stays float64


@pytest.mark.parametrize("attack", [FGSM(), PGD(random_state=0)], ids=repr)
def test_every_success_is_one_in_full_precision(net, data, attack):
    X, y = data
    result = attack.set_params(eps=0.1).evaluate(quick(net, data), X, y)
    assert np.array_equal(net.predict(result.X_adv) != y, result.fooled)
    slow = attack.evaluate(net, X, y)
    assert abs(result.fooled.mean() - slow.fooled.mean()) <= 0.02


class Coarse(nn.Module):
    """Its logits under autocast are wrong for every other sample."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 2)
        nn.init.zeros_(self.layer.weight)
        self.layer.bias.data = torch.tensor([0.5, 0.0])

    def forward(self, x):
        z = self.layer(x).float() + torch.stack([0 * x[:, 0], x[:, 1]], 1)
        lie = 10.0 * torch.is_autocast_enabled("cpu")
        return z + lie * torch.stack([0 * x[:, 0], x[:, 0] > 0.5], 1)


def test_what_reduced_precision_only_pretends_is_searched_on_in_full():
    """A point that fools only the lie is none; the true worst point is found instead."""
    X = np.array([[0.9, 0.45], [0.9, 0.1]], dtype=np.float32)
    y = np.zeros(2, dtype=int)
    model = NaturalNet(Coarse, max_epochs=1, lr=1e-12, random_state=0).fit(
        np.r_[X, X], np.array([0, 1, 0, 1])
    )
    fast = quick(model, (X, y))
    assert (as_module(fast).codes(X) == 1).all() and (model.predict(X) == 0).all()
    result = PGD(eps=0.1, loss="margin", random_state=0).evaluate(fast, X, y)
    assert list(result.fooled) == [True, False]


def test_pipelines_scores_and_cascades_take_it(net, data):
    X, y = data[0].reshape(120, -1), data[1]
    model = make_pipeline(StandardScaler(), NaturalNet(max_epochs=5, random_state=0)).fit(X, y)
    fast = quick(model, (X, y))
    attack = AutoAttack(
        eps=0.05, version="custom", attacks=[FGSM(), PGD(max_iter=5)], random_state=0
    )
    gap = robust_score(fast, X, y, attack=attack) - robust_score(model, X, y, attack=attack)
    assert abs(gap) <= 0.02
    inside = make_pipeline(StandardScaler(), Accelerated(LogisticRegression())).fit(X, y)
    assert robust_score(inside, X, y, attack=attack) <= inside.score(X, y)


def test_a_compiled_search_gives_the_same_points(net, data, monkeypatch):
    """Compilation itself is torch's: what is asked of it is one program for all batch sizes."""
    asked = []

    def compiled(module, **options):
        asked.append(options)
        return module

    monkeypatch.setattr(torch, "compile", compiled)
    X, y = data
    fast = quick(net, data, precision="float32", compile=True)
    attack = PGD(eps=0.1, random_state=0)
    assert np.array_equal(attack.generate(fast, X, y), attack.generate(net, X, y))
    assert asked == [{"dynamic": True}]


def test_it_travels_and_starts_anew(net, data):
    fast = quick(net, data, compile=True)
    copy = pickle.loads(pickle.dumps(fast))
    assert np.array_equal(copy.predict(data[0]), fast.predict(data[0]))
    assert not hasattr(clone(Accelerated(LogisticRegression())), "estimator_")
    view = as_module(fast)
    view.body.__dict__["_program"] = print
    assert "_program" not in pickle.loads(pickle.dumps(view)).body.__dict__


def test_an_unknown_precision_gets_a_sentence(data):
    with pytest.raises(ValueError, match="precision is 'float16'"):
        Accelerated(precision="float16").fit(data[0][:, 0, 0], data[1])
