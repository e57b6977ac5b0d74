"""Tensors as parameters of criterion and module: cast, or refused where they do not fit."""

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_robust import NaturalNet
from sklearn_robust.nets._engine.criterion import (
    criterion_in_float32,
    criterion_params,
    in_float32,
)
from tests.cases import blobs, quick

X, Y = blobs()
WEIGHT = np.array([0.5, 2.0])
PRIOR = torch.tensor(WEIGHT, dtype=torch.float32)


class Prior(nn.Module):
    """A loss of one's own with class priors."""

    def __init__(self, prior):
        super().__init__()
        self.register_buffer("prior", prior)

    def forward(self, z, y):
        return nn.functional.cross_entropy(z + self.prior.log(), y)


def fitted(**params):
    return quick(NaturalNet, random_state=0, **params).fit(X, Y).decision_function(X)


@pytest.mark.parametrize(
    "given", [torch.tensor(WEIGHT), torch.tensor(WEIGHT).half(), WEIGHT, WEIGHT.astype("f")]
)
def test_priors_of_a_loss_of_ones_own_come_in_any_dtype(given):
    right = fitted(criterion=Prior, criterion__prior=PRIOR)
    np.testing.assert_array_equal(fitted(criterion=Prior, criterion__prior=given), right)


def test_an_instance_in_float64_is_copied():
    criterion = nn.CrossEntropyLoss(weight=torch.tensor(WEIGHT))
    right = fitted(criterion__weight=PRIOR)
    np.testing.assert_array_equal(fitted(criterion=criterion), right)
    assert criterion.weight.dtype == torch.float64
    kept = nn.CrossEntropyLoss(weight=PRIOR)
    assert criterion_in_float32(kept) is kept and criterion_in_float32(len) is len


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ("heavy", "criterion__weight is 'heavy'; give one number for each class"),
        ([1.0, "b"], "criterion__weight is .*; give one number for each class"),
        ([1.0], r"criterion__weight has shape \(1,\), and there are 2 classes: give one"),
        (np.ones((2, 2)), r"criterion__weight has shape \(2, 2\), and there are 2 classes"),
    ],
)
def test_weights_that_do_not_fit_are_refused(weight, message):
    with pytest.raises(ValueError, match=message):
        fitted(criterion__weight=weight)


def test_only_floats_are_cast():
    given = {"a": np.arange(2), "b": "text", "c": torch.ones(2).bool(), "d": WEIGHT, "e": None}
    cast = in_float32(given)
    assert all(cast[name] is given[name] for name in "abce") and cast["d"].dtype == np.float32
    cast = criterion_params({"pos_weight": WEIGHT, "weight": None}, nn.BCEWithLogitsLoss, None)
    assert cast["pos_weight"].dtype == torch.float32 and cast["weight"] is None
    assert WEIGHT.dtype == np.float64
