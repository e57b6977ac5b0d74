"""Pipelines, searches and frozen estimators: whole compositions at once."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.feature_selection import RFE, SelectKBest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import FeatureUnion, make_pipeline, make_union
from sklearn.preprocessing import Normalizer, PolynomialFeatures, SplineTransformer, StandardScaler
from sklearn.svm import SVC

from sklearn_robust.differentiable import as_module
from sklearn_robust.exceptions import NotDifferentiableError
from tests.differentiable.estimators import LINEAR, MLP, SPREAD, columns

PIPELINES = {
    "scaled": make_pipeline(StandardScaler(), LINEAR),
    "passthrough": make_pipeline("passthrough", StandardScaler(), None, LINEAR),
    "nested": make_pipeline(make_pipeline(StandardScaler(), PCA(3)), make_pipeline(SPREAD)),
    "curved": make_pipeline(SplineTransformer(), PCA(5), MLP),
    "polynomial": make_pipeline(Normalizer(), PolynomialFeatures(), LinearDiscriminantAnalysis()),
    "projected": make_pipeline(LinearDiscriminantAnalysis(), GaussianNB()),
    "selected": make_pipeline(SelectKBest(k=3), SGDClassifier(random_state=0)),
    "eliminated": make_pipeline(RFE(RandomForestClassifier(5, random_state=0)), LINEAR),
    "eliminating": RFE(LINEAR, n_features_to_select=2),
    "union": make_pipeline(
        FeatureUnion(
            [("a", PCA(2)), ("b", StandardScaler()), ("c", "passthrough"), ("d", "drop")],
            transformer_weights={"a": 2.0, "c": 0.5},
        ),
        LINEAR,
    ),
    "columns-list": make_pipeline(
        columns((StandardScaler(), [2, 0]), ("passthrough", [3]), ("drop", [1])), LINEAR
    ),
    "columns-remainder": make_pipeline(
        columns((PCA(1), [3, 2]), remainder=StandardScaler()), LINEAR
    ),
    "columns-slice": make_pipeline(
        columns((StandardScaler(), slice(1, 3)), remainder="passthrough"), LINEAR
    ),
    "columns-mask": make_pipeline(
        columns((StandardScaler(), [True, False, True, False]), ("passthrough", [-1, 1])), LINEAR
    ),
    "columns-int": make_pipeline(columns((PCA(1), [0, 1]), ("passthrough", [2])), LINEAR),
    "columns-callable": make_pipeline(columns((StandardScaler(), lambda X: [1, 3])), LINEAR),
    "columns-empty": make_pipeline(columns((StandardScaler(), []), ("passthrough", [1])), LINEAR),
    "columns-weights": make_pipeline(
        columns((PCA(2), [0, 1, 2]), transformer_weights={"part0": 3.0}, remainder="passthrough"),
        LINEAR,
    ),
    "columns-nested": make_pipeline(
        columns((make_pipeline(StandardScaler(), PCA(1)), [0, 2]), (make_union(PCA(1)), [1, 3])),
        LINEAR,
    ),
    "grid": GridSearchCV(SPREAD, {"svc__C": [0.1, 1]}, cv=2),
    "random": RandomizedSearchCV(LINEAR, {"C": [0.1, 1]}, n_iter=1, cv=2, random_state=0),
}


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", PIPELINES)
def test_pipelines_are_one_module_from_raw_features(agrees, flowers, name, n_classes):
    X, y = flowers(n_classes, names=["moss", "ash", "elm"])
    model = PIPELINES[name].fit(X, y)
    shape = None if name == "passthrough" else (4,)  # a first step "passthrough" counts nothing
    assert agrees(model, X).input_shape == shape


def test_frozen_estimators_are_seen_through(agrees, flowers):
    X, y = flowers()
    agrees(FrozenEstimator(SPREAD.fit(X, y)), X)


def test_the_surrogate_is_found_at_the_end_of_a_pipeline(flowers):
    X, y = flowers()
    view = as_module(GridSearchCV(SPREAD, {"svc__C": [1.0]}, cv=2).fit(X, y))
    scaler, svc = SPREAD.fit(X, y).named_steps.values()
    inner = as_module(svc).surrogate(torch.tensor(scaler.transform(X)))
    assert view.surrogate is not view
    torch.testing.assert_close(view.surrogate(torch.tensor(X)), inner)
    binary = as_module(SPREAD.fit(*flowers(2)))
    assert binary.surrogate is binary


@pytest.mark.filterwarnings("ignore:The `probability` parameter:FutureWarning")
def test_coupled_probabilities_of_an_svc_are_refused_where_they_are_needed(flowers):
    X, y = flowers()
    svc = make_pipeline(StandardScaler(), SVC(probability=True, random_state=0))
    model = VotingClassifier([("svc", svc)], voting="soft").fit(X, y)
    with pytest.raises(NotDifferentiableError, match="Member 'svc'.*CalibratedClassifierCV"):
        as_module(model)
    as_module(svc.fit(X, y))


def test_searches_of_other_packages_are_viewed_by_what_they_found(flowers):
    class Search(GridSearchCV.__base__):
        def __init__(self, estimator):
            super().__init__(estimator, cv=2)

        def _run_search(self, evaluate_candidates):
            evaluate_candidates([{"C": 0.5}])

    X, y = flowers()
    search = Search(LINEAR).fit(X, y)
    z = as_module(search)(torch.tensor(X)).numpy()
    np.testing.assert_allclose(z, search.decision_function(X), atol=1e-8)


def test_a_search_without_refit_has_nothing_to_view(flowers):
    search = GridSearchCV(LINEAR, {"C": [1.0]}, cv=2, refit=False).fit(*flowers())
    with pytest.raises(NotDifferentiableError, match="refit=True"):
        as_module(search)
