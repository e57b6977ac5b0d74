"""Choice of the method, and bounds of the largest singular value."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from sklearn_robust.spectral import _krylov, _solve, conv_singular_values
from sklearn_robust.spectral._solve import largest_bound, spectrum_of
from sklearn_robust.spectral._torch_layers import map_of
from tests.spectral.convolutions import PADDED, matrix_of, values_of

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")


def test_a_torus_in_place_of_circular_padding_of_another_width_says_so():
    convs = [nn.Conv2d(1, 1, 3, padding=p, padding_mode="circular") for p in (0, 1, 2)]
    notes = [spectrum_of(map_of(conv, (1, 6, 6)), "fft").note for conv in convs]
    wide = "torus in place of circular padding of another width"
    assert notes == ["torus in place of a rim", "", wide]


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


@pytest.mark.parametrize(
    ("layer", "shape", "method"),
    [
        (nn.Conv2d(2, 2, 3, padding=1), (2, 4, 4), "exact"),  # cheap
        (nn.Conv2d(2, 40, 3, padding=1, padding_mode="circular"), (2, 4, 4), "fft"),
        (nn.Conv2d(40, 40, 3, padding=1), (40, 8, 8), "lanczos"),
        (nn.Conv2d(300, 300, 3, padding=1), (300, 2, 2), "exact"),  # smaller than the kernel
        (nn.Conv2d(512, 512, 3, padding=1), (512, 4, 4), "lanczos"),  # large
        (nn.Conv2d(512, 512, 1), (512, 9, 9), "fft"),
        (nn.Conv2d(32, 32, 3, padding=1, padding_mode="reflect"), (32, 20, 20), "lanczos"),
    ],
    ids=repr,
)
def test_auto_keeps_the_true_padding_and_decomposes_where_that_is_cheap(
    layer, shape, method, monkeypatch
):
    chosen = []
    for name in _solve._SOLVERS:
        monkeypatch.setitem(_solve._SOLVERS, name, lambda *_, name=name: chosen.append(name))
    spectrum_of(map_of(layer, shape))
    assert chosen == [method]


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_auto_gives_all_values_of_a_large_layer_whatever_its_padding(mode, monkeypatch):
    monkeypatch.setattr(_solve, "QUICK", 0)
    monkeypatch.setattr(_solve, "SMALL", 0)  # any layer is large
    layer = nn.Conv2d(2, 2, 3, padding=2, padding_mode=mode).double()
    expected = values_of(matrix_of(layer, (2, 5, 5)))
    for k in (None, 3, len(expected)):
        got = conv_singular_values(layer, (2, 5, 5), k=k)
        np.testing.assert_allclose(got, expected[:k], atol=1e-12)
