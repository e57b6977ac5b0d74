"""Bands of shares against the formula of Wilson."""

import numpy as np

from sklearn_robust.plotting._intervals import binomial_band


def test_bands_are_wilsons_intervals():
    share, n, z = np.array([0.0, 0.3, 0.97, 1.0]), 100, 1.959963984540054
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    low, high = binomial_band(share, n)
    np.testing.assert_allclose(low, np.maximum(middle - half, 0), atol=1e-12)
    np.testing.assert_allclose(high, np.minimum(middle + half, 1), atol=1e-12)
    assert (binomial_band(share, n, 0.5)[1] <= high).all()
