"""What trees must agree with: all cells of a small space, and a mixed-integer programme."""

import itertools

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    RandomForestClassifier,
)

NORMS = {"linf": np.inf, "l2": 2, "l1": 1}


def data(seed, n_classes=2, n_features=3, n_samples=60):
    """Samples in the unit cube as float32 holds them, with overlapping classes."""
    X, y = make_classification(
        n_samples,
        n_features,
        n_informative=n_features,
        n_redundant=0,
        n_classes=n_classes,
        n_clusters_per_class=1,
        class_sep=0.7,
        random_state=seed,
    )
    X = (X - X.min(0)) / np.ptp(X, axis=0)
    return X.astype(np.float32), y


def random_forest(seed):
    """A small forest of a random kind, and its data."""
    rng = np.random.default_rng(seed)
    X, y = data(seed, n_classes=int(rng.integers(2, 4)), n_features=int(rng.integers(2, 4)))
    kind = (RandomForestClassifier, ExtraTreesClassifier, GradientBoostingClassifier)[seed % 3]
    depth = int(rng.integers(1, 4))
    model = kind(n_estimators=int(rng.integers(1, 5)), max_depth=depth, random_state=seed)
    return model.fit(X, y), X, y


def cells(levels, low=0.0, high=1.0):
    """Corners (n_cells, n_features) of all cells between thresholds, clipped to a box."""
    edges = [np.concatenate([[-np.inf], row, [np.inf]]) for row in levels]
    below = np.array(list(itertools.product(*[row[:-1] for row in edges])))
    above = np.array(list(itertools.product(*[row[1:] for row in edges])))
    below, above = np.maximum(below, low), np.minimum(above, high)
    some = (below < above).all(1)
    return below[some], above[some]


def brute_distances(model, levels, X, codes, order):
    """Distance of the nearest cell of another class, for each sample."""
    below, above = cells(levels)
    predicted = model.predict(((below + above) / 2).astype(np.float32))
    gap = np.maximum(np.maximum(below[None] - X[:, None], X[:, None] - above[None]), 0)
    distance = np.linalg.norm(gap, order, axis=2)
    other = predicted[None] != model.classes_[codes][:, None]
    return np.where(other, distance, np.inf).min(1)


def milp_distance(ensemble, levels, x, code):
    """Distance in linf by a mixed-integer programme (Kantchelian et al. 2016)."""
    return min(
        _milp_against(ensemble, levels, x, code, rival)
        for rival in range(ensemble.n_classes)
        if rival != code
    )


def _milp_against(ensemble, levels, x, code, rival):
    flags = [(j, k) for j, row in enumerate(levels) for k in range(len(row))]
    number = {flag: i for i, flag in enumerate(flags)}
    leaf = {node: len(flags) + i for i, node in enumerate(ensemble.leaves)}
    n = len(flags) + len(leaf) + 1
    rows, lows, highs = [], [], []

    def add(terms, low=-np.inf, high=np.inf):
        row = np.zeros(n)
        for column, factor in terms:
            row[column] += factor
        rows.append(row)
        lows.append(low)
        highs.append(high)

    def below(node):
        if ensemble.feature[node] < 0:
            return [leaf[node]]
        return below(ensemble.left[node]) + below(ensemble.right[node])

    for j, row in enumerate(levels):
        for k in range(len(row) - 1):  # x <= t implies x <= the next t
            add([(number[j, k], 1), (number[j, k + 1], -1)], high=0)
    for root in ensemble.roots:
        add([(column, 1) for column in below(root)], 1, 1)
    for node in np.flatnonzero(ensemble.feature >= 0):
        flag = number[ensemble.feature[node], ensemble.rank[node]]
        left = [(column, 1) for column in below(ensemble.left[node])]
        right = [(column, 1) for column in below(ensemble.right[node])]
        add([*left, (flag, -1)], high=0)
        add([*right, (flag, 1)], high=1)
    gain = ensemble.value[:, rival] - ensemble.value[:, code]
    needed = ensemble.needed(code, rival)
    add([(column, gain[node]) for node, column in leaf.items()], low=needed)
    for (j, k), column in number.items():
        t = levels[j][k]
        if x[j] > t:
            add([(column, x[j] - t), (n - 1, -1)], high=0)
        else:
            add([(column, -(t - x[j])), (n - 1, -1)], high=-(t - x[j]))
    integral = np.zeros(n)
    integral[: len(flags)] = 1
    upper = np.ones(n)
    upper[-1] = np.inf
    low_flags, high_flags = np.zeros(n), upper
    for (j, k), column in number.items():  # thresholds outside the unit cube are decided
        if levels[j][k] >= 1:
            low_flags[column] = 1
        if levels[j][k] < 0:
            high_flags[column] = 0
    cost = np.zeros(n)
    cost[-1] = 1
    done = milp(
        cost,
        integrality=integral,
        bounds=Bounds(low_flags, high_flags),
        constraints=LinearConstraint(np.array(rows), lows, highs),
        options={"mip_rel_gap": 0},
    )
    return done.fun if done.success else np.inf
