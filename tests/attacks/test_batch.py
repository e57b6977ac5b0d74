"""The box of a batch."""

import numpy as np
import pytest

from sklearn_robust.attacks import PGD
from tests.attacks.models import linear, predicted, samples


def test_a_batch_outside_the_box_of_fit_has_none():
    attack = PGD(eps=0.1, random_state=0).fit(np.random.default_rng(0).random((20, 4)), [0, 1] * 10)
    model, x = linear(shape=(4,)), 3 + samples(shape=(4,))
    x_adv = attack.perturb(model, x, predicted(model, x))
    assert float((x_adv - x).abs().max()) <= 0.1 + 1e-6
    with pytest.raises(ValueError, match="leaves bounds"):
        attack.set_params(bounds=(0, 1)).perturb(model, x, predicted(model, x))
