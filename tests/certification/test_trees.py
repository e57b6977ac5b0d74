"""Certified trees; what the search finds is tested in tests/_trees."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import minmax_scale
from sklearn.tree import DecisionTreeClassifier

from sklearn_robust.attacks import Square
from sklearn_robust.certification import certified_radius, minimal_distance, robust_bounds
from tests._trees.oracles import data

QUICK = Square(max_iter=5, random_state=0)


def test_a_stump_is_certified_to_its_threshold():
    X = np.array([[0.1], [0.2], [0.6], [0.9]])
    model = DecisionTreeClassifier(max_depth=1).fit(X, [0, 0, 1, 1])
    threshold = model.tree_.threshold[0]
    radius = np.abs(X[:, 0] - threshold)
    for norm in ("linf", "l2", "l1"):
        found = minimal_distance(model, X, [0, 0, 1, 1], norm=norm)
        np.testing.assert_allclose(found, radius, atol=1e-6)
    assert certified_radius(model, X, [0, 0, 1, 1], bounds=(0.0, 1.0)).max() < 0.5
    one = make_pipeline(model).fit(X, [0, 0, 1, 1])
    assert np.isinf(minimal_distance(one, X, [0, 0, 1, 1], bounds=None, mask=[False])).all()


def test_steps_and_members_that_cannot_be_followed_prove_nothing_and_say_so():
    X, y = data(0)
    pipe = make_pipeline(PCA(2), DecisionTreeClassifier(random_state=0)).fit(X, y)
    result = robust_bounds(pipe, X, y, eps=0.05, attack=QUICK)
    assert result.lower == 0 and "PCA in front of trees mixes features" in result.note
    bag = BaggingClassifier(KNeighborsClassifier(), n_estimators=2).fit(X, y)
    result = robust_bounds(bag, X, y, eps=0.05, attack=QUICK)
    assert "BaggingClassifier of other estimators than decision trees" in result.note
    with pytest.raises(TypeError, match="DecisionTreeClassifier has no exact distances"):
        minimal_distance(pipe, X, y)


FORESTS = [
    DecisionTreeClassifier(random_state=0),
    RandomForestClassifier(25, random_state=0),
    ExtraTreesClassifier(25, random_state=0),
    HistGradientBoostingClassifier(max_iter=20, random_state=0),
    "xgboost",
    "lightgbm",
]


def made(model):
    if model == "xgboost":
        return pytest.importorskip("xgboost").XGBClassifier(n_estimators=20, n_jobs=1)
    if model == "lightgbm":
        library = pytest.importorskip("lightgbm")
        return library.LGBMClassifier(n_estimators=20, n_jobs=1, verbose=-1)
    return model


@pytest.mark.slow
@pytest.mark.parametrize("model", FORESTS, ids=str)
def test_both_sides_are_equal_on_digits(model):
    X, y = load_digits(return_X_y=True)
    parts = train_test_split(X / 16, y, random_state=0, test_size=0.3)
    model = made(model).fit(parts[0], parts[2])
    result = robust_bounds(model, parts[1][:100], parts[3][:100], eps=0.05, time_limit=10)
    assert result.lower == result.upper and result.note is None


@pytest.mark.slow
def test_gaps_on_breast_cancer():
    X, y = load_breast_cancer(return_X_y=True)
    parts = train_test_split(minmax_scale(X), y, random_state=0, test_size=0.3, stratify=y)
    gaps = {}
    for model in (
        RandomForestClassifier(100, random_state=0),
        GradientBoostingClassifier(n_estimators=100, random_state=0),
        AdaBoostClassifier(n_estimators=50, random_state=0),
    ):
        model.fit(parts[0], parts[2])
        for eps in (0.05, 0.1):
            result = robust_bounds(model, parts[1], parts[3], eps=eps)
            gaps[type(model).__name__, eps] = result.upper - result.lower
            print(type(model).__name__, eps, result.lower, result.upper)
    assert gaps["RandomForestClassifier", 0.05] <= 0.02
    assert gaps["RandomForestClassifier", 0.1] <= 0.05
    assert {gap for (name, _), gap in gaps.items() if name[0] in "GA"} == {0.0}
