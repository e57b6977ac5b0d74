"""Lanczos methods against the dense matrix."""

import copy
import math

import numpy as np
import pytest
import torch
from scipy.sparse.linalg import ArpackNoConvergence, svds
from torch import nn

from sklearn_robust.spectral import _krylov, conv_singular_values
from sklearn_robust.spectral._krylov import quadrature
from sklearn_robust.spectral._solve import spectrum_of
from sklearn_robust.spectral._torch_layers import map_of
from tests.spectral.convolutions import matrix_of, values_of

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")


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
    with pytest.raises(ValueError, match=r"18 x 50 entries.*Use layer.double\(\).*method='fft'"):
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
