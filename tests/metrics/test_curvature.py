"""Curvature in closed form, and where there is none."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from torch import nn

from sklearn_robust.metrics import hessian_eigvals, input_jacobian
from tests.metrics.indicator_cases import N_CLASSES, Constant, mlp, samples

X = samples(6)


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
