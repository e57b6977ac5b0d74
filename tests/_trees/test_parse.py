"""Trees of scikit-learn's classifiers as arrays."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from sklearn_robust._trees import TreeSearcher
from sklearn_robust._trees._parse import is_tree_model, parse_trees
from sklearn_robust.differentiable import open_model

X, Y = load_iris(return_X_y=True)
X = X.astype(np.float32)
NAMES = np.array(["setosa", "versicolor", "virginica"])[Y]

MODELS = [
    DecisionTreeClassifier(max_depth=4, random_state=0),
    RandomForestClassifier(7, random_state=0),
    RandomForestClassifier(7, max_depth=2, random_state=0),
    ExtraTreesClassifier(7, max_depth=3, random_state=0),
    BaggingClassifier(n_estimators=5, max_features=0.5, random_state=0),
    BaggingClassifier(DecisionTreeClassifier(max_depth=2), n_estimators=5, max_samples=4),
    AdaBoostClassifier(DecisionTreeClassifier(max_depth=2), n_estimators=5, random_state=0),
    GradientBoostingClassifier(n_estimators=5, random_state=0),
    HistGradientBoostingClassifier(max_iter=5),
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
@pytest.mark.parametrize("labels", [NAMES, NAMES == "virginica"], ids=["three", "two"])
def test_parsed_trees_classify_as_the_model_everywhere(model, labels):
    model = model.fit(X, labels)
    ensemble = TreeSearcher(open_model(model), X).ensemble
    rng = np.random.default_rng(0)
    points = rng.uniform(X.min(0), X.max(0), (500, 4)).astype(np.float32)
    sums = ensemble.sums(ensemble.ranks(points)) + ensemble.offset
    best = np.sort(sums, axis=1)
    clear = best[:, -1] - best[:, -2] >= ensemble.tol
    np.testing.assert_array_equal(
        model.classes_[sums.argmax(1)][clear], model.predict(points)[clear]
    )
    assert clear.mean() > 0.9


def test_what_is_made_of_trees_is_known_by_its_class():
    assert is_tree_model(BaggingClassifier().fit(X, Y))
    assert not is_tree_model(BaggingClassifier(KNeighborsClassifier()).fit(X, Y))
    assert not is_tree_model(LogisticRegression())
    with pytest.raises(TypeError, match="LogisticRegression is not made of trees that can be read"):
        parse_trees(LogisticRegression())


def test_categorical_splits_are_refused():
    mixed = X.copy()
    mixed[:, 0] = np.arange(150) % 5
    model = HistGradientBoostingClassifier(categorical_features=[0], max_iter=3)
    model.fit(mixed, np.arange(150) % 5 // 2)
    with pytest.raises(ValueError, match="splits categorical features, which cannot be certified"):
        parse_trees(model)


def test_several_outputs_are_refused():
    model = DecisionTreeClassifier(max_depth=2).fit(X, np.stack([Y, Y], 1))
    with pytest.raises(ValueError, match="A tree of several outputs cannot be certified"):
        parse_trees(RandomForestClassifier(2).fit(X, np.stack([Y, Y], 1)))
    assert model.n_outputs_ == 2
