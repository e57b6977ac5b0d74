"""Oracles: scikit-learn's own numbers, and slopes found by differences."""

import copy

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris

from sklearn_robust.differentiable import as_module

STEP = 1e-5


def margin(z):
    """Decision function (n,) or (n, n_classes) of logits."""
    return z[:, 1:] - z[:, :1] if z.shape[1] == 2 else z


READINGS = {
    "decision_function": margin,
    "predict_log_proba": lambda z: z,
    "predict_proba": torch.exp,
}


def differences(function, X):
    """Central differences (n, n_outputs, n_features) of a function of rows."""
    columns = []
    for feature in range(X.shape[1]):
        step = np.zeros(X.shape[1])
        step[feature] = STEP
        columns.append((function(X + step) - function(X - step)) / (2 * STEP))
    return np.stack(columns, axis=2)


def slopes(module, X):
    """Derivatives (n, n_outputs, n_features) of a module's outputs by autograd."""
    x = torch.tensor(X, requires_grad=True)
    outputs = module(x).double()
    rows = [
        torch.autograd.grad(outputs[:, k].sum(), x, retain_graph=True, allow_unused=True)[0]
        for k in range(outputs.shape[1])
    ]
    return torch.stack([torch.zeros_like(x) if g is None else g for g in rows], 1).numpy()


@pytest.fixture
def agrees():
    """Give a check that a view says what its classifier says, and climbs what it climbs.

    ``method`` names what the logits are compared with; by default that is the decision function
    if there is one, else the log-probabilities. ``kinks`` is the share of slopes that may differ
    because a step of the differences straddles a kink.
    """

    def check(model, X, method=None, kinks=0.0):
        decides = hasattr(model, "decision_function")
        method = method or ("decision_function" if decides else "predict_log_proba")
        view, read = as_module(model), READINGS[method]

        def oracle(points):
            return getattr(model, method)(points).reshape(len(points), -1)

        X = X + np.random.default_rng(1).uniform(-0.01, 0.01, X.shape)  # away from any kink
        with torch.no_grad():
            z = view(torch.tensor(X))
        assert z.dtype == torch.float64
        np.testing.assert_allclose(read(z).numpy(), oracle(X), rtol=1e-8, atol=1e-8)
        np.testing.assert_array_equal(view.classes_[z.argmax(1).numpy()], model.predict(X))
        steep = differences(oracle, X)
        tolerance = 1e-5 * max(1, np.abs(steep).max())
        found = slopes(lambda x: read(view(x)), X)
        alike = np.isclose(found, steep, rtol=1e-4, atol=tolerance)
        assert 1 - alike.mean() <= kinks, (found[~alike], steep[~alike])
        return view

    return check


@pytest.fixture
def moves():
    """Give a check that a module moves to another device with all it computes with."""

    def check(module, X):
        moved = copy.deepcopy(module).to("meta")  # mixing devices raises there, as on a GPU
        out = moved(torch.tensor(X, device="meta"))
        assert out.device.type == "meta" and len(out) == len(X)

    return check


@pytest.fixture
def follows():
    """Give a check that a module maps and climbs as a fitted transformer does."""

    def check(module, transformer, X, *, at=None):
        at = X if at is None else at
        wanted = transformer.transform(at)
        wanted = wanted.toarray() if hasattr(wanted, "toarray") else np.asarray(wanted)
        with torch.no_grad():
            outputs = module(torch.tensor(at))
        assert outputs.dtype == torch.float64
        np.testing.assert_allclose(outputs.numpy(), wanted, rtol=1e-9, atol=1e-9)

        def transform(points):
            out = transformer.transform(points)
            return out.toarray() if hasattr(out, "toarray") else np.asarray(out)

        steep = differences(transform, at)
        tolerance = 1e-6 * max(1, np.abs(steep).max())
        np.testing.assert_allclose(slopes(module, at), steep, rtol=1e-5, atol=tolerance)

    return check


@pytest.fixture
def flowers():
    """Give iris data of two or three classes, with labels of any type, off every grid."""

    def load(n_classes=3, names=None):
        X, y = load_iris(return_X_y=True)
        X = X + np.random.default_rng(0).uniform(-0.04, 0.04, X.shape)
        kept = y >= 3 - n_classes
        y = y[kept] - y.min() if names is None else np.asarray(names)[y[kept]]
        return X[kept], y

    return load
