"""Calibrated classifiers as modules."""

import numpy as np
import pytest
import torch
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits, make_moons
from sklearn.isotonic import IsotonicRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import SVC

from sklearn_robust.attacks import WorstCase
from sklearn_robust.differentiable import as_module
from sklearn_robust.differentiable.classifiers._calibration import Isotonic
from tests.differentiable.estimators import LINEAR


def test_calibrators_read_the_pairs_that_they_were_fitted_to():
    X, y = load_digits(n_class=5, return_X_y=True)
    pairs = SVC(decision_function_shape="ovo", gamma=0.001)
    model = CalibratedClassifierCV(pairs, cv=2).fit(X[:200], y[:200])
    log_p = as_module(model)(torch.tensor(X[200:260]))
    np.testing.assert_allclose(log_p.exp(), model.predict_proba(X[200:260]), atol=1e-6)


@pytest.mark.parametrize("member", [LINEAR, SVC(), GaussianNB()], ids=lambda m: type(m).__name__)
def test_isotonic_calibration_hides_nothing_from_an_attack(member):
    """It is flat nearly everywhere; the truth is known from a dense grid of the square."""
    X, y = make_moons(120, noise=0.2, random_state=0)
    model = CalibratedClassifierCV(member, method="isotonic", cv=2).fit(X, y)
    line = np.linspace(-0.2, 0.2, 21)
    square = np.stack(np.meshgrid(line, line), 2).reshape(-1, 2)
    X, y = X[:40], y[:40]
    withstand = [(model.predict(x + square) == label).all() for x, label in zip(X, y, strict=True)]
    fooled = WorstCase(eps=0.2, bounds=None, random_state=0).evaluate(model, X, y).fooled
    assert 0.2 < np.mean(withstand) < model.score(X, y) - 0.05
    assert (1 - fooled.mean()) <= np.mean(withstand) + 0.03


@pytest.mark.parametrize("curve", [[0, 0, 1], [0.2, 0.2, 0.2], [0.7, 0.8, 1.0]], ids=str)
def test_the_surrogate_of_isotonic_calibration_decides_as_it_does(curve):
    calibrator = IsotonicRegression(out_of_bounds="clip").fit([-1.0, 0.5, 2.0], curve)
    step, smooth = Isotonic(calibrator), Isotonic(calibrator)
    smooth.smooth = True
    f = torch.linspace(-1, 2, 61, dtype=torch.float64)
    no, yes = step(f)
    clear = (yes - no).abs() > 0.1
    assert torch.equal((smooth(f)[1] > smooth(f)[0])[clear], (yes > no)[clear])


def test_certainty_of_isotonic_regression_is_finite():
    X = np.linspace(-1, 1, 40)[:, None]
    model = CalibratedClassifierCV(LINEAR, method="isotonic", cv=2).fit(X, X[:, 0] > 0)
    x = torch.tensor(X, requires_grad=True)
    z = as_module(model)(x)
    (grad,) = torch.autograd.grad(z.sum(), x)
    assert (model.predict_proba(X) == 0).any()
    assert torch.isfinite(z).all() and torch.isfinite(grad).all()
