"""What gradient attacks share: what observers see, the box of a batch, and infinite slopes."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_robust.attacks import APGD, FAB, PGD, DeepFool
from tests.attacks.models import NORMS, curved, predicted, samples


def test_observers_see_each_gradient_forward():
    model, x = curved(), samples()
    y, seen = predicted(model, x), []
    PGD(eps=0.1, max_iter=3, random_start=False).perturb(
        model, x, y, observe=lambda step, rows, z, x_adv: seen.append((step, rows, z, x_adv))
    )
    assert [step for step, *_ in seen] == [0, 1, 2]
    assert torch.equal(seen[0][3], x)
    for _, rows, z, x_adv in seen:
        assert torch.equal(rows, torch.arange(len(x)))
        torch.testing.assert_close(z, model(x_adv).detach())


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("factory", [PGD, APGD, FAB, DeepFool])
def test_an_infinite_slope_is_a_steep_one(factory, norm):
    """The root has one at 0, where many of the samples are."""
    X = np.random.default_rng(0).random((60, 4)).round(1)
    y = (X.sum(1) > 2).astype(int)
    model = make_pipeline(FunctionTransformer(np.sqrt), LogisticRegression(C=100)).fit(X, y)
    result = factory(eps=1.0, norm=norm).evaluate(model, X, y)
    assert np.isfinite(result.X_adv).all() and result.fooled.mean() > 0.5
