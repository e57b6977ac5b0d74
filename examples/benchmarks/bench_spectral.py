"""Cost of singular values, relative to the decompositions that they need in any case.

Run with ``python examples/benchmarks/bench_spectral.py``. Layers and networks have random weights
in float32. The script uses one torch thread and prints medians of process time over interleaved
rounds.
"""

from functools import partial

import numpy as np
import torch
from _timing import print_table, ratios
from torch import nn

from sklearn_robust.modules import PreActResNet18
from sklearn_robust.spectral import conv_singular_values, layer_spectra


def layer(n_channels):
    torch.manual_seed(0)
    return nn.Conv2d(n_channels, n_channels, 3, padding=1, bias=False)


def half_spectrum(conv, size):
    """One matrix for each frequency of the half spectrum, ready to be decomposed."""
    response = torch.fft.rfft2(conv.weight.detach(), s=size)
    return response.permute(2, 3, 0, 1).contiguous()


def whole_spectrum_in_numpy(conv, size):
    """The published way: all frequencies, numpy throughout."""
    weight = conv.weight.detach().numpy().transpose(2, 3, 1, 0)

    def run():
        return np.linalg.svd(np.fft.fft2(weight, size, axes=[0, 1]), compute_uv=False)

    return run


def dense(conv, shape):
    """The matrix column by column, and its singular values."""
    n = int(np.prod(shape))

    def run():
        with torch.no_grad():
            matrix = conv(torch.eye(n).reshape(n, *shape)).flatten(1)
        return torch.linalg.svdvals(matrix)

    return run


def full_spectra():
    """All singular values of a layer against the decompositions alone."""
    for n_channels, side in ((64, 32), (128, 16)):
        conv, shape = layer(n_channels), (n_channels, side, side)
        matrices = half_spectrum(conv, shape[1:])
        ways = {
            "bare svdvals of the half spectrum": partial(torch.linalg.svdvals, matrices),
            "conv_singular_values": partial(conv_singular_values, conv, shape, method="fft"),
            "all frequencies, numpy": whole_spectrum_in_numpy(conv, shape[1:]),
        }
        title = f"all {n_channels * side**2} values, {n_channels} channels, {side} x {side}"
        print_table(title, ratios(ways, n_rounds=5), {"conv_singular_values": 1.1})


def against_the_dense_matrix():
    """The torus against the matrix, where that can be written down."""
    for n_channels, side in ((16, 8), (8, 16)):
        conv, shape = layer(n_channels), (n_channels, side, side)
        ways = {
            "dense matrix": dense(conv, shape),
            "conv_singular_values, fft": partial(conv_singular_values, conv, shape, method="fft"),
            "conv_singular_values, lanczos, k=1": partial(
                conv_singular_values, conv, shape, method="lanczos", k=1
            ),
        }
        title = f"{n_channels} channels, {side} x {side}: a matrix of {n_channels * side**2} rows"
        print_table(title, ratios(ways, n_rounds=3), {"conv_singular_values, fft": 0.02})


def whole_network(limit=10.0):
    """The table of all layers of a ResNet-18."""
    torch.manual_seed(0)
    net = PreActResNet18((3, 32, 32), 10)
    ways = {"layer_spectra": partial(layer_spectra, net, input_shape=(3, 32, 32))}
    rows = ratios(ways, n_rounds=1)
    print_table("ResNet-18 at 32 x 32, all layers, batch normalisation folded", rows)
    print(f"  at most {limit:g} s: {'yes' if rows[0][1] <= limit else 'NO'}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    full_spectra()
    against_the_dense_matrix()
    whole_network()
