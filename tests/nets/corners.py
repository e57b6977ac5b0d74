"""The worst points of a linear model in float64, for nets that train on crafted samples."""

import torch

from tests.cases import blobs

X, Y = blobs()
x64, y64 = torch.tensor(X, dtype=torch.float64), torch.tensor(Y)
EPS = 0.3


def worst_points(module):
    """Where a linear model of two classes does worst in the linf ball: a corner."""
    weight = module.weight.detach().to(x64)
    uphill = torch.stack([weight[1 - label] - weight[label] for label in y64])
    return x64 + EPS * uphill.sign()
