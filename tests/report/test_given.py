"""Samples, labels and radii that fit a model."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from sklearn_robust.differentiable import open_model
from sklearn_robust.report._given import (
    column_names,
    labels_for,
    meaning_of,
    parse_share,
    shaped_for,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 4)).astype(np.float32)
Y = np.arange(40) % 2


def fitted(y=Y):
    return open_model(LogisticRegression().fit(X, y))


@pytest.mark.parametrize("eps", ["5", "%", "-5%", "abc%", "nan%"])
def test_shares_are_percentages(eps):
    with pytest.raises(ValueError, match="eps is .*; give a radius in the units of X"):
        parse_share(eps)
    assert parse_share(0.1) is None and parse_share("5%") == 0.05


def test_a_share_is_one_of_each_spread():
    found = meaning_of("10%", "linf", fitted(), X, Y)
    np.testing.assert_allclose(found.eps, 0.1 * X.astype(np.float64).std(axis=0))
    with pytest.raises(ValueError, match="no feature of X varies"):
        meaning_of("10%", "linf", fitted(), np.ones((40, 4), np.float32), Y)


def test_images_become_rows_for_a_model_of_rows():
    images = X.reshape(40, 2, 2)
    assert shaped_for(fitted(), images).shape == (40, 4)
    assert shaped_for(fitted(), X) is X
    assert shaped_for(open_model(torch.nn.Flatten()), images) is images


def test_labels_are_spelled_as_by_the_model():
    names = ["cat", "dog"]
    spelled, shown = labels_for(fitted(np.array(names)[Y]), Y, names)
    assert spelled[:2].tolist() == ["cat", "dog"] and shown is None
    same, shown = labels_for(fitted(), Y, names)
    assert same is Y and shown == names
    codes, shown = labels_for(open_model(torch.nn.Linear(4, 2)), np.array(names)[Y], None)
    assert codes[:2].tolist() == [0, 1] and shown == names


def test_frames_have_names():
    assert column_names(pd.DataFrame({"a": [1], 2: [3]})) == ["a", "2"]
    assert column_names(X) is None
