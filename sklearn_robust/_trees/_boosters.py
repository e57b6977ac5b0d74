"""Trees of XGBoost's and LightGBM's classifiers, read from their own dumps."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from ._ensemble import Tree

__all__ = ["lightgbm_trees", "xgboost_trees"]

SINGLE, DOUBLE = float(np.finfo(np.float32).eps), float(np.finfo(np.float64).eps)


def _refuse(name: str, what: str, instead: str) -> ValueError:
    return ValueError(f"{name} {what}, which cannot be certified: {instead}.")


def _values(leaf_values: Any, n_nodes: int, n_classes: int, output: int) -> Any:
    """Values of a tree that adds to one output; of a single output, to the second class."""
    value = np.zeros((n_nodes, n_classes))
    value[:, output] = leaf_values
    return value


# -- XGBoost -------------------------------------------------------------------------------------


def xgboost_trees(model: Any) -> tuple[list[Tree], bool, float]:
    """Read the trees of an XGBClassifier.

    Parameters
    ----------
    model : XGBClassifier
        Fitted.

    Returns
    -------
    trees : list of Tree
        Those that ``predict`` uses.
    casts : bool
        XGBoost rounds samples to float32.
    precision : float
        It adds up in float32.
    """
    booster = model.get_booster()
    learner = json.loads(bytes(booster.save_raw("json")))["learner"]
    objective = learner["objective"]["name"]
    if objective not in ("binary:logistic", "multi:softprob", "multi:softmax"):
        raise _refuse(
            "XGBClassifier", f"has the objective {objective!r}", "fit it with the default"
        )
    if learner["gradient_booster"]["name"] != "gbtree":
        name = learner["gradient_booster"]["name"]
        raise _refuse("XGBClassifier", f"has booster={name!r}", "fit it with booster='gbtree'")
    forest = learner["gradient_booster"]["model"]
    n_classes = max(len(model.classes_), 2)
    used = _used_by_xgboost(model, forest)
    pairs = list(zip(forest["trees"], forest["tree_info"], strict=True))[:used]
    trees = [
        _xgboost_tree(tree, n_classes, output if n_classes > 2 else 1) for tree, output in pairs
    ]
    return trees, True, SINGLE


def _used_by_xgboost(model, forest):
    """How many trees ``predict`` adds up: early stopping leaves out the last ones."""
    best = vars(model).get("early_stopping_rounds") and model.best_iteration
    return None if best is None else forest["iteration_indptr"][best + 1]


def _xgboost_tree(tree: Any, n_classes: int, output: int) -> Tree:
    if np.any(tree["split_type"]):
        raise _refuse(
            "XGBClassifier", "splits categorical features", "encode them with OneHotEncoder"
        )
    if int(tree["tree_param"].get("size_leaf_vector", 1)) > 1:
        raise _refuse(
            "XGBClassifier",
            "has trees of several outputs",
            "fit it with multi_strategy='one_output_per_tree'",
        )
    left = np.array(tree["left_children"], dtype=np.int64)
    leaf = left < 0
    conditions = np.array(tree["split_conditions"], dtype=np.float32)
    # XGBoost sends x < condition to the left: in float32, x <= the number before it.
    before = np.nextafter(conditions, np.float32(-np.inf)).astype(np.float64)
    return Tree(
        feature=np.where(leaf, -1, np.array(tree["split_indices"], dtype=np.int64)),
        threshold=np.where(leaf, 0.0, before),
        left=left,
        right=np.array(tree["right_children"], dtype=np.int64),
        value=_values(
            np.where(leaf, conditions.astype(np.float64), 0), len(left), n_classes, output
        ),
    )


# -- LightGBM ------------------------------------------------------------------------------------


def lightgbm_trees(model: Any) -> tuple[list[Tree], bool, float]:
    """Read the trees of a LGBMClassifier.

    Parameters
    ----------
    model : LGBMClassifier
        Fitted.

    Returns
    -------
    trees : list of Tree
        Those that ``predict`` uses.
    casts : bool
        LightGBM compares in float64.
    precision : float
        It adds up in float64.
    """
    dump = model.booster_.dump_model()
    objective = str(dump.get("objective", "")).split(" ")[0]
    if objective not in ("binary", "multiclass", "multiclassova"):
        raise _refuse(
            "LGBMClassifier", f"has the objective {objective!r}", "fit it with the default"
        )
    if dump.get("average_output"):
        raise _refuse("LGBMClassifier", "averages its trees", "fit it with boosting_type='gbdt'")
    n_outputs = int(dump["num_tree_per_iteration"])
    n_classes = max(n_outputs, 2)
    trees = []
    for number, info in enumerate(dump["tree_info"]):
        output = number % n_outputs if n_outputs > 1 else 1
        trees.append(_lightgbm_tree(info["tree_structure"], n_classes, output))
    return trees, False, DOUBLE


def _lightgbm_tree(root: Any, n_classes: int, output: int) -> Tree:
    nodes: list[tuple[int, float, int, int, float]] = []
    todo, waiting = [(root, -1, "")], []
    while todo:
        node, parent, side = todo.pop()
        if parent >= 0:
            waiting.append((parent, side, len(nodes)))
        if "split_feature" not in node:
            if "leaf_const" in node or "leaf_coeff" in node:
                raise _refuse("LGBMClassifier", "has linear trees", "fit it with linear_tree=False")
            nodes.append((-1, 0.0, -1, -1, float(node["leaf_value"])))
            continue
        if node["decision_type"] != "<=":
            raise _refuse(
                "LGBMClassifier", "splits categorical features", "encode them with OneHotEncoder"
            )
        if node["missing_type"] == "Zero":
            raise _refuse(
                "LGBMClassifier", "takes zeros as missing", "fit it with zero_as_missing=False"
            )
        todo += [
            (node["left_child"], len(nodes), "left"),
            (node["right_child"], len(nodes), "right"),
        ]
        nodes.append((int(node["split_feature"]), float(node["threshold"]), -1, -1, 0.0))
    feature, threshold, left, right, value = (
        np.array(column) for column in zip(*nodes, strict=True)
    )
    for parent, side, number in waiting:
        (left if side == "left" else right)[parent] = number
    return Tree(feature, threshold, left, right, _values(value, len(nodes), n_classes, output))
