"""Losses of samples: the paper's numbers in float64."""

import pytest
import torch

from sklearn_robust import _functional as F

# Logits of two clean and two adversarial samples, their classes, and each sample's loss.
CLEAN = torch.tensor([[2, 0, -1], [0, 1, 0.5]], dtype=torch.float64)
WORST = torch.tensor([[1, 0.5, -1], [0.8, 0.2, 0.1]], dtype=torch.float64)
CODES = torch.tensor([0, 1])
EACH = {
    "cross-entropy": (F.cross_entropy(CLEAN, CODES), [0.1698460196, 0.6802696706]),
    "divergence": (F.kl(WORST, CLEAN), [0.1718080349, 0.2143258912]),
    "boosted": (F.boosted_cross_entropy(WORST, CODES), [0.9829858282, 1.9867870865]),
}


@pytest.mark.parametrize("name", EACH)
def test_the_loss_of_each_sample_is_the_known_one(name):
    found, wanted = EACH[name]
    assert found.tolist() == pytest.approx(wanted, abs=1e-9)
