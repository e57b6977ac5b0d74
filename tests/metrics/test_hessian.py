"""Spectra of input Hessians against dense matrices and closed forms."""

import numpy as np
import pytest
import torch
from scipy.sparse.linalg import LinearOperator, eigsh
from torch import nn

from sklearn_robust import _functional as F
from sklearn_robust.metrics import hessian_eigvals, hessian_norm
from tests.metrics.indicator_cases import (
    N_CLASSES,
    N_FEATURES,
    labels,
    linear,
    mlp,
    quadratic,
    relu_nets,
    samples,
    top,
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


class _Huber(nn.Module):
    def forward(self, x):
        return nn.functional.huber_loss(x, torch.zeros_like(x), reduction="none", delta=0.5)


class _Cube(nn.Module):
    def forward(self, x):
        return x**3


class _SquaredReLU(nn.Module):
    def forward(self, x):
        return (x - 1).relu() ** 2


def partly_flat(activation):
    """A sum over features of a function that is curved on some rows alone; class 1 has logit 0."""
    readout = nn.Linear(3, 2, bias=False).double()
    readout.weight.data = torch.tensor([[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]]).double()
    return nn.Sequential(activation, readout)


PARTLY_FLAT = [nn.Hardswish(), _SquaredReLU(), _Huber(), _Cube()]


@pytest.mark.parametrize("activation", PARTLY_FLAT, ids=lambda a: type(a).__name__)
def test_rows_on_flat_pieces_decide_nothing_about_the_others(activation):
    """The order of the rows, and how many are flat, change no number of any row."""
    module = partly_flat(activation)
    X = np.full((60, 3), -5.0 if not isinstance(activation, _Cube) else 0.0)
    X[[7, 31, 58]] = [[1.3, 0.2, 1.1], [2.0, 0.3, -0.4], [0.1, 1.7, 0.45]]
    y = np.zeros(60, int)
    for of in ("margin", "loss"):
        wanted = oracle(module, X, y, VALUES[of])
        assert abs(wanted[[7, 31, 58]]).max(1).min() > 1e-2
        assert np.allclose(hessian_eigvals(module, X, y, of=of), wanted, atol=1e-10)
        order = np.random.default_rng(0).permutation(60)
        again = hessian_eigvals(module, X[order], y[order], of=of)
        assert np.allclose(again, wanted[order], atol=1e-10)
        size = hessian_norm(module, X, y, of=of)
        assert np.allclose(size, np.linalg.norm(wanted, axis=1), atol=1e-10)


def test_a_method_that_is_named_is_used():
    """Gauss-Newton leaves out the curvature of the logits, whether or not there is any."""
    module, y = mlp(nn.SiLU), np.arange(6) % N_CLASSES
    rough = hessian_eigvals(module, X, y, of="loss", method="gauss_newton")
    assert not np.allclose(rough, hessian_eigvals(module, X, y, of="loss"), rtol=0.01)
    relu = mlp(nn.ReLU)
    estimate = hessian_norm(relu, X, y, of="loss", method="stochastic", random_state=0)
    exact = hessian_norm(relu, X, y, of="loss", method="exact")
    assert not np.allclose(estimate, exact, rtol=1e-6)  # random signs, not the closed form
    assert estimate.mean() == pytest.approx(exact.mean(), rel=0.2)


def test_kinks_are_curvature_at_a_scale():
    module, y = mlp(nn.ReLU), np.arange(6) % N_CLASSES
    seen = hessian_eigvals(module, X, y, method="finite_difference", step=0.5)
    assert (abs(seen).max(1) > 0.1).all()


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
