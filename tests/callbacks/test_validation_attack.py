"""The threat that a net is judged at in training."""

import pytest

from sklearn_robust.attacks import FAB, FGSM, PGD, WorstCase
from sklearn_robust.callbacks._validation_attack import threat_of


def test_a_net_is_judged_at_the_threat_it_trains_against():
    class Net:
        attack_ = WorstCase([PGD(eps=0.2, norm="l2"), FGSM()], bounds=(0, 1), mask=[True] * 4)

    params = threat_of(Net())
    assert params == {
        "eps": 0.2,
        "norm": "l2",
        "bounds": (0, 1),
        "mask": [True] * 4,
        "integer": None,
        "increasing": None,
        "categorical": None,
        "max_flips": None,
        "relations": None,
    }
    Net.attack_ = FAB()
    with pytest.raises(ValueError, match="which has no radius to judge the net at"):
        threat_of(Net())
    Net.attack_ = None
    assert threat_of(Net()) == {}
