"""Processes of a comparison."""

import pytest

from sklearn_robust.report import Settings
from sklearn_robust.report._processes import count_jobs, count_threads


@pytest.mark.parametrize(("asked", "n_jobs"), [(1, 1), (2, 2), (9, 3), (-100, 1)])
def test_there_is_at_most_one_process_for_each_net(asked, n_jobs):
    nets = ("NaturalNet", "MinMaxNet", "AdvTrainNet")
    assert count_jobs(Settings(data="moons", nets=nets, n_jobs=asked)) == n_jobs
    assert count_threads(100) == 1
