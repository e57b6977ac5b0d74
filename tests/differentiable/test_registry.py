"""The front door: what as_module takes, what it returns, what it refuses, and how to extend it."""

import copy
import pickle

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.datasets import load_iris
from sklearn.ensemble import (
    AdaBoostClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.exceptions import NotFittedError
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.naive_bayes import BernoulliNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Binarizer, OrdinalEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier
from torch import nn

from sklearn_robust.differentiable import (
    AnyDtype,
    DifferentiableModel,
    as_module,
    frozen,
    module_of,
    register,
)
from sklearn_robust.exceptions import NotDifferentiableError

X, y = load_iris(return_X_y=True)


class Halve(TransformerMixin, BaseEstimator):
    """A user's transformer."""

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        return X / 2


class HalveTwice(Halve):
    """A subclass that inherits the registration."""


class Nearest(ClassifierMixin, BaseEstimator):
    """A user's classifier: softmax of minus the squared distance to the class means."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.means_ = np.stack([X[y == c].mean(0) for c in self.classes_])
        return self

    def predict_proba(self, X):
        p = np.exp(-((X[:, None] - self.means_) ** 2).sum(2))
        return p / p.sum(1, keepdims=True)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(1)]


class HalveModule(nn.Module):
    def forward(self, x):
        return x / 2


class NearestModule(nn.Module):
    def __init__(self, means):
        super().__init__()
        self.register_buffer("means", torch.tensor(means))

    def forward(self, x):
        return -(x[:, None] - self.means.to(x.dtype)).square().sum(2)


register(Halve, lambda fitted: HalveModule())


@register(Nearest)
def _nearest(fitted):
    return NearestModule(fitted.means_)


@pytest.mark.parametrize("step", [Halve(), HalveTwice()], ids=["itself", "subclass"])
def test_a_registered_transformer_works_in_pipelines(agrees, step):
    agrees(make_pipeline(StandardScaler(), step, LogisticRegression()).fit(X, y), X)


def test_a_registered_classifier_works_alone_and_in_ensembles(agrees):
    z = as_module(Nearest().fit(X, y))(torch.tensor(X))
    np.testing.assert_allclose(
        z.softmax(1).numpy(), Nearest().fit(X, y).predict_proba(X), atol=1e-12
    )
    members = [("own", Nearest()), ("linear", LogisticRegression(max_iter=1000))]
    agrees(VotingClassifier(members, voting="soft").fit(X, y), X, "predict_proba")


def test_register_returns_the_function():
    def build(fitted):
        return HalveModule()

    class Other(Halve):
        pass

    assert register(Other)(build) is build
    assert register(Other, build) is build


REFUSED = [
    DecisionTreeClassifier(),
    RandomForestClassifier(2),
    ExtraTreesClassifier(2),
    GradientBoostingClassifier(n_estimators=2),
    HistGradientBoostingClassifier(max_iter=2),
    AdaBoostClassifier(n_estimators=2),
    KNeighborsClassifier(),
    BernoulliNB(),
    GaussianProcessClassifier(),
]


@pytest.mark.parametrize("model", REFUSED, ids=lambda model: type(model).__name__)
def test_classifiers_without_a_gradient_are_named_with_a_way_out(model):
    name = type(model).__name__
    with pytest.raises(NotDifferentiableError, match=f"^{name} .*Square.*BlackBoxWarning"):
        as_module(model.fit(X, y))


@pytest.mark.parametrize("step", [Binarizer(), OrdinalEncoder()], ids=lambda s: type(s).__name__)
def test_steps_without_a_gradient_are_named_with_a_way_out(step):
    name = type(step).__name__
    message = f"Step '{name.lower()}' of the pipeline .*: {name} .*Leave the step out.*Square"
    with pytest.raises(NotDifferentiableError, match=message):
        as_module(make_pipeline(step, LogisticRegression(max_iter=1000)).fit(X, y))


def test_unknown_estimators_are_told_of_register():
    with pytest.raises(NotDifferentiableError, match="LinearRegression has no .*register"):
        as_module(LinearRegression().fit(X, y))
    with pytest.raises(NotDifferentiableError, match="int has no"):
        as_module(3)


@pytest.mark.parametrize("model", [LogisticRegression(), RandomForestClassifier()], ids=str)
def test_unfitted_estimators_are_refused(model):
    with pytest.raises(NotFittedError, match=r"call fit\(X, y\) first"):
        as_module(model)


def test_a_view_of_a_view_is_the_view():
    view = as_module(LogisticRegression(max_iter=1000).fit(X, y))
    assert as_module(view) is view
    assert repr(view).startswith("DifferentiableModel")


def test_a_view_is_frozen_and_leaves_the_estimator_alone():
    model = LogisticRegression(max_iter=1000).fit(X, y)
    view = as_module(model)
    before = view(torch.tensor(X))
    assert not view.training and not any(p.requires_grad for p in view.parameters())
    model.coef_[:] = 0
    assert torch.equal(view(torch.tensor(X)), before)
    twin = copy.deepcopy(view)
    for buffer in twin.buffers():
        buffer.zero_()
    assert torch.equal(view(torch.tensor(X)), before)
    assert torch.equal(pickle.loads(pickle.dumps(view))(torch.tensor(X)), before)


def test_codes_are_the_predicted_classes_in_batches():
    model = LogisticRegression(max_iter=1000).fit(X, np.array(["c", "a", "b"])[y])
    view = as_module(model)
    codes = view.codes(X, batch_size=7)
    np.testing.assert_array_equal(view.classes_[codes], model.predict(X))
    assert view.tensor(X).data_ptr() != torch.as_tensor(X).data_ptr()


def test_the_classes_of_a_module_are_numbered_once_known():
    view = as_module(nn.Linear(4, 3))
    with pytest.raises(AttributeError, match="known after its first forward"):
        view.classes_  # noqa: B018
    view(torch.zeros(1, 4))
    np.testing.assert_array_equal(view.classes_, [0, 1, 2])


class Pair(nn.Module):
    def forward(self, x):
        return x[:, :3], x


class Named(nn.Module):
    def forward(self, x):
        return {"logits": x}


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Linear(4, 1), r"shape \(2, 1\).*at least two classes.*torch\.cat"),
        (nn.Unflatten(1, (2, 2)), r"shape \(2, 2, 2\)"),
        (Named(), "returns dict; a classifier returns logits"),
    ],
    ids=["one-output", "three-axes", "dict"],
)
def test_outputs_that_are_no_logits_are_refused(module, message):
    with pytest.raises(ValueError, match=message):
        as_module(module)(torch.zeros(2, 4))


def test_logits_must_match_the_classes():
    view = DifferentiableModel(nn.Linear(4, 3), classes=["a", "b"], name="Net")
    with pytest.raises(ValueError, match="Net returns 3 logits per sample but has 2 classes"):
        view(torch.zeros(2, 4))


def test_the_first_of_several_outputs_holds_the_logits():
    x = torch.randn(2, 4)
    assert torch.equal(as_module(Pair())(x), x[:, :3])


def test_any_dtype_keeps_one_copy_for_each():
    module = nn.Linear(4, 2)
    body = AnyDtype(module)
    for dtype in (torch.float32, torch.float64, torch.float64, torch.float16):
        assert body(torch.zeros(1, 4, dtype=dtype)).dtype == dtype
    assert set(body._others) == {torch.float64, torch.float16}


def test_frozen_gives_every_flag_back_even_after_an_error():
    module = nn.Sequential(nn.Linear(2, 2), nn.Dropout(), nn.BatchNorm1d(2)).train()
    module[2].eval()
    module[0].bias.requires_grad_(False)
    with pytest.raises(RuntimeError, match="stop"), frozen(module):
        assert not any(part.training for part in module.modules())
        assert not any(p.requires_grad for p in module.parameters())
        raise RuntimeError("stop")
    assert [part.training for part in module] == [True, True, False]
    assert [p.requires_grad for p in module.parameters()] == [True, False, True, True]


def test_the_module_behind_a_callable_is_found():
    module = nn.Linear(2, 2)
    assert module_of(module) is module
    assert module_of(module.forward) is module
    assert module_of(torch.sin) is None
    with frozen(torch.sin):
        pass
