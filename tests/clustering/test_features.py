"""Distances of the classes' outputs against the paper's formula."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from torch import nn

from sklearn_robust import NaturalNet
from sklearn_robust.clustering import (
    feature_distance_matrix,
)
from tests.cases import quick

X, y = load_iris(return_X_y=True)


def test_the_distances_of_mean_logits_follow_the_papers_formula():
    rng = np.random.default_rng(0)
    model = LogisticRegression(max_iter=1000).fit(X, y)
    order = rng.permutation(len(X))
    z = model.decision_function(X[order].astype(np.float32))
    means = np.stack([z[y[order] == c][:7].mean(0) for c in range(3)])
    wanted = np.array([[((a - b) ** 2).sum() / 3 for b in means] for a in means])
    found = feature_distance_matrix(model, X[order], y[order], max_per_class=7, normalize=None)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-12)
    rowwise = feature_distance_matrix(model, X[order], y[order], max_per_class=7)
    np.testing.assert_allclose(rowwise, wanted / wanted.max(1, keepdims=True), rtol=1e-5, atol=1e-9)


def test_its_rows_are_in_the_order_of_the_classes_of_a_net():
    names = np.array(["c", "a", "b"])
    net = quick(NaturalNet).fit(X, names[y])
    D = feature_distance_matrix(net, X, names[y])
    assert D.shape == (3, 3) and np.all(np.diag(D) == 0) and np.allclose(D.max(1), 1)
    bare = feature_distance_matrix(net.module_, X, np.array([2, 0, 1])[y])
    np.testing.assert_allclose(bare, D, rtol=1e-5, atol=1e-7)


def test_distances_that_make_no_sense_are_refused():
    model = LogisticRegression(max_iter=1000).fit(X, y)
    with pytest.raises(ValueError, match=r"no samples of the classes \[2\]"):
        feature_distance_matrix(model, X[:100], y[:100])
    with pytest.raises(
        ValueError, match=r"labels that LogisticRegression was not fitted on: \[7\]"
    ):
        feature_distance_matrix(model, X, np.where(y == 2, 7, y))
    with pytest.raises(ValueError, match="normalize is 'column'"):
        feature_distance_matrix(model, X, y, normalize="column")
    with pytest.raises(ValueError, match="max_per_class is 0; give an integer"):
        feature_distance_matrix(model, X, y, max_per_class=0)
    with pytest.raises(ValueError, match="5 features, but LogisticRegression"):
        feature_distance_matrix(model, np.zeros((3, 5)), [0, 1, 2])
    same = nn.Linear(4, 3)
    nn.init.zeros_(same.weight)
    with pytest.raises(ValueError, match="same mean logits.*normalize=None"):
        feature_distance_matrix(same, X, y)
    assert torch.all(same.weight == 0)
