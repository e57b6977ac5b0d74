"""The summary of indicators: its two numbers, its samples, and constant models."""

import numpy as np
import pytest
from torch import nn

from sklearn_robust.metrics import (
    decision_margin,
    hessian_eigvals,
    input_jacobian,
    jacobian_sparsity,
    robustness_indicator,
)
from tests.metrics.indicator_cases import N_CLASSES, Constant, linear, mlp, samples

X = samples(40)
Y = np.arange(40) % N_CLASSES


@pytest.mark.parametrize(
    ("activation", "of"), [(nn.Tanh, "margin"), (nn.ReLU, "loss")], ids=["smooth", "ReLU"]
)
def test_the_pair_is_the_mean_of_gradient_entries_and_of_eigenvalues(activation, of):
    module = mlp(activation)
    got = robustness_indicator(module, X, Y, n_samples=None)
    lam = hessian_eigvals(module, X, Y, of=of)
    assert got.curvature_of == of
    assert got.jacobian == pytest.approx(abs(input_jacobian(module, X, Y)).mean())
    assert got.curvature == pytest.approx(abs(lam).mean())
    assert got.margin == pytest.approx(decision_margin(module, X, Y).mean())
    assert got.jacobian_sparsity == pytest.approx(jacobian_sparsity(module, X, Y).mean())
    zeros = abs(lam) <= 1e-6 * abs(lam).max(1, keepdims=True)
    assert got.hessian_sparsity == pytest.approx(zeros.mean())
    assert np.allclose(got.samples.curvature, abs(lam).mean(1))
    assert np.array_equal(got.index, np.arange(40))


def test_the_estimate_of_the_curvature_is_near_and_says_that_it_knows_no_zeros():
    module = mlp(nn.Tanh)
    exact = robustness_indicator(module, X, Y, n_samples=None)
    rough = robustness_indicator(module, X, Y, n_samples=None, method="stochastic", random_state=0)
    assert rough.curvature == pytest.approx(exact.curvature, rel=0.1)
    assert np.isnan(rough.hessian_sparsity)


def test_samples_are_drawn_by_the_random_state():
    module = mlp(nn.ReLU)
    once, again, other = (
        robustness_indicator(module, X, Y, n_samples=10, random_state=seed) for seed in (0, 0, 1)
    )
    assert len(once.index) == 10 == len(set(once.index))
    assert once.jacobian == again.jacobian != other.jacobian
    whole = robustness_indicator(module, X, Y, n_samples=None)
    assert np.allclose(whole.samples.margin[once.index], once.samples.margin)


def test_standard_errors_are_those_of_means_over_draws():
    """Over many draws of samples the means spread as the error of one of them says."""
    module, X = mlp(nn.Tanh), samples(2000)
    Y = np.arange(2000) % N_CLASSES
    values = abs(input_jacobian(module, X, Y)).mean(1)
    draws = [np.random.default_rng(s).choice(2000, 100, replace=False) for s in range(400)]
    spread = np.std([values[rows].mean() for rows in draws]) / np.sqrt(1 - 100 / 2000)
    got = robustness_indicator(module, X, Y, random_state=0)
    size = values[got.index].std(ddof=1) / 10
    assert got.standard_errors.jacobian == pytest.approx(size)
    assert got.standard_errors.jacobian == pytest.approx(spread, rel=0.25)
    assert sorted(got.standard_errors) == sorted(got.samples)
    one = robustness_indicator(module, X, Y, n_samples=1, random_state=0)
    assert np.isnan(one.standard_errors.margin)


def test_weights_of_samples_count_them_more_than_once():
    module, weights = mlp(nn.Tanh), np.arange(40) % 3
    got = robustness_indicator(module, X, Y, weights, n_samples=None)
    twice = np.repeat(np.arange(40), weights)
    repeated = robustness_indicator(module, X[twice], Y[twice], n_samples=None)
    for name in got.samples:
        assert got[name] == pytest.approx(repeated[name])
    values, error = got.samples.margin, got.standard_errors.margin
    n, mean = 40, np.average(values, weights=weights)
    wanted = np.sqrt(n / (n - 1) * np.sum(weights**2 * (values - mean) ** 2)) / weights.sum()
    assert error == pytest.approx(wanted)
    with pytest.raises(ValueError, match="sample_weight is 0 for all the samples that were drawn"):
        robustness_indicator(module, X, Y, np.arange(40) == 39, n_samples=1, random_state=0)


def test_a_constant_model_is_unmasked():
    with pytest.warns(UserWarning, match="gives all samples one label"):
        got = robustness_indicator(Constant(), X, Y)
    assert got.jacobian == got.curvature == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_samples": 0}, "n_samples is 0"),
        ({"curvature_of": "logits"}, "of is 'logits'"),
        ({"method": "guess"}, "method is 'guess'"),
    ],
)
def test_bad_options_of_the_indicator(options, message):
    with pytest.raises(ValueError, match=message):
        robustness_indicator(linear(), X, Y, **options)
