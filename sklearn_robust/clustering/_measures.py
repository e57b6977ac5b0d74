"""Measures of groups of classes: contrast, silhouette, purity of the tree, permutation test."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations
from math import comb, prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.utils import Bunch

if TYPE_CHECKING:
    from ._class_clustering import ClassClustering

__all__ = ["MEASURES", "agreement", "contrast", "dendrogram_purity", "permutation_p", "silhouette"]

_N_EXACT = 10_000  # arrangements of classes that are all looked at
_N_DRAWS = 9_999


def _pairs(similarity: NDArray[Any]) -> NDArray[Any]:
    return similarity[np.triu_indices(len(similarity), 1)]


def contrast(similarity: NDArray[Any], codes: NDArray[np.int64]) -> float:
    """Mean similarity of two classes of one group minus that of two classes of different groups.

    NaN where there is no pair of either kind.
    """
    values, same = _pairs(similarity), _pairs(codes[:, None] == codes)
    if same.all() or not same.any():
        return float("nan")
    return float(values[same].mean() - values[~same].mean())


def silhouette(distance: NDArray[Any], codes: NDArray[np.int64]) -> float:
    """Mean silhouette of the classes; NaN unless there are 2 to n_classes - 1 groups."""
    if not 2 <= len(np.unique(codes)) < len(codes):
        return float("nan")
    return float(silhouette_score(distance, codes, metric="precomputed"))


def dendrogram_purity(children: NDArray[np.int64], codes: NDArray[np.int64]) -> float:
    """Mean share of two classes' common group in the smallest subtree that holds both.

    The mean is over all pairs of classes of one group; 1 means that each group is a subtree.
    """
    counts = list(np.eye(codes.max() + 1)[codes])  # of each group, below each node
    total = n_pairs = 0.0
    for left, right in children:
        node, joined = counts[left] + counts[right], counts[left] * counts[right]
        total += (joined * node).sum() / node.sum()
        n_pairs += joined.sum()
        counts.append(node)
    return float(total / n_pairs)


def permutation_p(similarity: NDArray[Any], codes: NDArray[np.int64]) -> float:
    """Share of all arrangements of the classes in groups of these sizes with such a contrast.

    Exact up to 10,000 arrangements, else from 9,999 random ones besides the one given; those
    are the same in every call.
    """
    counts, flat, given = np.bincount(codes), similarity.ravel(), np.argsort(codes, kind="stable")
    groups = np.repeat(np.arange(len(counts)), counts)  # of classes in an order, one after another
    first, second = np.nonzero(np.triu(groups[:, None] == groups, 1))

    def within(
        order: NDArray[Any],
    ) -> float:  # rises with the contrast, since the sizes fix the numbers of pairs
        return flat.take(order[first] * len(codes) + order[second]).sum()

    sizes = counts.tolist()
    left = np.cumsum(sizes[::-1])[::-1].tolist()
    if prod(map(comb, left, sizes)) <= _N_EXACT:
        sums = [within(np.array(order)) for order in _arrangements(sizes, range(len(codes)))]
    else:
        rng = np.random.default_rng(0)
        sums = [within(given), *(within(rng.permutation(len(codes))) for _ in range(_N_DRAWS))]
    return float(np.mean(np.array(sums) >= within(given) - 1e-9 * np.abs(flat).sum()))


def _arrangements(sizes: Sequence[int], free: Iterable[int]) -> Iterator[list[int]]:
    """Orders of the classes, one group after another, for each way to put them into groups."""
    if not sizes:
        yield []
        return
    for chosen in combinations(free, sizes[0]):
        rest = [number for number in free if number not in chosen]
        for others in _arrangements(sizes[1:], rest):
            yield [*chosen, *others]


# Measures of a fitted ClassClustering and known superclasses, which are given as codes.
MEASURES: dict[str, Callable[[ClassClustering, NDArray[np.int64]], float]] = {
    "contrast": lambda fitted, codes: contrast(fitted.correlation_, codes),
    "silhouette": lambda fitted, codes: silhouette(fitted.distance_matrix_, codes),
    "adjusted_rand": lambda fitted, codes: float(adjusted_rand_score(codes, fitted.labels_)),
    "dendrogram_purity": lambda fitted, codes: dendrogram_purity(fitted.children_, codes),
    "p_value": lambda fitted, codes: permutation_p(fitted.correlation_, codes),
}


def agreement(fitted: ClassClustering, codes: NDArray[np.int64]) -> Bunch:
    """All measures of a fitted ClassClustering and known superclasses; a Bunch."""
    return Bunch(**{name: measure(fitted, codes) for name, measure in MEASURES.items()})
