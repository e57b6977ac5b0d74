"""What the modules of a model hold, against the modules themselves."""

import torch
from torch import nn

from sklearn_robust.differentiable import as_module
from sklearn_robust.spectral._features import FeatureReader, hidden_layers, last_input
from sklearn_robust.spectral._trace import trace_of
from tests.spectral.models import Functional, Twice, randomized


def trace(module, *shape):
    return trace_of(as_module(module), torch.zeros(2, *shape, dtype=torch.float64))


def test_inputs_outputs_and_runs_are_told_apart():
    module, x = randomized(Twice()), torch.randn(3, 2, 4, 4).double()
    held = FeatureReader(as_module(module), ["conv", "conv:2", "<last", "last"])(x)
    first = module.conv(x)
    second = module.conv(nn.functional.max_pool2d(first.relu(), 2))
    torch.testing.assert_close(held["conv"], first.flatten(1))
    torch.testing.assert_close(held["conv:2"], second.flatten(1))
    torch.testing.assert_close(held["<last"], second.relu().flatten(1))
    torch.testing.assert_close(held["last"], module(x))


def test_a_reader_starts_anew_with_each_batch():
    model, x = as_module(randomized(Twice())), torch.randn(3, 2, 4, 4).double()
    reader = FeatureReader(model, ["conv:2"])
    once, again = reader(x)["conv:2"], reader(x[:2])["conv:2"]
    torch.testing.assert_close(once[:2], again)
    assert not any(part._forward_hooks for part in model.modules())


def test_hidden_layers_are_the_modules_with_a_matrix():
    layers = hidden_layers(trace(randomized(Twice()), 2, 4, 4))
    assert layers == {"conv": "Conv2d", "conv:2": "Conv2d", "last": "Linear"}


def test_the_last_input_is_that_of_a_module():
    assert last_input(trace(randomized(Twice()), 2, 4, 4)) == "<last"
    assert last_input(trace(randomized(Functional()), 1, 4, 4)) is None
    assert last_input(trace(nn.Sequential(nn.Linear(4, 3), nn.ReLU()).double(), 4)) is None
