"""White-box attack on trees and ensembles of trees."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.tree import DecisionTreeClassifier

from .. import _validation as check
from .._norms import get_norm
from .._trees import Ball, TreeSearcher, has_veritas
from ..differentiable import Model, open_model
from ..differentiable._scores import ScoreFunction
from ..exceptions import BlackBoxWarning
from ._base import BaseAttack
from ._batch import AttackBatch
from ._parameters import attack_class
from ._result import AttackResult

__all__ = ["TreeAttack"]


class TreeScores(ScoreFunction):
    """Scores of a classifier made of trees, and the search over its trees.

    Parameters
    ----------
    model : Model
        Opened classifier.
    """

    def __init__(self, model: Model) -> None:
        super().__init__(model.estimator)
        self._model = model
        self._searcher: TreeSearcher | None = None

    def searcher(self, X: NDArray[np.float32]) -> TreeSearcher:
        """Search whose trees agree with ``predict`` on ``X``."""
        if self._searcher is None:
            self._searcher = TreeSearcher(self._model, X)
        return self._searcher


@attack_class
class TreeAttack(BaseAttack):
    """Exact search of the leaves of trees for an adversarial example.

    It attacks decision trees, random forests, extra trees, bagged and boosted trees of
    scikit-learn, XGBoost and LightGBM, behind scalers or not.

    Parameters
    ----------
    %(estimator)s
    %(eps)s
    %(norm)s
    %(constraints)s
    time_limit : float, default=1.0
        Seconds of search per sample, after which a sample counts as robust, with a warning.
    %(settings)s

    See Also
    --------
    sklearn_robust.certification.robust_bounds : Also proves where there is none.
    sklearn_robust.metrics.robust_score : Uses it for trees.

    Notes
    -----
    A ball around a sample reaches some leaves of each tree. The search looks for one leaf of each
    that share a point and whose values add up to another class, and leaves out what cannot [1]_.
    Where it ends in time, the attack succeeds on every sample that has an adversarial example, up
    to rounding. In linf it is done by dtai-veritas [2]_ where that is installed
    (``pip install sklearn-robust[trees]``), else, and in l2 and l1, by a slower one of our own.
    Features that are kept on integers are searched as if they were not, and rounded away from the
    sample: a part of a tree that holds no integer may hide another one that does.

    References
    ----------
    .. [1] Kantchelian, Tygar, Joseph, "Evasion and hardening of tree ensemble classifiers", ICML
       2016.
    .. [2] Devos, Meert, Davis, "Versatile verification of tree ensembles", ICML 2021.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn_robust.attacks import Square, TreeAttack
    >>> X, y = load_iris(return_X_y=True)
    >>> model = RandomForestClassifier(10, random_state=0).fit(X, y)
    >>> exact = TreeAttack(eps=0.3).evaluate(model, X, y).fooled
    >>> guess = Square(eps=0.3, max_iter=50, random_state=0).evaluate(model, X, y).fooled
    >>> bool((exact >= guess).all())
    True
    """

    needs_gradient = False
    supported_norms = ("linf", "l2", "l1")

    time_limit: float = 1.0

    def check_parameters(self) -> None:
        """Raise unless all parameters are valid."""
        check.check_number("time_limit", self.time_limit, strict=True)
        super().check_parameters()

    def _default_estimator(self) -> BaseEstimator:
        return DecisionTreeClassifier(random_state=0)

    def logits_of(self, model: Model) -> Any:
        """Scores of the trees, which the search is kept with.

        Parameters
        ----------
        model : Model
            As of ``open_model``.

        Returns
        -------
        logits : callable
            Maps a tensor of samples to scores.

        Raises
        ------
        TypeError
            If the model is not made of trees.
        ValueError
            If X holds missing values or categories.
        """
        if not TreeSearcher.knows(model):
            raise TypeError(
                f"{model.name} is not made of trees: TreeAttack searches decision trees, forests "
                "and boosted trees. Attack it with Square, or with PGD if it has a gradient."
            )
        unread = TreeSearcher.unread_columns(model)
        if unread is not None:
            raise ValueError(
                f"X holds {unread}, which TreeAttack does not read: attack it with Square, or "
                "fill or encode them before."
            )
        return TreeScores(model)

    def run(self, batch: AttackBatch) -> AttackResult:
        """Search the ball of each sample that is not misclassified anyway.

        Parameters
        ----------
        batch : AttackBatch
            What is attacked.

        Returns
        -------
        result : AttackResult
            The adversarial examples that were found.
        """
        scores = self._scores_of(batch)
        result = batch.result()
        x, y = batch.x.numpy(), batch.y.numpy()
        searcher = scores.searcher(x)
        clean = scores.codes(x) == y
        result.fooled |= torch.as_tensor(~clean)
        rows = np.flatnonzero(clean)
        threat = self.threat_model.with_shape(x.shape[1:], batch.box.bounds)
        order = get_norm(threat.norm).order
        radius = np.broadcast_to(threat.radius, x.shape)
        ball = Ball(*threat.limits(x), order, radius).part(rows)
        decision = searcher.decide(x[rows].astype(np.float64), y[rows], ball, self.time_limit)
        found = np.isfinite(decision.X_adv).all(1)
        self._warn_of_lateness(int((decision.late & ~found).sum()), len(x))
        hit = torch.as_tensor(rows[found])
        points = torch.as_tensor(decision.X_adv[found]).to(batch.x)
        if threat.integer is not None:
            points = _onto_integers(points, batch.x[hit], torch.as_tensor(threat.integer))
        gain = torch.ones(len(hit), dtype=torch.float64)
        result.record(hit, points, gain, torch.ones(len(hit), dtype=torch.bool))
        result.n_queries += 1
        return result

    def _scores_of(self, batch: AttackBatch) -> TreeScores:
        """Scores that know the trees; a cascade asks with scores alone."""
        if isinstance(batch.logits, TreeScores):
            return batch.logits
        if isinstance(batch.logits, ScoreFunction):
            return self.logits_of(open_model(batch.logits.estimator))
        raise TypeError(
            "TreeAttack needs a fitted classifier, not a function of logits: call "
            "generate(estimator, X, y) or evaluate(estimator, X, y)."
        )

    def _warn_of_lateness(self, n_late: int, n_samples: int) -> None:
        if n_late:
            help_ = "" if has_veritas() else ", or pip install sklearn-robust[trees]"
            warnings.warn(
                f"TreeAttack ran out of time on {n_late} of {n_samples} samples, which count as "
                f"robust, so that the score is an upper bound: raise time_limit={self.time_limit!r}"
                f"{help_}; robust_bounds says how large the gap is.",
                BlackBoxWarning,
                stacklevel=4,
            )


def _onto_integers(points: torch.Tensor, x: torch.Tensor, integer: torch.Tensor) -> torch.Tensor:
    """Round integer features away from the samples: the search stops just behind a threshold."""
    steps = points - x
    whole = x + steps.sign() * (steps.abs() - 1e-9).ceil()
    return torch.where(integer, whole, points)
