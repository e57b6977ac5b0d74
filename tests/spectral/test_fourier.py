"""Singular values of convolutions on a torus, against the dense matrix."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_robust.spectral import conv_singular_values
from sklearn_robust.spectral._fourier import circular_spectrum
from sklearn_robust.spectral._solve import spectrum_of
from sklearn_robust.spectral._torch_layers import map_of
from tests.spectral.convolutions import convolution, matrix_of, values_of

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")


def on_a_torus(conv, shape):
    """The convolution with the image bent round: wrap, then convolve without padding."""

    def function(x):
        for axis, size in enumerate(shape[1:]):
            reach = conv.dilation[axis] * (conv.kernel_size[axis] - 1)
            x = x.index_select(axis + 2, torch.arange(size + reach) % size)
        return conv(x)

    return function


# (out, in, kernel, size, stride, dilation, groups)
TORUS = [
    (4, 3, 3, (8, 8), 1, 1, 1),
    (3, 5, 3, (7, 7), 1, 1, 1),
    (4, 3, 3, (8, 8), 2, 1, 1),
    (6, 2, 3, (6, 6), 2, 1, 1),
    (6, 2, 3, (9, 9), 3, 1, 1),
    (4, 3, 1, (8, 8), 2, 1, 1),
    (4, 3, 1, (5, 5), 1, 1, 1),
    (4, 3, 5, (8, 8), 2, 1, 1),
    (4, 4, 3, (8, 8), 1, 1, 2),
    (4, 6, 3, (6, 6), 2, 1, 2),
    (3, 3, 3, (6, 6), 1, 1, 3),
    (2, 3, 3, (8, 8), 1, 2, 1),
    (4, 4, 3, (6, 8), (2, 1), 2, 2),
    (2, 3, (3, 1), (6, 5), (3, 1), 1, 1),
    (3, 2, 7, (4, 4), 1, 1, 1),  # larger than the map: taps meet again
    (3, 2, 5, (1, 1), 1, 1, 1),
    (3, 2, 3, (2, 2), 2, 1, 1),
    (3, 2, 3, (7,), 1, 1, 1),
    (3, 2, 4, (6,), 2, 1, 1),
    (2, 2, 3, (4, 3, 4), 1, 1, 1),
    (2, 3, 3, (4, 2, 4), (2, 1, 2), 1, 1),
]


@pytest.mark.parametrize("case", TORUS, ids=repr)
def test_fourier_gives_the_values_of_the_dense_torus(case):
    conv, shape = convolution(case)
    padded, _ = convolution(case, padding=20)  # which the torus knows nothing of
    padded.load_state_dict(conv.state_dict())
    expected = values_of(matrix_of(on_a_torus(conv, shape), shape))
    got = conv_singular_values(padded, shape, method="fft")
    assert got.shape == expected.shape == (min(matrix_of(on_a_torus(conv, shape), shape).shape),)
    np.testing.assert_allclose(got, expected, atol=1e-12)


def test_circular_padding_is_exact_by_fourier():
    conv = nn.Conv2d(3, 4, 3, padding=1, padding_mode="circular").double()
    expected = values_of(matrix_of(conv, (3, 6, 5)))
    np.testing.assert_allclose(conv_singular_values(conv, (3, 6, 5)), expected, atol=1e-12)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [2, 3, 5])
def test_small_grids_keep_the_second_and_fourth_moments(kernel, stride):
    conv = map_of(nn.Conv2d(3, 4, kernel, stride).double(), (3, 24, 24))
    taps = -(-kernel // stride)

    def moments(n):
        values, weights, _ = circular_spectrum(conv, (n, n))
        return [float((weights * values**power).sum()) / n**2 for power in (2, 4)]

    second, fourth = moments(12)
    assert moments(taps)[0] == pytest.approx(second, rel=1e-12)
    assert moments(2 * taps - 1)[1] == pytest.approx(fourth, rel=1e-12)
    if taps > 1:
        assert moments(taps)[1] != pytest.approx(fourth, rel=1e-6)
    capped, full = (spectrum_of(conv, "fft", cap).statistics() for cap in (1, None))
    for name in ("n_values", "directional_gain_mean", "directional_gain_var"):
        assert capped[name] == pytest.approx(full[name], rel=1e-10)


def test_a_stride_that_does_not_divide_the_image_is_taken_on_the_next_size():
    conv = map_of(nn.Conv2d(2, 3, 3, 2, 1).double(), (2, 7, 7))
    spectrum = spectrum_of(conv, "fft")
    expected = spectrum_of(replace(conv, size=(8, 8)), "fft")
    torch.testing.assert_close(spectrum.expanded(), expected.expanded())
    assert "stride" in spectrum.note and "stride" not in expected.note
