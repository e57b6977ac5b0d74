"""The fast version of AutoAttack: the verdicts of the standard one, with less work."""

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_robust.attacks import PGD, AutoAttack
from sklearn_robust.attacks._fast_search import FastSearch, SamplesLeft
from tests.attacks.models import NORMS, boundary_distance, curved, linear, predicted, samples

EPS = {"linf": 0.1, "l2": 0.3, "l1": 0.6}


def fast(norm, **params):
    return FastSearch(eps=EPS[norm], norm=norm, max_iter=12, n_queries=40, random_state=0, **params)


def test_the_fast_version_is_this_search():
    (member,) = AutoAttack(eps=0.1, norm="l2", version="fast").members()
    assert isinstance(member, FastSearch) and (member.eps, member.norm) == (0.1, "l2")


@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize("norm", NORMS)
def test_it_is_exact_on_linear_models(norm, n_classes):
    model, x = linear(n_classes), samples(40)
    y = predicted(model, x)
    exact = torch.as_tensor(boundary_distance(model, x, y, norm))
    withstood = fast(norm, bounds=None).robust_mask(model, x, y)
    clear = (exact - EPS[norm]).abs() > 0.01 * EPS[norm]
    assert torch.equal(withstood[clear], exact[clear] > EPS[norm])


@pytest.mark.parametrize("norm", NORMS)
def test_it_fools_what_the_standard_version_fools(norm):
    model, x = curved(4, width=40), samples(40)
    y = predicted(model, x)
    params = {"eps": EPS[norm], "norm": norm, "random_state": 0}
    ours = fast(norm).robust_mask(model, x, y)
    standard = [
        member.set_params(max_iter=min(member.max_iter, 25), **params)
        for member in AutoAttack(norm=norm, eps=EPS[norm]).members()
    ]
    theirs = AutoAttack(version="custom", attacks=standard, **params).robust_mask(model, x, y)
    assert 0 < ours.sum() < len(x) and (ours & ~theirs).sum() <= 1


class Rounded(nn.Module):
    """A model whose gradient is zero everywhere."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner((8 * x).round() / 8)


def test_masked_gradients_call_the_search_by_scores():
    model, x = Rounded(linear(3)), samples(40)
    y = predicted(model, x)
    left = fast("linf").set_params(n_queries=200, eps=0.3).robust_mask(model, x, y)
    assert PGD(eps=0.3, loss="margin").robust_mask(model, x, y).all() or left.sum() < 30
    assert left.sum() < 0.7 * len(x)


def test_a_sample_does_not_depend_on_its_batch():
    model, x = curved(4, width=40), samples(6)
    y = predicted(model, x)
    attack = fast("linf")
    together = attack.perturb(model, x, y)
    alone = torch.cat([attack.perturb(model, x[i : i + 1], y[i : i + 1]) for i in range(6)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-9)


def test_less_is_spent_on_samples_far_from_a_boundary():
    model, x = linear(4, scale=1.0), samples(60)
    y = predicted(model, x)
    exact = boundary_distance(model, x, y, "linf")
    attack = FastSearch(eps=0.1, random_state=0, bounds=None)
    spent = attack.evaluate(model, x.float().numpy(), y.numpy()).n_queries
    far, robust = exact > 0.2, (exact > 0.1) & (exact < 0.104)
    assert far.any() and (spent[far] < 700).all()
    assert not robust.any() or spent[robust].min() > spent[far].max()


def test_rivals_and_margins_are_those_of_the_best_point():
    model, x = curved(4, width=40), samples(20)
    y = predicted(model, x)
    seen = []

    class Spy(FastSearch):
        def _search_by_scores(self, left):
            super()._search_by_scores(left)
            seen.append(left)

    Spy(eps=0.1, max_iter=9, n_queries=10, random_state=0).robust_mask(model, x, y)
    (left,) = seen
    assert isinstance(left, SamplesLeft)
    z = model(left.result.x_adv).detach().numpy()
    own = z[np.arange(20), y]
    z[np.arange(20), y] = -np.inf
    assert np.array_equal(z.argmax(1), left.rival) and np.allclose(own - z.max(1), left.margin)
