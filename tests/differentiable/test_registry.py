"""The front door: what as_module takes, what it returns, what it refuses, and how to extend it."""

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from sklearn_robust.differentiable import as_module, register
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
