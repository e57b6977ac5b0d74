"""Trees of scikit-learn's classifiers, as arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.tree import DecisionTreeClassifier

from .. import _validation as check
from ._boosters import lightgbm_trees, xgboost_trees
from ._ensemble import Ensemble, Tree

__all__ = ["ParsedTrees", "is_tree_model", "parse_trees"]

SINGLE, DOUBLE = float(np.finfo(np.float32).eps), float(np.finfo(np.float64).eps)


@dataclass
class ParsedTrees:
    """Trees of a classifier, and what the classifier itself says of them.

    Attributes
    ----------
    trees : list of Tree
        Their sums, one column per class, decide by the largest.
    casts : bool
        Whether samples are rounded to float32.
    precision : float
        Relative precision in which the classifier adds up.
    scores : callable
        Maps samples to the classifier's own sums, up to a constant for each class and ``scale``.
    scale : float
        What the classifier divides its sums by.
    """

    trees: list[Tree]
    casts: bool
    precision: float
    scores: Callable[[NDArray[Any]], NDArray[Any]]
    scale: float = 1.0

    def ensemble(self, n_features: int) -> Ensemble:
        """Ensemble of the trees."""
        return Ensemble.of(self.trees, n_features, casts=self.casts, precision=self.precision)


@singledispatch
def _parse(model: Any) -> ParsedTrees | None:
    """Parse the trees of a classifier; None for one that is not made of trees."""
    kinds = {f"{base.__module__.split('.')[0]}.{base.__name__}" for base in type(model).__mro__}
    if "xgboost.XGBClassifier" in kinds:
        return ParsedTrees(*xgboost_trees(model), scores=_margins(model))
    if "lightgbm.LGBMClassifier" in kinds:
        return ParsedTrees(*lightgbm_trees(model), scores=_raw_scores(model))
    return None


def _margins(model):
    return lambda X: model.predict(X, output_margin=True)


def _raw_scores(model):
    return lambda X: model.predict(X, raw_score=True)


def is_tree_model(model: Any) -> bool:
    """Whether a classifier is made of trees that can be parsed, by its class."""
    if _parse.dispatch(type(model)) is not _parse.dispatch(object):
        return not isinstance(model, (AdaBoostClassifier, BaggingClassifier)) or all(
            isinstance(part, DecisionTreeClassifier) for part in vars(model).get("estimators_", ())
        )
    names = {base.__name__ for base in type(model).__mro__}
    return bool(names & {"XGBClassifier", "LGBMClassifier"})


def parse_trees(model: Any) -> ParsedTrees:
    """Parse the trees of a fitted classifier.

    Parameters
    ----------
    model : fitted classifier
        A tree or an ensemble of trees.

    Returns
    -------
    parsed : ParsedTrees
        Not yet compared with the classifier.

    Raises
    ------
    ValueError
        If its trees do what the parser does not know.
    """
    parsed = _parse(model)
    if parsed is None:
        raise TypeError(
            f"{type(model).__name__} is not made of trees that can be read: give a "
            "DecisionTreeClassifier, a forest, or gradient-boosted trees."
        )
    return parsed


def _tree(fitted: Any, value: NDArray[np.float64], feature: Any = None) -> Tree:
    """Tree of scikit-learn's arrays, with values of one's own; ``feature`` maps the features."""
    arrays = fitted.tree_
    own = arrays.feature.astype(np.int64)
    if feature is not None:
        own = np.where(own >= 0, np.asarray(feature)[np.maximum(own, 0)], own)
    return Tree(
        feature=np.where(arrays.children_left < 0, -1, own),
        threshold=arrays.threshold,
        left=arrays.children_left.astype(np.int64),
        right=arrays.children_right.astype(np.int64),
        value=value,
    )


def _shares(fitted: Any, n_classes: int) -> NDArray[np.float64]:
    """Probabilities of each node, with one column per class of the ensemble."""
    if fitted.n_outputs_ > 1:
        raise ValueError("A tree of several outputs cannot be certified: fit one for each output.")
    counts = fitted.tree_.value[:, 0]
    shares = counts / counts.sum(1, keepdims=True)
    if shares.shape[1] == n_classes:
        return shares
    wide = np.zeros((len(shares), n_classes))
    wide[:, np.asarray(fitted.classes_, dtype=np.int64)] = shares
    return wide


def _votes(fitted: Any, n_classes: int) -> NDArray[np.float64]:
    """1 for the class that each node predicts, 0 for the others."""
    return np.eye(n_classes)[_shares(fitted, n_classes).argmax(1)]


def _raw(fitted: Any, n_outputs: int, output: int, weight: float) -> NDArray[np.float64]:
    """Values of a tree that adds to one output; of a single output, to the second class."""
    value = np.zeros((fitted.tree_.node_count, max(n_outputs, 2)))
    value[:, output if n_outputs > 1 else 1] = weight * fitted.tree_.value[:, 0, 0]
    return value


@_parse.register(DecisionTreeClassifier)
def _parse_tree(model):
    n_classes = len(model.classes_)
    votes = [_tree(model, _votes(model, n_classes))]
    return ParsedTrees(votes, True, DOUBLE, lambda X: _one_hot(model, X))


def _one_hot(model, X):
    return np.eye(len(model.classes_))[model.predict_proba(X).argmax(1)]


@_parse.register(RandomForestClassifier)
@_parse.register(ExtraTreesClassifier)
def _parse_forest(model):
    n_classes = len(model.classes_)
    trees = [_tree(tree, _shares(tree, n_classes)) for tree in model.estimators_]
    return ParsedTrees(trees, True, DOUBLE, model.predict_proba, len(trees))


@_parse.register(BaggingClassifier)
def _parse_bagging(model):
    if not is_tree_model(model):
        return None
    n_classes = len(model.classes_)
    parts = zip(model.estimators_, model.estimators_features_, strict=True)
    trees = [_tree(tree, _shares(tree, n_classes), chosen) for tree, chosen in parts]
    return ParsedTrees(trees, True, DOUBLE, model.predict_proba, len(trees))


@_parse.register(AdaBoostClassifier)
def _parse_ada_boost(model):
    if not is_tree_model(model):
        return None
    n_classes = len(model.classes_)
    # A tree takes from the other classes what the weights of all share.
    spread = model.estimator_weights_ * (1 + 1 / (n_classes - 1))
    parts = zip(model.estimators_, spread, strict=True)
    trees = [_tree(tree, weight * _votes_among(tree, model.classes_)) for tree, weight in parts]
    return ParsedTrees(
        trees, True, DOUBLE, model.decision_function, float(model.estimator_weights_.sum())
    )


def _votes_among(tree, classes):
    """Votes of a tree that was fitted on labels, not on their codes."""
    codes = np.searchsorted(classes, tree.classes_)
    winners = tree.tree_.value[:, 0].argmax(1)
    return np.eye(len(classes))[codes[winners]]


@_parse.register(GradientBoostingClassifier)
def _parse_gradient_boosting(model):
    n_outputs = model.estimators_.shape[1]
    trees = [
        _tree(tree, _raw(tree, n_outputs, output, model.learning_rate))
        for stage in model.estimators_
        for output, tree in enumerate(stage)
    ]
    return ParsedTrees(trees, True, DOUBLE, model.decision_function)


@_parse.register(HistGradientBoostingClassifier)
def _parse_histogram_boosting(model):
    trees = []
    for stage in check.histogram_trees(model):
        for output, nodes in enumerate(stage):
            if nodes["is_categorical"].any():
                raise ValueError(
                    "HistGradientBoostingClassifier splits categorical features, which cannot be "
                    "certified: encode them with OneHotEncoder and fit it with "
                    "categorical_features=None."
                )
            value = np.zeros((len(nodes), max(len(stage), 2)))
            value[:, output if len(stage) > 1 else 1] = nodes["value"]
            trees.append(
                Tree(
                    feature=np.where(nodes["is_leaf"], -1, nodes["feature_idx"].astype(np.int64)),
                    threshold=nodes["num_threshold"].astype(np.float64),
                    left=nodes["left"].astype(np.int64),
                    right=nodes["right"].astype(np.int64),
                    value=value,
                )
            )
    return ParsedTrees(trees, False, DOUBLE, model.decision_function)
