"""The modules inside an opened model: names, precision, and a copy to hook."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from sklearn_robust.differentiable import as_module, open_model
from sklearn_robust.spectral._modules import (
    example_for,
    hookable_copy,
    module_names,
    own_dtype,
)
from tests.spectral.models import Twice


def test_modules_have_the_names_of_the_users_network():
    names = set(module_names(as_module(Twice())).values())
    assert names == {"model", "conv", "last"}


def test_steps_of_a_pipeline_have_names_too():
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(*load_iris(return_X_y=True))
    names = set(module_names(as_module(model)).values())
    assert "model" in names and "standardscaler" in names


def test_a_copy_shares_the_weights_and_none_of_the_modules():
    model = as_module(Twice())
    copy = hookable_copy(model)
    pairs = list(zip(model.parameters(), copy.parameters(), strict=True))
    assert pairs and all(own is other for own, other in pairs)
    assert not set(model.modules()) & set(copy.modules())
    x = torch.randn(2, 2, 4, 4)
    torch.testing.assert_close(copy(x), model(x), rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_precision_is_that_of_the_weights(dtype):
    assert own_dtype(nn.Linear(2, 2).to(dtype)) == dtype
    assert own_dtype(nn.ReLU()) == torch.float64


def test_an_example_has_the_shape_that_is_given_or_known():
    model = open_model(nn.Linear(4, 3))
    for options in ({"X": np.zeros((5, 4))}, {"input_shape": (4,)}, {"X": [[0, 1, 2, 3]]}):
        assert example_for(model, **options).shape == (2, 4)
    fitted = open_model(LogisticRegression(max_iter=1000).fit(*load_iris(return_X_y=True)))
    assert example_for(fitted).shape == (2, 4)
