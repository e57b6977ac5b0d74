"""Singular values of one layer against those of its dense matrix."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_robust.spectral import conv_singular_values
from sklearn_robust.spectral._solve import largest_bound
from sklearn_robust.spectral._torch_layers import map_of
from tests.spectral.convolutions import PADDED, convolution, matrix_of, values_of

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")


# (kernel, stride, padding, dilation, size): some go round the image once, others do not
CIRCULAR = [
    *itertools.product([1, 2, 3], [1, 2, 3], [0, 1, 2], [1, 2], [(5,), (6,)]),
    *itertools.product([5], [1, 2], [1, 2, 3], [1], [(5,), (6,)]),
    *itertools.product([2, 3], [1, 2], [0, 1, (0, 1), 2], [1, (1, 2)], [(6, 6), (7, 5)]),
]


@pytest.mark.parametrize("groups", [1, 2])
def test_circular_padding_of_any_width_gives_the_values_of_the_dense_matrix(groups):
    for kernel, stride, padding, dilation, size in CIRCULAR:
        case = (2, 2, kernel, size, stride, dilation, groups)
        conv, shape = convolution(case, padding=padding, padding_mode="circular")
        label = f"{conv} on {shape}"
        matrix = matrix_of(conv, shape)
        expected = values_of(matrix)
        got = conv_singular_values(conv, shape)
        assert got.shape == expected.shape, label
        np.testing.assert_allclose(got, expected, atol=1e-12, err_msg=label)
        mapped = map_of(conv, shape)
        assert largest_bound(mapped) >= expected[0] * (1 - 1e-12), label
        square = mapped.squared_frobenius()
        assert square is None or square == pytest.approx(float(matrix.square().sum())), label


@pytest.mark.parametrize(("layer", "shape"), PADDED, ids=repr)
def test_exact_gives_the_values_of_the_layer_itself(layer, shape):
    layer = layer.double()
    expected = values_of(matrix_of(layer, shape))
    got = conv_singular_values(layer, shape, method="exact")
    np.testing.assert_allclose(got, expected, atol=1e-12)


@pytest.mark.parametrize("method", ["fft", "exact"])
def test_the_identity_has_only_ones(method):
    conv = nn.Conv2d(3, 3, 3, padding=1, bias=False).double()
    nn.init.dirac_(conv.weight)
    values = conv_singular_values(conv, (3, 6, 6), method=method)
    np.testing.assert_allclose(values, np.ones(108), atol=1e-12)


@pytest.mark.parametrize("method", ["fft", "exact", "lanczos", "reshape"])
def test_a_factor_of_the_kernel_is_one_of_every_value(method):
    conv = nn.Conv2d(2, 3, 3, padding=1).double()
    before = conv_singular_values(conv, (2, 6, 6), method=method)
    conv.weight.data *= -2.5
    after = conv_singular_values(conv, (2, 6, 6), method=method)
    np.testing.assert_allclose(after, 2.5 * before, rtol=1e-9, atol=1e-12)


def test_on_one_pixel_only_the_middle_of_the_kernel_counts():
    conv = nn.Conv2d(3, 4, 3, padding=1).double()
    expected = values_of(conv.weight.detach()[:, :, 1, 1])
    np.testing.assert_allclose(conv_singular_values(conv, (3, 1, 1)), expected, atol=1e-12)


def test_a_reshaped_kernel_is_another_matrix_than_the_operator():
    conv = nn.Conv2d(4, 4, 3, padding=1, bias=False).double()
    nn.init.orthogonal_(conv.weight)
    reshaped = conv_singular_values(conv, (4, 8, 8), method="reshape")
    operator = conv_singular_values(conv, (4, 8, 8))
    assert reshaped.std() < 1e-12 < 0.1 < operator.std()
    assert operator.max() <= 3 * reshaped.max()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_values_come_in_the_precision_of_the_weights_or_in_float32(dtype):
    values = conv_singular_values(nn.Conv2d(2, 2, 3).to(dtype), (2, 5, 5))
    assert values.dtype == (np.float64 if dtype == torch.float64 else np.float32)
    assert (np.diff(values) <= 0).all()


def test_the_layer_is_only_read():
    layer = nn.Conv2d(2, 2, 3).train()
    before = layer.weight.detach().clone()
    for method in ("auto", "fft", "exact", "lanczos", "reshape"):
        conv_singular_values(layer, (2, 6, 6), method=method)
    assert torch.equal(layer.weight, before)
    assert layer.training and layer.weight.requires_grad and layer.weight.grad is None


def constant(value):
    layer = nn.Linear(3, 2)
    nn.init.constant_(layer.weight, value)
    return layer


BAD = [
    (nn.GroupNorm(1, 2), (2, 4, 4), {}, TypeError, "GroupNorm is not a layer with a fixed matrix"),
    (nn.Conv2d(2, 2, 3), None, {}, ValueError, r"needs the shape \(C, H, W\)"),
    (nn.Conv2d(2, 2, 3), 8, {}, ValueError, r"input_shape is 8; give .* such as \(3, 32, 32\)"),
    (nn.Conv2d(2, 2, 3), (2, 8.0, 8), {}, ValueError, "a tuple of positive integers"),
    (nn.Conv2d(2, 2, 3), (2, 0, 8), {}, ValueError, "a tuple of positive integers"),
    (nn.LazyConv2d(2, 3), (2, 8, 8), {}, ValueError, "no weights yet: run it on a batch"),
    (constant(math.nan), (3,), {}, ValueError, "NaN or infinite, .*smaller learning rate"),
    (constant(math.inf), (3,), {"method": "lanczos"}, ValueError, "NaN or infinite"),
    (nn.Conv2d(2, 2, 3), (3, 8, 8), {}, ValueError, "C = 2 channels"),
    (nn.Conv1d(2, 2, 3), (2, 8, 8), {}, ValueError, r"needs the shape \(C, L\)"),
    (
        nn.Conv2d(2, 2, 5, padding=1),
        (2, 2, 9),
        {},
        ValueError,
        "covers 5 x 5 pixels, .*only 4 x 11",
    ),
    (nn.Linear(3, 2), (4,), {}, ValueError, "ends with its 3 features"),
    (
        nn.Conv2d(2, 2, 3),
        (2, 8, 8),
        {"method": "svd"},
        ValueError,
        "method is 'svd'; choose one of",
    ),
    (nn.Conv2d(2, 2, 3), (2, 8, 8), {"k": 0}, ValueError, "k is 0"),
    (nn.Conv2d(2, 2, 3), (2, 8, 8), {"k": 99}, ValueError, "only 72 singular values"),
    (
        nn.Conv2d(2, 2, 3),
        (2, 3, 3),
        {"method": "lanczos", "k": 2},
        ValueError,
        "from 1 to 1 of the 2",
    ),
    (
        nn.Conv2d(64, 64, 3, padding=1),
        (64, 32, 32),
        {"method": "exact"},
        ValueError,
        r"65536 x 65536 entries \(16 GiB\).*method='fft'",
    ),
]


@pytest.mark.parametrize(("layer", "shape", "options", "error", "words"), BAD, ids=repr)
def test_bad_input_is_told_what_to_type(layer, shape, options, error, words):
    with pytest.raises(error, match=words):
        conv_singular_values(layer, shape, **options)


def test_auto_tells_of_a_torus_in_place_of_a_large_layer():
    layer, shape = nn.Conv2d(8, 8, 3, padding=1), (8, 20, 20)
    with pytest.warns(UserWarning, match="values are those of a torus.*method='lanczos' with k"):
        values = conv_singular_values(layer, shape)
    np.testing.assert_array_equal(values, conv_singular_values(layer, shape, method="fft"))
    largest = conv_singular_values(layer, shape, k=1)  # true padding, without a warning
    assert largest[0] < values[0]
