"""Certifiers of trees and of ensembles of trees: exact where the search ends in time."""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.tree import DecisionTreeClassifier

from .._norms import get_norm
from .._trees import Ball, TreeSearcher, has_veritas, tree_distances
from ._problem import Certificate, Problem, Radii
from ._registry import register_by_name, register_certifier

__all__ = ["certify_trees", "tree_radii"]

KINDS = (
    AdaBoostClassifier,
    BaggingClassifier,
    DecisionTreeClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)


def certify_trees(problem: Problem) -> Certificate | str:
    """Search for adversarial examples of trees; where there is none, that is a proof.

    Parameters
    ----------
    problem : Problem
        Whose classifier is made of trees.

    Returns
    -------
    certificate : Certificate or str
        With the adversarial examples that were found; or why the certifier does not apply.
    """
    if not TreeSearcher.knows(problem.model):
        name = type(problem.classifier).__name__
        return f"Nothing is proven of {name} of other estimators than decision trees."
    X = problem.X
    try:
        searcher = TreeSearcher(problem.model, X.astype(np.float32))
    except ValueError as error:
        return f"Nothing is proven: {error}"
    decision = searcher.decide(X, problem.codes, _ball(problem), problem.time_limit)
    return Certificate(decision.robust, decision.X_adv, _late(int(decision.late.sum()), problem))


def tree_radii(problem: Problem) -> Radii | None:
    """Distances of the nearest adversarial examples of trees.

    Parameters
    ----------
    problem : Problem
        Whose classifier is made of trees.

    Returns
    -------
    radii : Radii or None
        None if the classifier or a step in front of it cannot be followed exactly.
    """
    if not TreeSearcher.suits(problem.model):
        return None
    searcher = TreeSearcher(problem.model, problem.X.astype(np.float32))
    ball = _ball(problem)
    units = problem.threat.radius
    ball.radius = np.broadcast_to(units, problem.X.shape)
    found = tree_distances(searcher, problem.X, problem.codes, ball, problem.time_limit)
    return Radii(*found)


def _ball(problem: Problem) -> Ball:
    return Ball(*problem.limits, get_norm(problem.threat.norm).order, problem.radius)


def _late(n_late: int, problem: Problem) -> str | None:
    """Say how many samples a search left undecided, and what helps."""
    if not n_late:
        return None
    help_ = "" if has_veritas() else ", or pip install sklearn-robust[trees]"
    return (
        f"The search ran out of time on {n_late} of {len(problem.X)} samples, which are not "
        f"certified: raise time_limit={problem.time_limit:g}{help_}."
    )


for kind in KINDS:
    register_certifier(kind, certify_trees, radius=tree_radii)
for name in ("lightgbm.LGBMClassifier", "xgboost.XGBClassifier"):
    register_by_name(name, RandomForestClassifier)
