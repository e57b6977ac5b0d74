"""A classifier and its samples, checked once."""

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_robust.differentiable import as_module
from sklearn_robust.metrics import input_jacobian
from tests.metrics.indicator_cases import N_CLASSES, N_FEATURES, samples, some_labels

X = samples()


def batch_norm(**options):
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(N_FEATURES, 8), nn.BatchNorm1d(8, **options), nn.ReLU(), nn.Linear(8, N_CLASSES)
    ).double()


def test_a_net_left_in_training_mode_is_judged_in_eval_mode_and_stays_as_it_was():
    module, y = batch_norm(), some_labels()
    module(torch.tensor(X))  # moves the statistics
    before = {k: v.clone() for k, v in module.state_dict().items()}
    J = input_jacobian(module.train(), X, y)
    assert module.training
    assert all(torch.equal(before[k], v) for k, v in module.state_dict().items())
    assert np.array_equal(J, input_jacobian(module.eval(), X, y))


def test_statistics_of_the_batch_are_refused():
    model = batch_norm(track_running_stats=False)
    with pytest.raises(ValueError, match=r"statistics from the batch.*call \.eval\(\)"):
        input_jacobian(model, X, some_labels())


def test_a_differentiable_model_stays_in_evaluation_mode():
    module, y = batch_norm(), some_labels()
    right = input_jacobian(module, X, y)
    np.testing.assert_array_equal(input_jacobian(as_module(module).train(), X, y), right)
