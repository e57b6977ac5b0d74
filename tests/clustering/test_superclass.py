"""Superclasses predicted by a classifier of classes, samples of new classes included."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import SVC, LinearSVC

from sklearn_robust import NaturalNet, robust_score
from sklearn_robust.attacks import PGD
from sklearn_robust.clustering import LinearizedClustering, SuperclassClassifier
from sklearn_robust.datasets import make_hierarchical_blobs
from sklearn_robust.differentiable import as_module
from tests.cases import quick

X, y, SUPERCLASSES = make_hierarchical_blobs(20, random_state=0)
NEW = y % 4 == 3  # the last class of each superclass is never shown
TAXONOMY = {"a": [0, 1, 2], "c": [8, 9, 10], "b": [4, 5, 6]}
NAMES = np.array(["a", "b", "c"])[SUPERCLASSES[y]]
both_ways = pytest.mark.parametrize("aggregate", ["argmax", "sum"])


def fitted(superclasses=TAXONOMY, **params):
    model = SuperclassClassifier(LogisticRegression(max_iter=500), superclasses, **params)
    return model.fit(X[~NEW], y[~NEW])


@both_ways
def test_new_classes_go_to_their_superclass(aggregate):
    model = fitted(aggregate=aggregate)
    assert model.classes_.tolist() == ["a", "b", "c"]
    assert model.score(X[NEW], NAMES[NEW]) > 0.9 and model.score(X[~NEW], NAMES[~NEW]) == 1
    assert model.n_features_in_ == 30


def test_the_two_ways_are_those_of_their_definitions():
    model = fitted()
    p = model.estimator_.predict_proba(X)
    sums = np.stack([p[:, :3].sum(1), p[:, 3:6].sum(1), p[:, 6:].sum(1)], 1)
    np.testing.assert_allclose(model.predict_proba(X), sums)
    assert np.array_equal(model.predict(X), np.array(["a", "b", "c"])[p.argmax(1) // 3])
    z = model.estimator_.decision_function(X)
    largest = np.stack([z[:, :3].max(1), z[:, 3:6].max(1), z[:, 6:].max(1)], 1)
    assert np.array_equal(model.decision_function(X), largest)
    summed = model.set_params(aggregate="sum").predict(X)
    assert np.array_equal(summed, model.classes_[sums.argmax(1)])
    np.testing.assert_allclose(model.decision_function(X), np.log(sums), rtol=0, atol=1e-6)


@pytest.mark.parametrize("estimator", [LogisticRegression(max_iter=500), LinearSVC()], ids=str)
@pytest.mark.parametrize("taxonomy", [{"b": [1, 2], "a": [0]}, {"a": [0], "b": [1, 2]}], ids=str)
def test_the_scorers_of_scikit_learn_take_the_columns_in_order(taxonomy, estimator):
    X, y = load_iris(return_X_y=True)
    names = np.where(y == 0, "a", "b")
    model = SuperclassClassifier(estimator, taxonomy).fit(X, y)
    z = model.decision_function(X)
    assert z.shape == (150,) and np.array_equal(model.classes_[(z > 0).astype(int)], names)
    for scoring in ("accuracy", "roc_auc"):
        assert get_scorer(scoring)(model, X, names) == 1
    if hasattr(model, "predict_proba"):
        assert get_scorer("neg_log_loss")(model, X, names) > -0.1


def test_it_answers_what_its_classifier_answers():
    frame = pd.DataFrame(X, columns=[f"x{k}" for k in range(30)])
    svm, bayes = (
        SuperclassClassifier(estimator, SUPERCLASSES).fit(frame, y)
        for estimator in (LinearSVC(), GaussianNB())
    )
    assert hasattr(svm, "decision_function") and not hasattr(svm, "predict_proba")
    assert hasattr(bayes, "predict_proba") and not hasattr(bayes, "decision_function")
    assert hasattr(bayes.set_params(aggregate="sum"), "decision_function")
    assert np.array_equal(bayes.feature_names_in_, frame.columns)
    assert not hasattr(fitted(), "feature_names_in_")
    assert not hasattr(SuperclassClassifier(LinearSVC()), "n_features_in_")


def test_a_probability_of_zero_has_a_logarithm():
    model = SuperclassClassifier(GaussianNB(), SUPERCLASSES, aggregate="sum").fit(X, y)
    far = 1e3 * X
    z = model.decision_function(far)
    assert np.isneginf(z).any() and np.array_equal(model.classes_[z.argmax(1)], model.predict(far))


def test_a_majority_can_outweigh_the_most_likely_class():
    class Undecided(LogisticRegression):
        def predict_proba(self, X):
            return np.tile([0.4, 0.3, 0.3], (len(X), 1))

    rows = [[0.0], [1.0], [2.0]]
    model = SuperclassClassifier(Undecided(), ["one", "two", "two"], aggregate="sum")
    assert model.fit(rows, [0, 1, 2]).predict(rows).tolist() == ["two"] * 3


def test_found_superclasses_are_the_clusters_of_the_fitted_classifier():
    model = SuperclassClassifier(LogisticRegression(C=1e-4), n_clusters=3).fit(X, y)
    assert model.superclass_codes_.tolist() == SUPERCLASSES.tolist()
    assert model.classes_.tolist() == [0, 1, 2]
    wanted = LinearizedClustering(model.estimator_, n_clusters=3).fit(X)
    assert np.array_equal(model.predict(X), wanted.labels_)


def test_a_frozen_net_is_used_as_it_is():
    net = quick(NaturalNet).fit(X, y)
    model = SuperclassClassifier(FrozenEstimator(net), SUPERCLASSES).fit(X, y)
    assert np.array_equal(model.predict(X), SUPERCLASSES[net.predict(X)])


@both_ways
def test_attacks_see_the_superclasses(aggregate):
    model = fitted(aggregate=aggregate)
    view = as_module(model)
    assert view.classes_.tolist() == ["a", "b", "c"]
    z = view(torch.tensor(X))
    assert np.array_equal(model.classes_[z.argmax(1)], model.predict(X))
    if aggregate == "sum":
        np.testing.assert_allclose(z.softmax(1), model.predict_proba(X), atol=1e-6)
    else:
        own = as_module(model.estimator_)(torch.tensor(X))
        best = [own[:, columns].amax(1) for columns in ([0, 1, 2], [3, 4, 5], [6, 7, 8])]
        torch.testing.assert_close(z, torch.stack(best, 1))
    attack = PGD(norm="l2", eps=4.0, bounds=None, random_state=0)
    classes = robust_score(model.estimator_, X[~NEW], y[~NEW], attack=attack)
    superclasses = robust_score(model, X[~NEW], NAMES[~NEW], attack=attack)
    assert superclasses > classes  # siblings may be taken for one another


def test_copies_and_searches_work():
    model = fitted()
    again = clone(model).fit(X[~NEW], y[~NEW])
    assert np.array_equal(again.predict(X), model.predict(X))
    assert np.array_equal(pickle.loads(pickle.dumps(model)).predict(X), model.predict(X))
    search = GridSearchCV(
        SuperclassClassifier(LogisticRegression(max_iter=500), SUPERCLASSES),
        {"estimator__C": [1e-4, 1.0]},
        scoring=lambda model, X, y: model.score(X, SUPERCLASSES[y]),
        cv=2,
    ).fit(X, y)
    assert search.best_score_ > 0.9


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match=r"misses the classes \[4, 5, 6\]"):
        fitted({"a": [0, 1, 2], "c": [8, 9, 10]})
    with pytest.raises(ValueError, match="aggregate is 'mean'; choose one of"):
        fitted(aggregate="mean")
    with pytest.raises(ValueError, match="superclasses is 'guess'; choose one of"):
        fitted("guess")
    with pytest.raises(ValueError, match="n_clusters is 10, but there are 9 classes"):
        fitted("auto", n_clusters=10)
    with pytest.raises(ValueError, match="weights of 2 classes"):
        SuperclassClassifier(LogisticRegression()).fit(X[y < 2], y[y < 2])
    with pytest.raises(NotFittedError):
        SuperclassClassifier(LogisticRegression()).predict(X)
    with pytest.raises(ValueError, match="aggregate is 'sum', but LinearSVC has no predict_proba"):
        SuperclassClassifier(LinearSVC(), SUPERCLASSES, aggregate="sum").fit(X, y)


@pytest.mark.parametrize("taxonomy", [{"b": [1, 2], "a": [0]}, TAXONOMY], ids=str)
def test_decisions_between_pairs_are_no_scores_of_classes(taxonomy):
    X_, y_ = (X[~NEW], y[~NEW]) if taxonomy is TAXONOMY else load_iris(return_X_y=True)
    model = SuperclassClassifier(SVC(decision_function_shape="ovo"), taxonomy).fit(X_, y_)
    z = model.decision_function(X_)
    codes = (z > 0).astype(int) if z.ndim == 1 else z.argmax(1)
    assert np.mean(model.classes_[codes] == model.predict(X_)) > 0.98
