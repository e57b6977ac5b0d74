"""Lanczos iterations that break down, and quadrature."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sklearn_robust.metrics._lanczos import quadrature, top_eigvals
from tests.metrics.indicator_cases import top


def matrices(spectrum, n=3):
    """Symmetric matrices with the given eigenvalues, and a source of random vectors."""
    d = len(spectrum)
    rng = np.random.default_rng(d)
    Q = np.stack([np.linalg.qr(rng.normal(size=(d, d)))[0] for _ in range(n)])
    H = torch.tensor(np.einsum("nij,j,nkj->nik", Q, spectrum, Q))
    vectors = torch.tensor(rng.normal(size=(d + 1, n, d)))
    return lambda v: torch.einsum("nij,nj->ni", H, v), lambda step: vectors[step]


SPECTRA = {
    "zero": np.zeros(20),
    "identity": np.ones(20),
    "rank one": np.eye(20)[0],
    "low rank": np.r_[np.zeros(30), [-3.0, 2.0, 5.0]],
    "multiple": np.r_[np.full(6, -2.0), np.full(3, 4.0), np.zeros(20)],
    "spread": np.logspace(-12, 3, 40) * np.tile([1, -1], 20),
    "one feature": np.array([-7.0]),
}


@pytest.mark.parametrize("name", SPECTRA)
def test_lanczos_survives_every_breakdown(name):
    spectrum = SPECTRA[name]
    product, v = matrices(spectrum)
    for k in {1, min(4, len(spectrum)), len(spectrum)}:
        found = top_eigvals(product, v, k).numpy()
        assert np.allclose(found, top(spectrum[None], k), atol=1e-9 * (abs(spectrum).max() or 1))


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=25))
def test_lanczos_finds_the_largest_eigenvalue_of_any_spectrum(spectrum):
    product, v = matrices(np.array(spectrum), n=1)
    largest = abs(top_eigvals(product, v, 1).item())
    assert largest == pytest.approx(max(map(abs, spectrum)), rel=1e-6, abs=1e-9)


def test_quadrature_integrates_polynomials_exactly():
    spectrum = np.linspace(-2, 3, 30)
    product, v = matrices(spectrum)
    nodes, weights = quadrature(product, v, 6)
    q = v(0) / v(0).norm(dim=1, keepdim=True)
    moment, power = q, []
    for degree in range(12):
        power.append((weights * nodes**degree).sum(1))
        assert torch.allclose(power[-1], (q * moment).sum(1), rtol=1e-8)
        moment = product(moment)
