"""The schedule of APGD."""

from sklearn_robust.attacks._apgd_schedule import HalvingSchedule


def test_the_checkpoints_of_the_paper():
    """p_1 = 0.22, then p_{j+1} = p_j + max(p_j - p_{j-1} - 0.03, 0.06), in steps rounded up."""
    assert HalvingSchedule(100).checks == [0, 22, 41, 57, 70, 80, 87, 93, 99]
    assert HalvingSchedule(10).checks == [0, 3, 5, 6, 7, 8, 9, 10, 10]
