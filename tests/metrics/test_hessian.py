"""Spectra of input Hessians against dense matrices and closed forms."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.linalg import LinearOperator, eigsh
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from torch import nn

from sklearn_robust import _functional as F
from sklearn_robust.metrics import hessian_eigvals, hessian_norm, input_jacobian
from sklearn_robust.metrics._lanczos import quadrature, top_eigvals
from tests.metrics.indicator_cases import (
    N_CLASSES,
    N_FEATURES,
    Constant,
    labels,
    linear,
    mlp,
    quadratic,
    relu_nets,
    samples,
)

X = samples(6)
SMOOTH = [nn.Tanh, nn.Softplus, nn.SiLU]


def oracle(module, X, y, value):
    """Eigenvalues of torch's own dense Hessian, sample by sample."""
    spectra = []
    for x, code in zip(torch.tensor(X), torch.tensor(y), strict=True):
        H = torch.autograd.functional.hessian(
            lambda x, c=code: value(module(x[None]), c[None])[0], x
        )
        d = x.numel()
        spectra.append(torch.linalg.eigvalsh(H.reshape(d, d)))
    return torch.stack(spectra).numpy()


def top(spectrum, k):
    rank = np.argsort(-abs(spectrum), axis=1)[:, :k]
    return np.sort(np.take_along_axis(spectrum, rank, 1), axis=1)


VALUES = {
    "margin": F.margin,
    "loss": F.cross_entropy,
    "smooth_margin": lambda z, y: F.smooth_margin(z, y, 0.5),
}


@pytest.mark.parametrize("of", VALUES)
@pytest.mark.parametrize("activation", SMOOTH, ids=lambda a: a.__name__)
def test_every_way_to_a_smooth_spectrum_agrees_with_the_dense_hessian(activation, of):
    module, y = mlp(activation), np.arange(6) % N_CLASSES
    wanted = oracle(module, X, y, VALUES[of])
    options = {"of": of, "tau": 0.5}
    scale = abs(wanted).max()
    exact = hessian_eigvals(module, X, y, **options)
    assert np.allclose(exact, wanted, atol=1e-12 * scale)
    assert np.allclose(
        hessian_eigvals(module, X, y, k=3, **options), top(wanted, 3), atol=1e-9 * scale
    )
    found = hessian_eigvals(module, X, y, k=3, method="lanczos", **options)
    assert np.allclose(found, top(wanted, 3), atol=1e-9 * scale)
    differences = hessian_eigvals(module, X, y, method="finite_difference", step=1e-4, **options)
    assert np.allclose(differences, wanted, atol=1e-5 * scale)


def test_own_functions_of_the_logits():
    module, y = mlp(nn.Tanh), np.arange(6) % N_CLASSES
    found = hessian_eigvals(module, X, y, of=F.cross_entropy)
    assert np.allclose(found, hessian_eigvals(module, X, y, of="loss"), rtol=1e-12)


def test_the_hessian_of_a_quadratic_is_its_matrix():
    module, y = quadratic(40), np.zeros(6, int)
    A, X = module.A.detach().numpy(), samples(6, (40,))
    wanted = np.linalg.eigvalsh(A)
    scale = abs(wanted).max()
    assert np.allclose(hessian_eigvals(module, X, y), wanted, atol=1e-12 * scale)
    assert np.allclose(hessian_eigvals(module, X, 1 - y), np.sort(-wanted), atol=1e-12 * scale)
    for k in (1, 5, 40):
        found = hessian_eigvals(module, X, y, k=k, method="lanczos")
        assert np.allclose(found, top(wanted[None], k), atol=1e-9 * scale)
    arpack = np.sort(eigsh(LinearOperator((40, 40), matvec=lambda v: A @ v, dtype=float), 5)[0])
    assert np.allclose(hessian_eigvals(module, X, y, k=5, method="lanczos")[0], arpack, rtol=1e-8)


# -- piecewise linear nets ----------------------------------------------------------------------


@pytest.mark.parametrize(("module", "shape"), relu_nets(), ids=lambda v: type(v).__name__)
def test_relu_nets_have_a_curved_loss_of_low_rank_and_no_curved_margin(module, shape):
    X = samples(4, shape, seed=2)
    y = (labels(module, X) + 1) % 3
    module.eval()
    with pytest.warns(UserWarning, match="piecewise linear.*of='loss'.*finite_difference"):
        assert not hessian_eigvals(module, X, y).any()
    with pytest.warns(UserWarning, match="piecewise linear"):
        assert hessian_eigvals(module, X, y, k=2, method="lanczos").shape == (4, 2)
    with torch.no_grad():
        n_classes = module(torch.tensor(X)).shape[1]
    for of, sign, rank in (("loss", 1, n_classes - 1), ("smooth_margin", -1, n_classes - 2)):
        closed = hessian_eigvals(module, X, y, of=of, tau=0.5)
        wanted = oracle(module, X, y, VALUES[of])
        scale = abs(wanted).max()
        assert np.allclose(closed, wanted, atol=1e-10 * scale)
        assert (sign * closed >= -1e-12 * scale).all()
        assert ((abs(closed) > 1e-9 * scale).sum(1) <= rank).all()
        for method in ("exact", "gauss_newton"):
            other = hessian_eigvals(module, X, y, of=of, tau=0.5, method=method)
            assert np.allclose(other, closed, atol=1e-10 * scale)
        k = min(6, X[0].size)
        found = hessian_eigvals(module, X, y, of=of, tau=0.5, method="lanczos", k=k)
        assert np.allclose(found, top(wanted, k), atol=1e-9 * scale)


def test_the_closed_form_is_the_fisher_matrix():
    module, y = mlp(nn.ReLU), np.arange(6) % N_CLASSES
    J = input_jacobian(module, X, y, of="logits")
    p = module(torch.tensor(X)).softmax(1).detach().numpy()
    A = np.einsum("nc,cd->ncd", p, np.eye(N_CLASSES)) - p[:, :, None] * p[:, None]
    wanted = np.linalg.eigvalsh(np.einsum("ncx,ncd,ndy->nxy", J, A, J))
    found = hessian_eigvals(module, X, y, of="loss", method="gauss_newton")
    assert np.allclose(found, wanted, atol=1e-12 * wanted.max())
    largest = hessian_eigvals(module, X, y, of="loss", k=1)
    assert np.allclose(largest[:, 0], wanted[:, -1])


def test_kinks_are_curvature_at_a_scale():
    module, y = mlp(nn.ReLU), np.arange(6) % N_CLASSES
    seen = hessian_eigvals(module, X, y, method="finite_difference", step=0.5)
    assert (abs(seen).max(1) > 0.1).all()


IRIS = load_iris(return_X_y=True)
KINDS = [
    (LogisticRegression(max_iter=1000), True),
    (MLPClassifier((8,), max_iter=20, random_state=0), True),  # its logits are log-probabilities
    (MLPClassifier((8,), activation="tanh", max_iter=20, random_state=0), False),
    (GaussianNB(), False),
]


@pytest.mark.parametrize(("model", "linear"), KINDS, ids=lambda v: str(v)[:40])
def test_what_is_piecewise_linear_is_found_out(model, linear):
    X, y = IRIS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few iterations
        model.fit(X, y)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        spectrum = hessian_eigvals(model, X[::10], y[::10])
    assert bool(caught) == linear == (not spectrum.any())


def test_constant_models_have_no_curvature():
    y = np.arange(6) % N_CLASSES
    with pytest.warns(UserWarning, match="piecewise linear"):
        assert not hessian_eigvals(Constant(), X, y).any()
    assert not hessian_eigvals(Constant(), X, y, of="loss").any()
    assert not hessian_eigvals(Constant(), X, y, of="loss", k=3, method="lanczos").any()


# -- Lanczos on matrices -----------------------------------------------------------------------


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


# -- norms --------------------------------------------------------------------------------------

NORMS = {
    "fro": lambda lam: np.sqrt((lam**2).sum(1)),
    "spectral": lambda lam: abs(lam).max(1),
    "nuclear": lambda lam: abs(lam).sum(1),
}


@pytest.mark.parametrize("norm", NORMS)
def test_norms_are_those_of_the_spectrum(norm):
    y = np.arange(6) % N_CLASSES
    for module, of in ((mlp(nn.Tanh), "margin"), (mlp(nn.ReLU), "loss"), (mlp(nn.Tanh), "loss")):
        wanted = NORMS[norm](hessian_eigvals(module, X, y, of=of))
        exact = hessian_norm(module, X, y, norm=norm, of=of)
        assert np.allclose(exact, wanted, rtol=1e-9)
        options = {"norm": norm, "of": of, "method": "stochastic", "random_state": 0}
        estimate = hessian_norm(module, X, y, n_probes=64, **options)
        assert np.allclose(estimate, wanted, rtol=0.3)
        assert np.mean(estimate) == pytest.approx(np.mean(wanted), rel=0.1)


def test_hutchinson_is_unbiased():
    module, y = quadratic(), np.zeros(6, int)
    wanted = np.linalg.norm(module.A.detach().numpy()) ** 2
    options = {"method": "stochastic", "n_probes": 4}
    seen = [hessian_norm(module, X, y, random_state=s, **options) ** 2 for s in range(60)]
    spread = np.std(seen) / np.sqrt(np.size(seen))
    assert abs(np.mean(seen) - wanted) < 3 * spread


def test_averages_and_batches():
    module, y = mlp(nn.Tanh), np.arange(6) % N_CLASSES
    lam = hessian_eigvals(module, X, y)
    assert np.allclose(hessian_norm(module, X, y, norm="nuclear", average=True), abs(lam).mean(1))
    rms = hessian_norm(module, X, y, average=True)
    assert np.allclose(rms, np.sqrt((lam**2).mean(1)))
    options = {"method": "stochastic", "random_state": 3}
    whole = hessian_norm(module, X, y, **options)
    order = np.array([3, 1, 5, 0, 2, 4])
    assert np.allclose(
        hessian_norm(module, X[order], y[order], batch_size=2, **options), whole[order]
    )
    assert np.allclose(hessian_eigvals(module, X, y, batch_size=1), lam, atol=1e-12)


def test_the_margin_of_a_relu_net_has_no_norm_to_speak_of():
    with pytest.warns(UserWarning, match="piecewise linear"):
        assert not hessian_norm(mlp(nn.ReLU), X, np.arange(6) % N_CLASSES).any()


def test_float32_samples_are_looked_at_in_float64():
    module, y = mlp(nn.Tanh).float(), np.arange(6) % N_CLASSES
    X32 = X.astype(np.float32)
    spectrum = hessian_eigvals(module, X32, y)
    assert spectrum.dtype == np.float64
    assert np.array_equal(spectrum, hessian_eigvals(module, X32.astype(np.float64), y))


def test_attention_has_a_second_derivative():
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(4, 2, 8, dropout=0, batch_first=True, activation="gelu")
    module = nn.Sequential(
        nn.Unflatten(1, (3, 4)), layer, nn.Flatten(), nn.Linear(12, N_CLASSES)
    ).double()
    y = np.arange(6) % N_CLASSES
    lam = hessian_eigvals(module, X, y, of="loss")
    near = hessian_eigvals(module, X, y, of="loss", method="finite_difference", step=1e-4)
    assert np.allclose(lam, near, atol=1e-4 * abs(lam).max())


# -- bad input --------------------------------------------------------------------------------

Y = np.arange(6) % N_CLASSES
BAD = [
    ({"k": N_FEATURES + 1}, f"k is {N_FEATURES + 1}, but a sample has {N_FEATURES} features"),
    ({"k": 0}, "k is 0; give an integer of at least 1"),
    ({"method": "power"}, "method is 'power'"),
    ({"method": "lanczos"}, "such as k=10"),
    ({"method": "gauss_newton"}, "does not know the curvature of of='margin'"),
    ({"method": "finite_difference"}, "such as step=0.05"),
    ({"method": "finite_difference", "step": 0}, "step is 0; give a number above 0"),
    ({"of": "entropy"}, "of is 'entropy'"),
]


@pytest.mark.parametrize(("options", "message"), BAD, ids=[case[1] for case in BAD])
def test_bad_options_are_told_what_is_wrong(options, message):
    with pytest.raises(ValueError, match=message):
        hessian_eigvals(linear(), X, Y, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"norm": "l2"}, "norm is 'l2'"),
        ({"method": "lanczos"}, "method is 'lanczos'"),
        ({"n_probes": 0}, "n_probes is 0"),
    ],
)
def test_bad_options_of_norms(options, message):
    with pytest.raises(ValueError, match=message):
        hessian_norm(linear(), X, Y, **options)
