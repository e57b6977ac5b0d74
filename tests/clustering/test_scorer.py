"""The scorer of class clusters against the measures themselves."""

import pickle
import warnings

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score

from sklearn_robust import NaturalNet
from sklearn_robust.clustering import (
    LinearizedClustering,
    make_clustering_scorer,
)
from sklearn_robust.clustering._measures import MEASURES
from sklearn_robust.datasets import make_hierarchical_blobs
from tests.cases import quick
from tests.clustering.networks import AnyWidth

X, y, SUPERCLASSES = make_hierarchical_blobs(20, random_state=0)


TAXONOMY = {"a": [0, 1, 2, 3], "b": [4, 5, 6, 7], "c": [8, 9, 10, 11]}


MODEL = LogisticRegression(C=1e-4).fit(X, y)


@pytest.mark.parametrize("metric", ["contrast", "silhouette", "adjusted_rand", "dendrogram_purity"])
@pytest.mark.parametrize("superclasses", [SUPERCLASSES, TAXONOMY], ids=["array", "dict"])
def test_the_scorer_gives_the_measure_of_that_name(superclasses, metric):
    scorer = make_clustering_scorer(superclasses, metric)
    wanted = LinearizedClustering(MODEL, n_clusters=3).fit(X).agreement(TAXONOMY)[metric]
    assert scorer(MODEL, X, y) == scorer(MODEL, X) == wanted
    assert pickle.loads(pickle.dumps(scorer))(MODEL, X) == wanted


def test_a_search_finds_the_candidate_whose_classes_cluster():
    grid = {"C": [1.0, 1e-2, 1e-4]}
    scoring = {
        "clusters": make_clustering_scorer(TAXONOMY, method="mean_jacobian"),
        "accuracy": "accuracy",
    }
    search = GridSearchCV(
        LogisticRegression(max_iter=500), grid, scoring=scoring, refit="clusters", cv=2
    )
    assert search.fit(X, y).best_params_ == {"C": 1e-4}
    assert np.all(np.diff(search.cv_results_["mean_test_clusters"]) > 0)
    net = quick(NaturalNet, max_epochs=1)
    scores = cross_val_score(net, X, y, scoring=make_clustering_scorer(TAXONOMY), cv=2)
    assert np.all(np.abs(scores) <= 2)


def test_the_scorer_says_how_it_was_made():
    scorer = make_clustering_scorer([0, 0, 1], "silhouette", batch_norm="drop")
    wanted = "make_clustering_scorer([0, 0, 1], metric='silhouette', batch_norm='drop')"
    assert repr(scorer) == wanted
    with pytest.raises(ValueError, match="metric is 'ari'; choose one of"):
        make_clustering_scorer([0, 0, 1], "ari")
    with pytest.raises(ValueError, match="there are 12 classes"):
        scorer(MODEL, X)
    with pytest.raises(TypeError, match="unexpected argument 'layers'; besides .*'layer'"):
        make_clustering_scorer([0, 0, 1], layers="head")


def test_the_scorer_takes_a_bare_module_by_the_numbers_of_its_classes():
    module = AnyWidth()
    scorer = make_clustering_scorer({"a": [0, 1, 2], "b": [3, 4, 5]}, "silhouette")
    wanted = LinearizedClustering(module).fit(X).agreement([0, 0, 0, 1, 1, 1]).silhouette
    assert scorer(module, X) == wanted


def test_the_scorer_measures_what_it_was_asked_for_and_nothing_else(monkeypatch):
    def never(fitted, codes):
        raise AssertionError("not asked for")

    others = dict.fromkeys(["silhouette", "adjusted_rand", "dendrogram_purity", "p_value"], never)
    for name, measure in others.items():
        monkeypatch.setitem(MEASURES, name, measure)
    assert make_clustering_scorer(TAXONOMY)(MODEL, X) > 0.5


def test_a_scorer_stands_beside_others_when_samples_have_weights():
    scoring = {"accuracy": "accuracy", "clusters": make_clustering_scorer([0, 0, 1])}
    model = LogisticRegression(max_iter=500)
    grid = GridSearchCV(model, {"C": [1.0]}, scoring=scoring, refit=False)
    with warnings.catch_warnings():  # scikit-learn 1.7 and later tells that it has no weights
        warnings.filterwarnings("ignore", ".*clusters=.* does not support sample_weight")
        grid.fit(*load_iris(return_X_y=True), sample_weight=np.ones(150))
    assert np.isfinite(grid.cv_results_["mean_test_clusters"]).all()
