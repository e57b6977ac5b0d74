"""Convolutions to decompose, and their dense matrices."""

import math

import torch
from torch import nn


def matrix_of(function, shape):
    """Dense matrix of an affine function of one sample."""
    eye = torch.eye(math.prod(shape), dtype=torch.float64).reshape(-1, *shape)
    with torch.no_grad():
        return (function(eye) - function(torch.zeros_like(eye))).flatten(1).T


def values_of(matrix):
    return torch.linalg.svdvals(matrix).numpy()


def convolution(case, **options):
    n_out, n_in, kernel, size, stride, dilation, groups = case
    kind = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}[len(size)]
    options = {"stride": stride, "dilation": dilation, "groups": groups} | options
    return kind(n_in, n_out, kernel, **options).double(), (n_in, *size)


PADDED = [
    (nn.Conv2d(2, 3, 3, padding=1), (2, 6, 6)),
    (nn.Conv2d(2, 3, 3, 2, 1, 2), (2, 7, 8)),
    (nn.Conv2d(2, 3, 3), (2, 5, 6)),
    (nn.Conv2d(4, 4, 3, padding="same", groups=2), (4, 5, 5)),
    (nn.Conv2d(2, 2, (2, 3), padding="same"), (2, 4, 4)),  # more on one side than on the other
    (nn.Conv2d(2, 2, 3, padding=1, padding_mode="reflect"), (2, 5, 5)),
    (nn.Conv2d(2, 2, 3, padding=2, padding_mode="replicate"), (2, 4, 4)),
    (nn.Conv2d(2, 2, (3, 5), padding=(1, 2), padding_mode="circular"), (2, 6, 5)),
    (nn.Conv1d(2, 4, 3, padding="same", dilation=2, groups=2), (2, 7)),
    (nn.Conv3d(2, 2, 2, padding="valid"), (2, 3, 4, 4)),
    (nn.ConvTranspose1d(4, 2, 3, 2, 1, 1, groups=2), (4, 5)),
    (nn.ConvTranspose2d(3, 2, 3, 2, 1, 1), (3, 4, 4)),
    (nn.ConvTranspose2d(2, 3, 3, dilation=2), (2, 3, 4)),
    (nn.ConvTranspose3d(2, 1, 2, 2), (2, 2, 2, 2)),
    # More output padding than a stride: no input reaches further for that.
    (nn.ConvTranspose1d(2, 3, 3, 2, 1, 4, dilation=5), (2, 4)),
    (nn.ConvTranspose2d(1, 1, 2, dilation=2, output_padding=1), (1, 4, 4)),
    (nn.ConvTranspose2d(2, 4, 1, output_padding=(1, 0), groups=2, dilation=2), (2, 3, 4)),
    (nn.Linear(7, 4), (7,)),
    (nn.Linear(5, 4), (3, 5)),
]
