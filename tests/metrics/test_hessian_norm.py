"""Norms of the Hessian against its spectrum."""

import numpy as np
import pytest
from torch import nn

from sklearn_robust.metrics import hessian_eigvals, hessian_norm
from tests.metrics.indicator_cases import N_CLASSES, linear, mlp, quadratic, samples

X = samples(6)

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


def test_the_margin_of_a_relu_net_has_no_norm_to_speak_of():
    with pytest.warns(UserWarning, match="piecewise linear"):
        assert not hessian_norm(mlp(nn.ReLU), X, np.arange(6) % N_CLASSES).any()


Y = np.arange(6) % N_CLASSES


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
