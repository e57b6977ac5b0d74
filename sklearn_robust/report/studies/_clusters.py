"""Clusters of the classes, by the weights that each net has for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...clustering import ClassClustering, class_weight_matrix
from ...exceptions import NotLinearizableError
from .._data import Data
from .._results import Results
from ._common import Found, NotShown, plain, two_nets

__all__ = ["clusters"]

_N_CLUSTERS = 2


def clusters(results: Results, data: Data, nets: dict[str, Any]) -> Found:
    """Cluster the classes by the weights that each net has for them."""
    classes = results["data"]["classes"]
    if len(classes) < 3:
        raise NotShown(f"there are only {len(classes)} classes, and a tree needs three")
    found: dict[str, Any] = {}
    arrays: dict[str, NDArray[Any]] = {}
    trees: dict[str, ClassClustering] = {}
    for name, net in nets.items():
        try:
            weights = class_weight_matrix(net)
        except NotLinearizableError as error:
            raise NotShown(str(error)) from error
        trees[name] = tree = ClassClustering(_N_CLUSTERS).fit(weights)
        found[name] = {
            "contrast": plain(tree.contrast_),
            "silhouette": plain(tree.silhouette_),
            "cophenetic_correlation": plain(tree.cophenetic_correlation_),
            "mean_cosine": plain(_off_diagonal(tree.correlation_)),
        }
    for name in (shown := two_nets(results, nets)):
        arrays[f"correlation/{name}"] = trees[name].correlation_
        arrays[f"linkage/{name}"] = trees[name].linkage_matrix_
    groups = {name: _groups(tree.labels_, classes) for name, tree in trees.items()}
    labels = {name: tree.labels_.tolist() for name, tree in trees.items()}
    facts: dict[str, Any] = {"nets": found, "groups": groups, "labels": labels, "shown": shown}
    return facts | {"n_clusters": _N_CLUSTERS}, arrays


def _off_diagonal(correlation: NDArray[Any]) -> float:
    """Mean cosine of two different classes."""
    return correlation[np.triu_indices(len(correlation), 1)].mean()


def _groups(labels: NDArray[Any], classes: Sequence[str]) -> list[list[str]]:
    """Names of the classes of each cluster."""
    return [
        [name for name, own in zip(classes, labels, strict=True) if own == label]
        for label in np.unique(labels)
    ]
