"""Every eigenvalue is drawn."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from sklearn_robust.metrics import hessian_eigvals
from sklearn_robust.plotting import HessianSpectrumDisplay
from tests.plotting.drawn import MODELS

X, Y = load_digits(return_X_y=True)
X, Y = X[:60] / 16, Y[:60]
MODEL = MODELS["1"]


def test_every_eigenvalue_is_counted_and_zero_has_a_bin_of_its_own(pyplot):
    display = HessianSpectrumDisplay.from_estimators(MODELS, X[:20], Y[:20], of="loss")
    lam = hessian_eigvals(MODEL, X[:20], Y[:20], of="loss")
    assert np.array_equal(display.eigenvalues["1"], lam)
    for line in display.lines_:
        values, edges, _ = line.get_data()
        assert values.sum() == lam.size
        zero = np.searchsorted(edges, 0) - 1
        assert edges[zero] == pytest.approx(-edges[zero + 1])
    assert "mean |λ|" in display.ax_.get_legend().get_texts()[0].get_text()


def test_numbers_from_elsewhere_can_be_drawn(pyplot):
    display = HessianSpectrumDisplay(eigenvalues={"mine": np.array([[-1.0, 0, 2]])}).plot(bins=5)
    assert display.lines_[0].get_data().values.sum() == 3
    with pytest.raises(ValueError, match="bins is 0"):
        display.plot(bins=0)
