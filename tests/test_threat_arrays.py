"""Arrays of a threat model."""

import numpy as np
import pytest

from sklearn_robust import _threat_arrays as arrays
from sklearn_robust._norms import get_norm

X = np.array([[0.2, 3.0], [0.9, 5.0]])


def test_the_box_around_samples_ends_at_the_bounds_and_on_integers():
    integer = np.array([False, True])
    low, high = arrays.box_around(X, np.array(1.5), get_norm("l2"), (0.0, 6.0), integer)
    assert np.allclose(low, [[0, 2], [0, 4]])
    assert np.allclose(high, [[1.7, 4], [2.4, 6]])


def test_a_number_of_features_does_not_limit_how_far_they_go():
    low, high = arrays.box_around(X, np.array([1.0, 0.0]), get_norm("l0"), (-7.0, 7.0), None)
    assert low.tolist() == [[-7, 3], [-7, 5]]
    assert high.tolist() == [[7, 3], [7, 5]]


@pytest.mark.parametrize(
    ("bounds", "spread"),
    [(None, 48.0), ((0.0, np.inf), 48.0), ((0.0, np.array([1.0, 4.0])), 4.0)],
)
def test_the_spread_is_that_of_the_box_or_far_more_than_that_of_samples(bounds, spread):
    assert arrays.spread_of(X, bounds) == pytest.approx(spread)


def test_flags_and_radius_are_checked():
    flags = arrays.flags_of({"mask": [1], "integer": None}, (3,))
    assert flags["mask"].tolist() == [False, True, False]
    assert flags["integer"] is None
    assert arrays.radius_of(np.inf, "l2", (3,), None) == np.inf
    with pytest.raises(ValueError, match="norm is 'l0', .* X has no box"):
        arrays.radius_of(1, "l0", (3,), None)


def test_samples_are_float32_unless_they_are_a_table():
    assert arrays.samples_of(X).dtype == np.float32
    assert arrays.samples_of(X, exact=True) is X
