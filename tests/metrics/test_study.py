"""Rank correlations of indicators against scipy, closed forms and many draws."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.utils import Bunch

from sklearn_robust.attacks import PGD
from sklearn_robust.metrics import indicator_study, make_indicator_scorer, robust_score
from sklearn_robust.metrics._study import _correlation, _partial, _spearman

X, Y = load_iris(return_X_y=True)
MODELS = {C: LogisticRegression(C=C, max_iter=5000).fit(X, Y) for C in (0.01, 0.1, 1, 10, 100)}
ATTACK = PGD(eps=0.4, random_state=0)


def correlation(x, y, z=None, n=2000):
    z = np.zeros(len(x)) if z is None else z
    study = Bunch(robust_accuracy=np.asarray(y), clean_accuracy=np.asarray(z), confidence=0.95)
    return _correlation(np.asarray(x), study, n, 0)


def test_values_and_accuracies_are_those_of_the_functions():
    study = indicator_study(MODELS, X, Y, attack=ATTACK, indicators=["taylor_radius"])
    scorer = make_indicator_scorer("taylor_radius", n_samples=100)
    for row, model in enumerate(MODELS.values()):
        assert study["values"]["taylor_radius"][row] == scorer(model, X, Y)
        assert study.robust_accuracy[row] == robust_score(model, X, Y, attack=ATTACK)
        assert study.clean_accuracy[row] == model.score(X, Y)
    found = study.correlations["taylor_radius"]
    wanted = spearmanr(study["values"]["taylor_radius"], study.robust_accuracy).statistic
    assert found.rho == pytest.approx(wanted) and found.low <= found.rho <= found.high
    own = {"size": lambda estimator, X, y: -float(abs(estimator.coef_).sum())}
    assert list(indicator_study(MODELS, X, Y, attack=ATTACK, indicators=own)["values"]) == ["size"]


def test_partial_correlation_is_that_of_the_residuals_of_the_ranks():
    rng = np.random.default_rng(0)
    for _ in range(5):
        x, y, z = (rng.permutation(12).astype(float) for _ in range(3))
        ones = np.stack([z, np.ones(12)], 1)
        left = [v - ones @ np.linalg.lstsq(ones, v, rcond=None)[0] for v in (x, y)]
        assert _partial(x[None], y[None], z[None])[0] == pytest.approx(np.corrcoef(*left)[0, 1])
    still = _partial(x[None], y[None], np.ones((1, 12)))
    assert still == pytest.approx(_spearman(x[None], y[None]))


def test_seven_networks_without_a_relation_are_no_evidence():
    """All 5,040 orders give the p value, which agrees with scipy's tables."""
    strong = correlation(np.arange(7.0), [2.0, 0, 1, 3, 6, 4, 5])
    assert strong.p_value < 0.05 and strong.verdict.startswith("orders these networks as")
    weak = correlation(np.arange(7.0), [3.0, 0, 5, 1, 6, 2, 4])
    assert weak.rho == pytest.approx(spearmanr(np.arange(7), [3, 0, 5, 1, 6, 2, 4]).statistic)
    assert 0.2 < weak.rho < 0.45 and weak.low < 0 < weak.high
    assert 0.3 < weak.p_value < 0.6
    assert weak.verdict == "no evidence: the interval holds 0"


def test_the_interval_holds_the_correlation_of_the_population_mostly():
    """Bivariate normal of correlation .8: Spearman's rho is 6 / pi arcsin(.4) = .786."""
    rng, held = np.random.default_rng(0), 0
    for _ in range(16):
        x = rng.normal(size=30)
        y = 0.8 * x + 0.6 * rng.normal(size=30)
        found = correlation(x, y, n=300)
        held += found.low <= 6 / np.pi * np.arcsin(0.4) <= found.high
    assert held >= 13


def test_constants_and_infinities_have_no_order():
    found = correlation(np.ones(6), np.arange(6.0))
    assert np.isnan(found.rho) and found.verdict.startswith("no evidence: the ranks of one")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"estimators": {1: MODELS[1]}}, "at least four fitted networks"),
        ({"indicators": ["size"]}, "indicator is 'size'; choose one of"),
        ({"confidence": 1.5}, "confidence is 1.5"),
        ({"n_bootstrap": 0}, "n_bootstrap is 0"),
    ],
)
def test_bad_options_are_told_what_is_wrong(options, message):
    with pytest.raises(ValueError, match=message):
        indicator_study(**{"estimators": MODELS, "X": X, "y": Y, "attack": ATTACK} | options)
