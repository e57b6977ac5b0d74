"""CLEVER: exact where gradients are constant, and its fit against known Weibull laws."""

import numpy as np
import pytest
import torch
from scipy.stats import weibull_max
from sklearn.linear_model import LogisticRegression
from torch import nn

from sklearn_robust.metrics import clever_score, taylor_radius
from sklearn_robust.metrics._clever import _end_point
from tests.cases import blobs

X, Y = blobs(24, labels=(0, 1, 2))
FEW = {"n_batches": 5, "n_draws": 3, "random_state": 0}
DUAL = {"linf": 1, "l2": 2, "l1": np.inf}


@pytest.mark.parametrize("norm", DUAL)
def test_a_linear_model_has_its_margin_over_the_dual_norm(norm):
    model = LogisticRegression(C=100).fit(X, Y)
    z, w = X @ model.coef_.T + model.intercept_, model.coef_
    wanted = [
        min(
            max(0, row[y] - row[j]) / np.linalg.norm(w[y] - w[j], DUAL[norm])
            for j in {0, 1, 2} - {y}
        )
        for row, y in zip(z, Y, strict=True)
    ]
    found = clever_score(model, X, Y, norm=norm, radius=50.0, **FEW)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
    assert clever_score(model, X, Y, norm=norm, radius=1e-3, **FEW).max() == 1e-3


@pytest.mark.parametrize("shape", [1.5, 3.0, 6.0])
def test_the_fit_finds_the_end_of_a_known_law(shape):
    maxima = weibull_max.rvs(shape, loc=7.0, scale=2.0, size=4000, random_state=0)
    end = _end_point(maxima)
    assert end >= maxima.max()
    assert end == pytest.approx(7.0, abs=0.15)


@pytest.mark.filterwarnings("ignore:The Weibull distribution")
def test_the_score_is_below_the_largest_gradient_that_was_seen():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 9), nn.Tanh(), nn.Linear(9, 3)).double()
    y = net(torch.tensor(X, dtype=torch.float64)).argmax(1).numpy()
    params = {"norm": "l2", "random_state": 0}
    seen = taylor_radius(net, X[:6], y[:6], all_classes=True, neighborhood=(5.0, 200), **params)
    with_fit = clever_score(net, X[:6], y[:6], radius=5.0, n_batches=20, n_draws=10, **params)
    assert (with_fit <= seen + 1e-12).all()
    assert (with_fit < seen - 1e-6).any()
    again = clever_score(
        net, X[:6], y[:6], radius=5.0, n_batches=20, n_draws=10, batch_size=4, **params
    )
    np.testing.assert_allclose(with_fit, again, rtol=1e-5)


def test_a_fit_that_fails_is_told(monkeypatch):
    monkeypatch.setattr("sklearn_robust.metrics._clever._end_point", lambda values: None)
    model = LogisticRegression().fit(X, Y)
    with pytest.warns(UserWarning, match="could not be fitted for 24 of 24 samples; their largest"):
        clever_score(model, X, Y, radius=1.0, **FEW)


def test_too_few_maxima_are_refused():
    model = LogisticRegression().fit(X, Y)
    with pytest.raises(ValueError, match="n_batches is 2; a Weibull distribution has three"):
        clever_score(model, X, Y, radius=1.0, n_batches=2)
