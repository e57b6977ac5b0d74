"""Bins in common of several histograms."""

import numpy as np
import pytest

from sklearn_robust.plotting._histograms import edges_around_zero


@pytest.mark.parametrize("values", [[0.0], [3.0], [-2.0, -1.0], [-1e-9, 5.0], [1e6, -1e-6]])
def test_bins_hold_all_values(values):
    edges = edges_around_zero(np.array(values), 7)
    assert edges[0] <= min(values) and edges[-1] >= max(values)
    assert np.histogram(values, edges)[0].sum() == len(values)
