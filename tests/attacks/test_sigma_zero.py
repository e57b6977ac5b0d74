"""What holds for the attacks that look for the fewest features, in l0."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sklearn_robust.attacks import FAB, FMN, DeepFool, MinimumNorm, SigmaZero
from tests.attacks.models import coded, curved, distances, linear, predicted, samples

FEW = {
    "SigmaZero": lambda **params: SigmaZero(max_iter=20, **params),
    "FMN": lambda **params: FMN(norm="l0", max_iter=20, **params),
    "MinimumNorm": lambda **params: MinimumNorm(
        norm="l0", attacks=[SigmaZero(max_iter=10), FMN(max_iter=10)], **params
    ),
}


@pytest.mark.parametrize("name", FEW)
@pytest.mark.parametrize("n_classes", [2, 4])
def test_the_fewest_features_of_a_linear_model_are_found(name, n_classes):
    """Brute force: for each other class the features that gain most, as far as the box allows."""
    model, x = linear(n_classes, (8,), scale=0.3), samples(40, (8,))
    y, z = predicted(model, x), model(x).detach()
    fewest = np.full(40, np.inf)
    for row, other in itertools.product(range(40), range(n_classes)):
        if other == y[row]:
            continue
        slope = model.weight[other] - model.weight[y[row]]
        gain = torch.where(slope > 0, slope * (1 - x[row]), -slope * x[row])
        reached = gain.sort(descending=True).values.cumsum(0) > z[row, y[row]] - z[row, other]
        if reached.any():
            fewest[row] = min(fewest[row], int(reached.int().argmax()) + 1)
    result = FEW[name](bounds=(0, 1)).evaluate(model, x.float().numpy(), y.numpy())
    assert np.array_equal(result.distance, fewest)
    assert (coded(model, result.X_adv) != y.numpy())[result.fooled].all()


@pytest.mark.parametrize("name", FEW)
@settings(max_examples=5)
@given(seed=st.integers(0, 10**6), shape=st.sampled_from([(6,), (1, 3, 4)]))
def test_box_mask_grid_budget_and_batches(name, seed, shape):
    rng = np.random.default_rng(seed)
    mask, integer = rng.uniform(size=shape) < 0.8, rng.uniform(size=shape) < 0.5
    X = np.where(integer, rng.integers(0, 6, (6, *shape)), rng.uniform(0, 5, (6, *shape)))
    X = X.astype(np.float32)
    model = curved(3, shape, seed)
    y = predicted(model, torch.as_tensor(X).double()).numpy()
    attack = FEW[name](bounds=(0, 5), mask=mask, integer=integer, eps=3, random_state=0)
    result = attack.evaluate(model, X, y)
    changed = (result.X_adv != X).reshape(6, -1).sum(1)
    assert np.array_equal(result.X_adv[:, ~mask], X[:, ~mask])
    assert np.array_equal(result.X_adv[:, integer], result.X_adv[:, integer].round())
    assert result.X_adv.min() >= 0 and result.X_adv.max() <= 5 and changed.max() <= 3
    assert np.array_equal(result.distance, np.where(result.fooled, changed, np.inf))
    assert (coded(model, result.X_adv) != y)[result.fooled].all()
    again = attack.set_params(batch_size=2).evaluate(model, X, y)
    assert np.array_equal(again.distance, result.distance)
    assert np.array_equal(attack.generate(model, X, y), attack.generate(model, X, y))


def test_more_steps_need_fewer_features():
    model, x = curved(4, (1, 6, 6), width=40), samples(40, (1, 6, 6))
    y = predicted(model, x)
    few, many = (distances(SigmaZero(max_iter=n), model, x, y) for n in (1, 60))
    assert many.mean() < few.mean() and (many <= few + 1).all()


def test_a_target_is_reached():
    model, x = linear(3, (8,)), samples(20, (8,))
    target = model(x).topk(2).indices[:, 1].numpy()
    result = SigmaZero(max_iter=20, targeted=True).evaluate(model, x.float().numpy(), target)
    assert np.array_equal(result.fooled, coded(model, result.X_adv) == target)
    fab = FAB(norm="l1", targeted=True).evaluate(model, x.float().numpy(), target)
    assert np.array_equal(result.fooled, fab.fooled) and result.fooled.any()


def test_without_a_box_and_in_other_norms_it_is_refused():
    model, x, y = linear(), samples(), torch.zeros(12).long()
    with pytest.raises(ValueError, match="norm is 'l0'.* X has no box: give bounds="):
        SigmaZero(bounds=None).perturb(model, x, y)
    with pytest.raises(ValueError, match="norm is 'l2', which SigmaZero does not support"):
        SigmaZero(norm="l2").perturb(model, x, y)
    with pytest.raises(ValueError, match="norm is 'l0', which DeepFool does not support"):
        DeepFool(norm="l0").perturb(model, x, y)
