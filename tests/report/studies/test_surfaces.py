"""The decision surface and what is correlated."""

import math

import pytest

from sklearn_robust.metrics import decision_margin
from sklearn_robust.report.studies._surfaces import MEASURES, _correlation
from tests.report.opened import open_report, small


def test_the_middle_of_a_surface_is_its_sample(digits):
    results, data, nets = open_report(digits)
    facts = results["studies"]["surface"]
    margin = decision_margin(nets["NaturalNet"], data.X_test, data.y_test)[facts["row"]]
    surface = results.arrays["surface/NaturalNet"]
    assert surface[len(surface) // 2, len(surface) // 2] == pytest.approx(margin, rel=1e-4)


@pytest.mark.parametrize(
    ("values", "worst", "rho"),
    [
        ([1, 2, 3], [0.1, 0.5, 0.9], 1.0),
        ([3, 2, 1], [0.1, 0.5, 0.9], -1.0),
        ([1, 3, 2], [0.1, 0.5, 0.9], 0.5),
        ([1, 1, 2], [0.1, 0.5, 0.9], math.sqrt(3) / 2),
        ([1, 1, 1], [0.1, 0.5, 0.9], None),
        ([1, 2, 3], [0.5, 0.5, 0.5], None),
        ([1, None, 3], [0.1, 0.5, 0.9], None),
    ],
)
def test_rank_correlation_with_the_worst_case(values, worst, rho):
    found = {name: {"jacobian": value} for name, value in zip("ABC", values, strict=True)}
    measured = _correlation(small(worst=worst), found, "jacobian")
    assert measured == (None if rho is None else pytest.approx(rho))


def test_every_indicator_has_a_sign():
    assert set(MEASURES.values()) == {-1, 1}
