"""What follows from the numbers: intervals, the sign test, the summary."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_robust.report._results import Results, interval, sign_test, summarize


def wilson(share, n):
    """Wilson's interval, from the formula."""
    z = 1.959963984540054
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return centre - half, centre + half


@given(st.integers(1, 2000), st.data())
def test_intervals_are_those_of_wilson(n, data):
    k = data.draw(st.integers(0, n))
    assert interval(k / n, n) == pytest.approx(wilson(k / n, n), abs=1e-9)


@pytest.mark.parametrize(
    ("better", "worse", "wins", "losses", "p_value"),
    [
        ([1, 1, 1], [1, 1, 1], 0, 0, 1.0),
        ([1, 0], [0, 1], 1, 1, 1.0),
        ([1, 1, 1, 1, 1], [0, 0, 0, 0, 0], 5, 0, 2 / 32),
        ([1] * 9 + [0], [0] * 9 + [1], 9, 1, 2 * 11 / 1024),
    ],
)
def test_sign_test_counts_samples_that_one_net_alone_keeps(better, worse, wins, losses, p_value):
    found = sign_test(np.array(better, dtype=bool), np.array(worse, dtype=bool))
    assert found == (wins, losses, pytest.approx(p_value))


def make_results(masks, eps=(0.1, 0.2, 0.3)):
    """Results of nets whose worst case leaves ``masks`` at every strength."""
    arrays = {f"{name}/worst case": np.array([mask] * 3, bool) for name, mask in masks.items()}
    nets = {
        name: {"natural": 1.0, "attacks": {"worst case": [float(np.mean(mask))] * 3}}
        for name, mask in masks.items()
    }
    plain = {"nets": nets, "eps": eps, "radii": eps, "summary_eps": 0.2, "data": {"n_test": 40}}
    return Results(plain, arrays)


def test_the_summary_ranks_by_the_worst_case():
    masks = {"A": [1] * 10 + [0] * 30, "B": [1] * 30 + [0] * 10, "C": [0] * 40}
    summary = summarize(make_results(masks))
    assert summary["ranking"] == ["B", "A", "C"]
    assert summary["accuracy"] == 0.75
    assert summary["clear"] and (summary["wins"], summary["losses"]) == (20, 0)


def test_the_summary_says_when_a_lead_may_be_chance():
    masks = {"A": [1] * 20 + [0] * 20, "B": [0] * 19 + [1] * 20 + [0]}
    summary = summarize(make_results(masks))
    assert summary["ranking"][0] in "AB" and not summary["clear"]


def test_one_net_has_no_runner_up():
    assert "p_value" not in summarize(make_results({"A": [1] * 40}))


def test_there_is_no_summary_before_the_tables_are_full():
    results = make_results({"A": [1] * 40})
    results["nets"]["A"]["attacks"]["worst case"] = [1.0]
    assert results.judged == ["A"] and results.attacked == []
    assert summarize(results) is None
    assert results.accuracy("A", "worst case", 0.1) == 1.0
    assert results.accuracy("A", "worst case", 0.3) is None
