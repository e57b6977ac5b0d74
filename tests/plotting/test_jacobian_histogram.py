"""Every entry of the gradients is drawn."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from sklearn_robust.metrics import input_jacobian
from sklearn_robust.plotting import JacobianHistogramDisplay
from tests.plotting.drawn import MODELS

X, Y = load_digits(return_X_y=True)
X, Y = X[:20] / 16, Y[:20]


def test_every_entry_is_counted_in_the_bin_of_its_value(pyplot):
    display = JacobianHistogramDisplay.from_estimators(MODELS, X, Y)
    for (name, model), line in zip(MODELS.items(), display.lines_, strict=True):
        J = input_jacobian(model, X, Y)
        assert np.array_equal(display.gradients[name], J)
        counts, edges, _ = line.get_data()
        assert np.array_equal(counts, np.histogram(J, edges)[0]) and counts.sum() == J.size
        assert f"{name}: mean |entry| {abs(J).mean():.3g}" == line.get_label()
    assert "entry of the input Jacobian of the margin" in display.ax_.get_xlabel()


def test_numbers_from_elsewhere_can_be_drawn(pyplot):
    display = JacobianHistogramDisplay(gradients={"mine": np.array([[-1.0, 0, 2]])}).plot(bins=5)
    assert display.lines_[0].get_data().values.sum() == 3
    with pytest.raises(ValueError, match="bins is 0"):
        display.plot(bins=0)
