"""What studies share: samples, pairs of nets, plain numbers."""

import json

import numpy as np
import pytest

from sklearn_robust.report.studies._common import plain, some_rows, two_nets
from tests.report.opened import small


@pytest.mark.parametrize(
    ("names", "worst", "pair"),
    [
        (("NaturalNet", "MinMaxNet", "FATNet"), (0.1, 0.5, 0.9), ["NaturalNet", "MinMaxNet"]),
        (("NaturalNet", "FATNet", "MARTNet"), (0.1, 0.5, 0.9), ["NaturalNet", "MARTNet"]),
        (("TRADESNet", "FATNet", "MARTNet"), (0.1, 0.5, 0.9), ["TRADESNet", "MARTNet"]),
        (("MinMaxNet", "FATNet"), (0.1, 0.5), ["MinMaxNet", "FATNet"]),
        (("NaturalNet",), (0.1,), ["NaturalNet"]),
    ],
)
def test_which_two_nets_are_shown_side_by_side(names, worst, pair):
    assert two_nets(small(names, worst), names) == pair


@pytest.mark.parametrize(
    ("value", "expected"),
    [(np.float32(0.5), 0.5), (np.nan, None), (np.inf, None), (np.array([1, np.nan]), [1.0, None])],
)
def test_numbers_suit_json(value, expected):
    assert plain(value) == expected
    json.dumps(plain(value), allow_nan=False)


def test_a_choice_of_samples_follows_the_seed():
    assert some_rows(5, 9, 0).tolist() == [0, 1, 2, 3, 4]
    first, again, other = (some_rows(100, 10, seed).tolist() for seed in (0, 0, 1))
    assert first == again != other and len(set(first)) == 10 and first == sorted(first)
