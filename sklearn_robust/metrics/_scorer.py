"""Robust accuracy as a scorer object."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike
from sklearn.utils.metadata_routing import MetadataRequest

from .. import _validation as check
from ..attacks import BaseAttack
from ._robust import share_of_robust

if TYPE_CHECKING:
    from typing import Self

__all__ = ["RobustScorer", "WeightedScorer", "make_robust_scorer"]


class WeightedScorer:
    """Base of scorers that take ``sample_weight``, also under metadata routing."""

    _weights: bool | str | None = None

    def _accept_sample_weight(self) -> bool:
        # scikit-learn's multi-metric scorer asks its members before it passes weights on.
        return True

    def set_score_request(self, *, sample_weight: bool | str | None = True) -> Self:
        """Ask for sample weights where scikit-learn's metadata routing is switched on.

        Parameters
        ----------
        sample_weight : bool, str or None, default=True
            True asks for them, a string for those passed under that name, False for none; None
            is an error once weights are passed.

        Returns
        -------
        self : object
            The scorer.
        """
        self._weights = sample_weight
        return self

    def get_metadata_routing(self) -> MetadataRequest:
        """Return what the scorer asks for, a ``MetadataRequest``."""
        request = MetadataRequest(owner=repr(self))
        request.score.add_request(param="sample_weight", alias=self._weights)
        return request


class RobustScorer(WeightedScorer):
    """Scorer ``(estimator, X, y) -> float``; made by :func:`make_robust_scorer`.

    Parameters
    ----------
    attack : attack or None
        Whose success counts.
    n_jobs : int or None
        Processes that share the samples.
    cache : path-like or None
        Folder of verdicts that are kept.
    """

    def __init__(
        self,
        attack: BaseAttack | None = None,
        n_jobs: int | None = None,
        cache: str | os.PathLike[str] | None = None,
    ) -> None:
        self.attack = attack
        self.n_jobs = n_jobs
        self.cache = cache

    def __call__(
        self, estimator: Any, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Robust accuracy; labels that a fold's training part lacked count as errors."""
        check.check_labels(y)
        given = (self.attack, sample_weight, self.n_jobs)
        return share_of_robust(estimator, X, y, *given, unseen=True, cache=self.cache)

    def __repr__(self) -> str:
        n_jobs = "" if self.n_jobs is None else f", n_jobs={self.n_jobs!r}"
        cache = "" if self.cache is None else f", cache={self.cache!r}"
        return f"make_robust_scorer({self.attack!r}{n_jobs}{cache})"


def make_robust_scorer(
    attack: BaseAttack | None = None,
    *,
    n_jobs: int | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> RobustScorer:
    """Make a scorer of robust accuracy, for ``scoring=`` of any search or cross-validation.

    Parameters
    ----------
    attack : attack, default=None
        None is the default of :func:`robust_score`. Give it an integer ``random_state`` so that
        all candidates face the same attack.
    n_jobs : int, default=None
        Processes that share the samples of one call.
    cache : path-like, default=None
        Folder of verdicts that are kept, as for :func:`robust_score`.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y, sample_weight=None) -> float``, picklable. Under scikit-learn's
        metadata routing, ``scorer.set_score_request(sample_weight=True)`` asks for weights.

    Raises
    ------
    TypeError
        If ``attack`` is not an attack.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn_robust.attacks import PGD
    >>> from sklearn_robust.metrics import make_robust_scorer
    >>> X, y = load_iris(return_X_y=True)
    >>> scorer = make_robust_scorer(PGD(eps=0.1, random_state=0))
    >>> scorer
    make_robust_scorer(PGD(eps=0.1, random_state=0))
    >>> model = LogisticRegression(max_iter=1000)
    >>> cross_val_score(model, X, y, scoring=scorer, cv=3).shape
    (3,)
    """
    check.validate(locals())
    return RobustScorer(None if attack is None else check.check_attack(attack), n_jobs, cache)
