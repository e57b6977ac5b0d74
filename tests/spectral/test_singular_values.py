"""Singular values of layers against dense matrices, in float64."""

import copy
import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.linalg import ArpackNoConvergence, svds
from torch import nn

from sklearn_robust.spectral import _krylov, _solve, conv_singular_values
from sklearn_robust.spectral._fourier import circular_spectrum
from sklearn_robust.spectral._krylov import quadrature
from sklearn_robust.spectral._solve import largest_bound, spectrum_of
from sklearn_robust.spectral._torch_layers import map_of

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")


def matrix_of(function, shape):
    """Dense matrix of an affine function of one sample."""
    eye = torch.eye(math.prod(shape), dtype=torch.float64).reshape(-1, *shape)
    with torch.no_grad():
        return (function(eye) - function(torch.zeros_like(eye))).flatten(1).T


def on_a_torus(conv, shape):
    """The convolution with the image bent round: wrap, then convolve without padding."""

    def function(x):
        for axis, size in enumerate(shape[1:]):
            reach = conv.dilation[axis] * (conv.kernel_size[axis] - 1)
            x = x.index_select(axis + 2, torch.arange(size + reach) % size)
        return conv(x)

    return function


def values_of(matrix):
    return torch.linalg.svdvals(matrix).numpy()


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


def convolution(case, **options):
    n_out, n_in, kernel, size, stride, dilation, groups = case
    kind = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}[len(size)]
    options = {"stride": stride, "dilation": dilation, "groups": groups} | options
    return kind(n_in, n_out, kernel, **options).double(), (n_in, *size)


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


def test_a_torus_in_place_of_circular_padding_of_another_width_says_so():
    convs = [nn.Conv2d(1, 1, 3, padding=p, padding_mode="circular") for p in (0, 1, 2)]
    notes = [spectrum_of(map_of(conv, (1, 6, 6)), "fft").note for conv in convs]
    wide = "torus in place of circular padding of another width"
    assert notes == ["torus in place of a rim", "", wide]


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


@pytest.mark.parametrize(("layer", "shape"), PADDED, ids=repr)
def test_exact_gives_the_values_of_the_layer_itself(layer, shape):
    layer = layer.double()
    expected = values_of(matrix_of(layer, shape))
    got = conv_singular_values(layer, shape, method="exact")
    np.testing.assert_allclose(got, expected, atol=1e-12)


@pytest.mark.parametrize(("layer", "shape"), PADDED, ids=repr)
def test_the_closed_form_of_the_frobenius_norm_is_that_of_the_dense_matrix(layer, shape):
    square = map_of(layer.double(), shape).squared_frobenius()
    if getattr(layer, "padding_mode", "zeros") in ("reflect", "replicate"):
        assert square is None
    else:
        assert square == pytest.approx(float(matrix_of(layer, shape).square().sum()), rel=1e-12)


@pytest.mark.parametrize(("layer", "shape"), PADDED[:-2], ids=repr)
def test_the_bound_is_above_the_largest_value_and_lanczos_finds_it(layer, shape, monkeypatch):
    monkeypatch.setattr(_krylov, "QUICK", 0)  # no dense matrix
    expected = values_of(matrix_of(layer.double(), shape))
    assert largest_bound(map_of(layer, shape)) >= expected[0] * (1 - 1e-12)
    got = conv_singular_values(layer, shape, method="lanczos", k=2)
    np.testing.assert_allclose(got, expected[:2], rtol=1e-8)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 1000),
    kernel=st.integers(1, 5),
    stride=st.integers(1, 3),
    padding=st.integers(0, 3),
    size=st.integers(3, 7),
)
def test_no_zero_padded_convolution_exceeds_the_larger_torus(seed, kernel, stride, padding, size):
    torch.manual_seed(seed)
    if size + 2 * padding < kernel:
        return
    conv = nn.Conv1d(2, 2, kernel, stride, padding).double()
    assert (
        largest_bound(map_of(conv, (2, size))) >= values_of(matrix_of(conv, (2, size)))[0] - 1e-12
    )


def test_a_transposed_convolution_has_the_values_of_the_convolution_it_turns_round():
    back = nn.ConvTranspose2d(3, 2, 3, 2, 1, output_padding=1).double()
    conv = nn.Conv2d(2, 3, 3, 2, 1).double()
    conv.weight = back.weight
    for method in ("fft", "exact", "lanczos", "reshape"):
        np.testing.assert_array_equal(
            conv_singular_values(back, (3, 4, 4), method=method),
            conv_singular_values(conv, (2, 8, 8), method=method),
        )


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


def test_the_directional_gain_is_what_random_directions_show():
    layer = nn.Conv2d(2, 3, 3, stride=2, padding=1).double()
    spectrum = spectrum_of(map_of(layer, (2, 4, 4)), "exact")
    u = torch.randn(200_000, 2, 4, 4, dtype=torch.float64)
    u /= u.flatten(1).norm(dim=1).reshape(-1, 1, 1, 1)
    with torch.no_grad():
        gain = (layer(u) - layer(torch.zeros_like(u[:1]))).flatten(1).square().sum(1)
    expected = spectrum.statistics()
    assert float(gain.mean()) == pytest.approx(expected["directional_gain_mean"], rel=0.01)
    assert float(gain.var()) == pytest.approx(expected["directional_gain_var"], rel=0.02)


def test_no_spread_of_the_values_is_the_same_gain_in_every_direction():
    layer = nn.Linear(5, 5).double()
    nn.init.orthogonal_(layer.weight)
    numbers = spectrum_of(map_of(layer)).statistics()
    assert numbers["std"] < 1e-12 and numbers["directional_gain_var"] < 1e-12
    assert numbers["directional_gain_mean"] == pytest.approx(1)


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


def test_the_quadrature_has_the_moments_of_the_spectrum():
    conv = map_of(nn.Conv2d(6, 6, 3, padding=1).double(), (6, 10, 10))
    exact, estimate = (
        spectrum_of(conv, "exact").statistics(),
        spectrum_of(conv, "lanczos").statistics(),
    )
    assert estimate["n_values"] == exact["n_values"]
    assert estimate["max"] == pytest.approx(exact["max"], rel=1e-9)
    for name in ("mean", "std", "directional_gain_mean"):
        assert estimate[name] == pytest.approx(exact[name], rel=0.03)
    assert math.isnan(estimate["min"])


def test_the_quadrature_survives_a_space_that_is_exhausted_at_once():
    conv = nn.Conv2d(2, 2, 3, padding=1, bias=False).double()
    nn.init.dirac_(conv.weight)
    values, weights = quadrature(map_of(conv, (2, 4, 4)))
    assert float((weights * values).sum()) == pytest.approx(32)
    assert float((weights * values**2).sum()) == pytest.approx(32)


@pytest.mark.parametrize(
    ("layer", "shape", "method"),
    [
        (nn.Conv2d(2, 2, 3, padding=1), (2, 4, 4), "exact"),  # cheap
        (nn.Conv2d(2, 40, 3, padding=1, padding_mode="circular"), (2, 4, 4), "fft"),
        (nn.Conv2d(40, 40, 3, padding=1), (40, 8, 8), "fft"),
        (nn.Conv2d(300, 300, 3, padding=1), (300, 2, 2), "exact"),  # smaller than the kernel
        (nn.Conv2d(100, 100, 3, padding=1), (100, 4, 4), "exact"),  # crowded
        (nn.Conv2d(512, 512, 3, padding=1), (512, 4, 4), "fft"),  # crowded, but too large
        (nn.Conv2d(512, 512, 1), (512, 9, 9), "fft"),
        (nn.Conv2d(32, 32, 3, padding=1, padding_mode="reflect"), (32, 20, 20), "lanczos"),
    ],
    ids=repr,
)
def test_auto_takes_the_truth_where_it_is_cheap_and_the_torus_where_it_is_close(
    layer, shape, method, monkeypatch
):
    chosen = []
    for name in _solve._SOLVERS:
        monkeypatch.setitem(_solve._SOLVERS, name, lambda *_, name=name: chosen.append(name))
    spectrum_of(map_of(layer, shape))
    assert chosen == [method]


def test_a_stride_that_does_not_divide_the_image_is_taken_on_the_next_size():
    conv = map_of(nn.Conv2d(2, 3, 3, 2, 1).double(), (2, 7, 7))
    spectrum = spectrum_of(conv, "fft")
    expected = spectrum_of(replace(conv, size=(8, 8)), "fft")
    torch.testing.assert_close(spectrum.expanded(), expected.expanded())
    assert "stride" in spectrum.note and "stride" not in expected.note


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
    (nn.GroupNorm(1, 2), (2, 4, 4), {}, TypeError, "GroupNorm is no layer with a fixed matrix"),
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


@pytest.mark.parametrize("n_filters", [2, 3])
def test_lanczos_asks_a_small_layer_for_no_more_than_it_has(n_filters):
    layer = nn.Conv2d(1, n_filters, 5)
    exact = conv_singular_values(layer, (1, 5, 5))
    got = conv_singular_values(layer, (1, 5, 5), method="lanczos")
    np.testing.assert_allclose(got, exact[: n_filters - 1], rtol=1e-4)


REPEATED = [  # each kernel sees pixels of its own, so that values repeat
    (nn.ConvTranspose2d(4, 2, 2, stride=2, groups=2), (4, 4, 5)),
    (nn.ConvTranspose2d(4, 2, 3, stride=3, padding=1, output_padding=1), (4, 4, 5)),
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("layer", "shape"), REPEATED, ids=repr)
def test_lanczos_finds_each_copy_of_a_value_that_repeats(layer, shape, dtype):
    torch.manual_seed(0)
    layer.reset_parameters()
    layer = copy.deepcopy(layer).to(dtype)
    exact = conv_singular_values(layer, shape, method="exact", k=6)
    np.testing.assert_allclose(
        conv_singular_values(layer, shape, method="lanczos"), exact, rtol=1e-5
    )


def test_lanczos_that_does_not_converge_gives_way_to_the_dense_matrix(monkeypatch):
    def never(*_, **__):
        raise ArpackNoConvergence("No convergence", np.empty(0), np.empty(0))

    monkeypatch.setattr(_krylov, "QUICK", 0)
    monkeypatch.setattr(_krylov, "svds", never)
    layer = nn.Conv2d(2, 2, 3).double()
    got = conv_singular_values(layer, (2, 5, 5), method="lanczos", k=3)
    np.testing.assert_allclose(got, values_of(matrix_of(layer, (2, 5, 5)))[:3])
    monkeypatch.setattr(_krylov, "ENTRIES", 0)
    with pytest.raises(ValueError, match=r"18 x 50 entries.*use layer.double\(\).*method='fft'"):
        conv_singular_values(layer, (2, 5, 5), method="lanczos")


def test_lanczos_tries_a_larger_space_for_values_that_lie_together(monkeypatch):
    spaces = []

    def second(*args, **options):
        spaces.append(options.get("ncv"))
        if len(spaces) == 1:
            raise ArpackNoConvergence("No convergence", np.empty(0), np.empty(0))
        return svds(*args, **options)

    monkeypatch.setattr(_krylov, "QUICK", 0)
    monkeypatch.setattr(_krylov, "svds", second)
    layer = nn.Conv2d(1, 1, 3, padding=1).double()
    got = conv_singular_values(layer, (1, 10, 10), method="lanczos")
    np.testing.assert_allclose(got, values_of(matrix_of(layer, (1, 10, 10)))[:6], rtol=1e-8)
    assert spaces == [None, 80]


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_auto_gives_all_values_of_a_large_layer_whatever_its_padding(mode, monkeypatch):
    monkeypatch.setattr(_solve, "QUICK", 0)
    monkeypatch.setattr(_solve, "SMALL", 0)  # any layer is large
    layer = nn.Conv2d(2, 2, 3, padding=2, padding_mode=mode).double()
    expected = values_of(matrix_of(layer, (2, 5, 5)))
    for k in (None, 3, len(expected)):
        got = conv_singular_values(layer, (2, 5, 5), k=k)
        np.testing.assert_allclose(got, expected[:k], atol=1e-12)
