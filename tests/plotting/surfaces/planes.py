"""Planes through samples that the tests of surfaces share."""

import torch
from torch import nn

from sklearn_robust.plotting import DecisionSurfaceDisplay
from sklearn_robust.plotting.surfaces._input_plane import InputPlane
from tests.metrics.indicator_cases import N_FEATURES, labels, mlp, samples

X = samples(10)
surface = DecisionSurfaceDisplay.from_estimator


def two_classes():
    torch.manual_seed(0)
    return nn.Linear(N_FEATURES, 2).double()


def plane(module, index=0, **options):
    defaults = {"direction": "cw", "other": "random", "norm": "linf", "attack": None}
    y = labels(module, X)
    return InputPlane(module, X, y, index=index, random_state=0, **defaults | options)


MODULE = mlp(nn.Tanh)
