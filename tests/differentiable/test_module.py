"""The module of a classifier: frozen, with its classes, and apart from the estimator."""

import copy
import pickle

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from torch import nn

from sklearn_robust.differentiable import as_module


def test_a_plain_module_is_copied_and_left_alone():
    module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    view = as_module(module)
    x = torch.randn(5, 3)
    wanted = module.eval()(x).detach()
    module.train()
    module[0].weight.data.zero_()
    assert torch.equal(view(x), wanted)
    assert view(x.double()).dtype == torch.float64
    assert module.training and all(p.requires_grad for p in module.parameters())
    np.testing.assert_array_equal(view.classes_, [0, 1])


X, y = load_iris(return_X_y=True)


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
