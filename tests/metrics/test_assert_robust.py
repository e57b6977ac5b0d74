"""The demand on robust accuracy, and the test of a drop."""

import numpy as np
import pytest
from scipy.stats import binom
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from sklearn_robust.attacks import FGSM, PGD, WorstCase
from sklearn_robust.metrics import assert_robust, robust_score
from sklearn_robust.metrics._assert_robust import drop_test, why_not_robust

X, Y = load_iris(return_X_y=True)
X = X / 8


@pytest.fixture(scope="module")
def model():
    return LogisticRegression(C=100, max_iter=1000).fit(X, Y)


def test_the_number_is_the_robust_score(model):
    score = robust_score(model, X, Y, attack=WorstCase(eps=0.02, random_state=0))
    assert_robust(model, X, Y, eps=0.02, at_least=score)
    with pytest.raises(AssertionError, match="95 % interval .* 150 samples.*, and at least"):
        assert_robust(model, X, Y, eps=0.02, at_least=score + 1e-6)


def test_eps_and_norm_replace_those_of_the_attack(model):
    attack = PGD(eps=9.0)
    assert_robust(model, X, Y, eps=0.001, norm="l2", at_least=0.9, attack=attack)
    assert attack.eps == 9.0 and attack.norm == "linf"


def test_a_model_without_a_gradient_must_be_allowed():
    tree = KNeighborsClassifier(4).fit(X, Y)
    with pytest.raises(AssertionError, match="no gradient reaches the input.*allow_black_box"):
        assert_robust(tree, X[::5], Y[::5], eps=0.001, at_least=0.5)
    assert_robust(tree, X[::5], Y[::5], eps=0.001, at_least=0.5, allow_black_box=True)


def test_signs_of_masking_fail_the_demand(monkeypatch, model):
    def masked(*args):
        numbers = {"worst_case": 1.0, "interval": (0.9, 1.0), "n_samples": 9}
        return {**numbers, "warnings": {"zero gradient": "it is flat"}}, {}

    monkeypatch.setattr("sklearn_robust.metrics._assert_robust.measure", masked)
    with pytest.raises(AssertionError, match="cannot be trusted .zero gradient: it is flat"):
        assert_robust(model, X, Y, eps=0.1, at_least=0.5, attack=FGSM())


def test_a_black_box_that_beats_gradients_is_no_excuse():
    numbers = {"worst_case": 1.0, "interval": (0.9, 1.0), "n_samples": 9}
    signs = {"black box": "a search that sees scores alone fools 9 samples"}
    assert "trust" in why_not_robust({**numbers, "warnings": signs}, 0.5, allow_black_box=True)


@pytest.mark.parametrize("at_least", [1.2, -0.1, "all", None])
def test_impossible_demands_are_refused(model, at_least):
    with pytest.raises(ValueError, match="at_least is .* give a number of at least 0 and at most"):
        assert_robust(model, X, Y, eps=0.1, at_least=at_least)


def test_a_radius_of_nothing_is_refused(model):
    with pytest.raises(ValueError, match="eps is 0; give a radius above 0"):
        assert_robust(model, X, Y, eps=0, at_least=0.5)


# -- the test of a drop ----------------------------------------------------------------------------


def test_the_p_value_is_a_sum_of_binomial_probabilities():
    before = np.array([1] * 9 + [0] * 3 + [1] * 20, bool)
    after = np.array([0] * 9 + [1] * 3 + [1] * 20, bool)
    lost, won, p_value = drop_test(before, after)
    assert (lost, won) == (9, 3)
    assert p_value == pytest.approx(binom.sf(8, 12, 0.5), rel=1e-12)
    assert drop_test(before, before) == (0, 0, 1.0)


def masks(rng, drop, churn, n=1000, share=0.7):
    """Masks before and after: of all samples ``churn`` change sides for no reason, each way."""
    before = np.zeros(n, bool)
    before[rng.permutation(n)[: int(share * n)]] = True
    after = before ^ (rng.random(n) < np.where(before, churn / share, churn / (1 - share)))
    kept = np.flatnonzero(before & after)
    after[rng.permutation(kept)[: rng.binomial(n, drop)]] = False
    return before, after


@pytest.mark.parametrize("churn", [0.0, 0.01, 0.02])
def test_a_drop_of_three_points_is_found(churn):
    rng = np.random.default_rng(0)
    found = [drop_test(*masks(rng, 0.03, churn))[2] < 0.05 for _ in range(200)]
    assert np.mean(found) >= 0.9


@pytest.mark.parametrize("churn", [0.0, 0.01, 0.02, 0.05])
def test_false_alarms_are_rare(churn):
    rng = np.random.default_rng(1)
    alarms = [drop_test(*masks(rng, 0.0, churn))[2] < 0.05 for _ in range(200)]
    assert np.mean(alarms) <= 0.05
