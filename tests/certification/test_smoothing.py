"""Randomised smoothing: scikit-learn's checks, the radius of Cohen et al., and its coverage."""

import joblib
import numpy as np
import pytest
from scipy import stats
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_iris
from sklearn.dummy import DummyClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_robust.attacks import Square
from sklearn_robust.certification import SmoothedClassifier, certified_radius, robust_bounds

X, Y = load_iris(return_X_y=True)
QUICK = Square(eps=0.1, max_iter=2, random_state=0)


class Halfspace(ClassifierMixin, BaseEstimator):
    """Class 1 where the first feature is positive: smoothed, its radius is the distance."""

    def fit(self, X, y):
        self.classes_ = np.array([0, 1])
        return self

    def predict(self, X):
        return (np.asarray(X)[:, 0] > 0).astype(int)


def smoothed(estimator=None, **params):
    params = {"sigma": 0.25, "n_samples": 100, "random_state": 0, **params}
    return SmoothedClassifier(estimator or LogisticRegression(max_iter=500), **params)


@parametrize_with_checks([smoothed(n_samples=60, n_draws_select=10, sigma=0.05)])
def test_a_check_of_scikit_learn(estimator, check):
    check(estimator)


def test_predictions_are_votes_on_noisy_copies():
    model = smoothed(Halfspace(), sigma=0.5, n_samples=2000).fit(X[:4], [0, 1, 0, 1])
    points = np.array([[0.3, 0, 0, 0], [-0.1, 5, 5, 5]])
    share = model.predict_proba(points)[:, 1]
    assert share == pytest.approx(stats.norm.cdf(points[:, 0] / 0.5), abs=0.04)
    assert model.predict(points).tolist() == [1, 0]


def test_the_radius_is_that_of_cohen_et_al():
    model = smoothed(Halfspace(), sigma=0.5, n_samples=400, alpha=0.01).fit(X[:2], [0, 1])
    points = np.array([[0.4, 0, 0, 0], [0.0, 1, 0, 0], [-2.0, 0, 0, 0]])
    votes = (model.predict_proba(points) * 400).round().astype(int)
    for radius, row, label in zip(model.certified_radius(points), votes, (1, None, 0), strict=True):
        if label is None:
            assert radius == 0
            continue
        interval = stats.binomtest(int(row[label]), 400, alternative="greater")
        low = interval.proportion_ci(0.99, method="exact").low
        assert radius == pytest.approx(max(0, 0.5 * stats.norm.ppf(low)))
    assert model.certified_radius(points, [1, 1, 1])[2] == 0
    assert model.certified_radius(points, [1, 1, 7]).tolist()[2] == 0
    # All votes agree: the largest radius that 400 of them can certify.
    assert model.certified_radius(points)[2] == pytest.approx(
        0.5 * stats.norm.ppf(0.01 ** (1 / 400))
    )


def coverage(n_draws):
    """Share of independent seeds whose radius is not larger than the true distance."""
    points = np.array([[0.15, 0, 0, 0]])
    good = 0
    model = smoothed(Halfspace(), alpha=0.05, n_draws_select=20).fit(X[:2], [0, 1])
    for seed in range(n_draws):
        model.seed_ = seed
        good += model.certified_radius(points, [1])[0] <= 0.15
    return good / n_draws


def test_the_radius_is_seldom_too_large():
    assert 0.85 < coverage(100) <= 1


@pytest.mark.slow
def test_the_radius_is_too_large_with_probability_alpha_at_most():
    share = coverage(1000)
    assert stats.binomtest(round(1000 * share), 1000, 0.95, alternative="less").pvalue > 0.01
    assert share < 1


def test_predict_abstains_where_votes_do_not_decide():
    points = np.array([[0.0, 0, 0, 0], [3.0, 0, 0, 0], [-3.0, 0, 0, 0]])
    model = smoothed(Halfspace(), abstain=-1).fit(X[:2], [0, 1])
    assert model.predict(points).tolist() == [-1, 1, 0]
    named = smoothed(DecisionTreeClassifier(), abstain="unsure", sigma=1e-3)
    y = np.where(Y > 0, "a", "b")
    assert set(named.fit(X, y).predict(X)) <= {"a", "b", "unsure"}


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"abstain": 1}, "which is one of the labels"),
        ({"abstain": "no"}, "give a label of their kind"),
        ({"sigma": 0}, "sigma"),
        ({"alpha": 2}, "alpha"),
        ({"n_samples": 0}, "n_samples"),
        ({"n_draws_select": 1.5}, "n_draws_select"),
        ({"n_noisy_copies": -1}, "n_noisy_copies"),
        ({"estimator": 3}, "estimator"),
    ],
)
def test_bad_parameters_are_refused(params, sentence):
    with pytest.raises((TypeError, ValueError), match=sentence):
        smoothed().set_params(**params).fit(X, Y)


def test_too_few_draws_say_how_many_are_needed():
    model = smoothed(n_samples=9, alpha=0.001).fit(X, Y)
    with pytest.raises(ValueError, match="Give at least n_samples=10"):
        model.certified_radius(X[:2])
    model.set_params(n_samples=10)
    far = smoothed(DummyClassifier(), n_samples=10, alpha=0.001).fit(X, Y)
    assert model.certified_radius(X[:2]).shape == (2,) and far.certified_radius(X[:1])[0] > 0


def test_noisy_copies_help_a_tree():
    rows = slice(None, None, 3)
    plain = smoothed(DecisionTreeClassifier(random_state=0), sigma=0.4).fit(X, Y)
    trained = smoothed(DecisionTreeClassifier(random_state=0), sigma=0.4, n_noisy_copies=10)
    trained.fit(X, Y)
    a, b = (model.certified_radius(X[rows], Y[rows]).mean() for model in (plain, trained))
    assert b >= a > 0


def test_images_frozen_estimators_processes_and_repeated_calls():
    images = X.reshape(-1, 2, 2)
    base = make_pipeline(Flat(), LogisticRegression(max_iter=500))
    model = smoothed(base, n_samples=50).fit(images, Y)
    share = model.predict_proba(images[::10])
    assert np.array_equal(model.predict_proba(images[:1]), share[:1])
    with joblib.parallel_backend("threading"):
        assert np.array_equal(model.set_params(n_jobs=2).predict_proba(images[::10]), share)
    frozen = smoothed(FrozenEstimator(model.estimator_), n_samples=50).fit(images, Y)
    assert np.array_equal(frozen.predict_proba(images[::10]), share)
    with pytest.raises(ValueError, match="2 by 1|was fitted on"):
        model.predict(X.reshape(-1, 2, 2)[:, :, :1])


class Flat(BaseEstimator):
    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        return np.asarray(X).reshape(len(X), -1)


def test_a_search_finds_sigma():
    def mean_radius(model, X, y):
        return model.certified_radius(X, y).mean()

    search = GridSearchCV(smoothed(n_samples=50), {"sigma": [0.01, 0.3]}, scoring=mean_radius, cv=3)
    assert search.fit(X, Y).best_params_ == {"sigma": 0.3}


def test_robust_bounds_use_the_radii():
    model = smoothed(sigma=0.5, n_samples=300).fit(X, Y)
    rows = slice(None, None, 10)
    radius = model.certified_radius(X[rows].astype(np.float32), Y[rows])
    result = robust_bounds(model, X[rows], Y[rows], eps=0.3, norm="l2", attack=QUICK)
    assert np.array_equal(result.certified, (radius > 0.3 * (1 + 1e-6)))
    assert "with probability 0.999" in result.note and 0 < result.lower <= result.upper
    # In linf a perturbation of four features is up to twice as long.
    result = robust_bounds(model, X[rows], Y[rows], eps=0.1, attack=QUICK)
    assert np.array_equal(result.certified, radius > 0.2 * (1 + 1e-6))
    found = certified_radius(model, X[rows], Y[rows], norm="l2", tol=0.01)
    assert (found <= radius + 1e-9).all() and (found >= 0.95 * radius).all()


def test_steps_in_front_prove_nothing():
    model = make_pipeline(StandardScaler(), smoothed(n_samples=50)).fit(X, Y)
    result = robust_bounds(model, X[:10], Y[:10], eps=0.1, attack=QUICK)
    assert result.lower == 0 and "put the steps inside" in result.note
