"""Certified accuracy, and as a scorer object."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import _validation as check
from .._threat_model import ThreatModel
from ..attacks._evaluation import open_samples
from ..differentiable import open_model
from ..differentiable._state import records
from ._bounds import certified_mask

__all__ = ["CertifiedScorer", "certified_score", "make_certified_scorer"]


@records
def _score(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike,
    threat: ThreatModel,
    time_limit: float,
    sample_weight: ArrayLike | None,
    unseen: bool = False,
) -> float:
    model = open_model(estimator)
    X, codes = open_samples(model, X, y, unseen=unseen)
    certified = certified_mask(model, X, codes, threat.on(X), time_limit)
    weights = check.check_weights(sample_weight, len(certified))
    return float(np.average(certified.astype(float), weights=weights))


def certified_score(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike,
    *,
    eps: Any = None,
    norm: str | float = "linf",
    bounds: Any = "auto",
    mask: Any = None,
    integer: Any = None,
    time_limit: float = 1.0,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Share of samples proven to be classified correctly in the whole ball.

    Parameters
    ----------
    estimator : fitted classifier, Pipeline, or torch.nn.Module of logits
        What to score.
    X : array-like of shape (n_samples, ...)
        Clean samples.
    y : array-like of shape (n_samples,)
        True labels.
    eps : float or array of the samples' shape, default=None
        Radius in the units of X. None means 8/255 for linf, as in ``robust_score``.
    norm : {"linf", "l2", "l1"} or the name of a registered norm, default="linf"
        Norm of the ball.
    bounds : "auto", None or (low, high), default="auto"
        Box of the data; "auto" is (0, 1) if all of X lies inside it, else no box.
    mask : bool array of the samples' shape or indices, default=None
        Features that may move; None means all.
    integer : bool array of the samples' shape or indices, default=None
        Features that are kept on integers.
    time_limit : float, default=1.0
        Seconds of search per sample, as for ``robust_bounds``.
    sample_weight : array-like of shape (n_samples,), default=None
        Weight of each sample.

    Returns
    -------
    score : float
        A lower bound of robust accuracy: no attack, known or unknown, goes below it.

    See Also
    --------
    robust_bounds : With the upper bound beside it.
    make_certified_scorer : The same as a scorer with a given radius.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.certification import certified_score
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> certified_score(model, X, y, eps=0.3) < model.score(X, y)
    True
    """
    check.validate(locals())
    check.check_labels(y)
    check.check_number("time_limit", time_limit, strict=True)
    threat = ThreatModel(eps, norm=norm, bounds=bounds, mask=mask, integer=integer)
    return _score(estimator, X, y, threat, time_limit, sample_weight)


class CertifiedScorer:
    """Scorer ``(estimator, X, y) -> float``; made by :func:`make_certified_scorer`.

    Parameters
    ----------
    threat_model : ThreatModel
        How samples may move.
    time_limit : float, default=1.0
        Seconds of search per sample.

    See Also
    --------
    make_certified_scorer : Makes it.

    Examples
    --------
    >>> from sklearn_robust.certification import make_certified_scorer
    >>> make_certified_scorer(0.1).threat_model.eps
    0.1
    """

    def __init__(self, threat_model: ThreatModel, time_limit: float = 1.0) -> None:
        self.threat_model = threat_model
        self.time_limit = time_limit

    def __call__(
        self, estimator: Any, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Certified accuracy; labels that a fold's training part lacked count as errors."""
        check.check_labels(y)
        limits = self.threat_model, self.time_limit
        return _score(estimator, X, y, *limits, sample_weight, unseen=True)

    def _accept_sample_weight(self) -> bool:
        # scikit-learn's multi-metric scorer asks its members before it passes weights on.
        return True

    def __repr__(self) -> str:
        params = {**self.threat_model.params(), "time_limit": self.time_limit}
        default = {**ThreatModel().params(), "time_limit": 1.0}
        same = {name for name, value in params.items() if repr(value) == repr(default[name])}
        shown = [f"{name}={value!r}" for name, value in params.items() if name not in same]
        return f"make_certified_scorer({', '.join(shown)})"


def make_certified_scorer(
    eps: Any = None,
    *,
    norm: str | float = "linf",
    bounds: Any = "auto",
    mask: Any = None,
    integer: Any = None,
    time_limit: float = 1.0,
) -> CertifiedScorer:
    """Make a scorer of certified accuracy, for ``scoring=`` of any search or cross-validation.

    Parameters
    ----------
    eps : float or array of the samples' shape, default=None
        Radius in the units of X. None means 8/255 for linf.
    norm : {"linf", "l2", "l1"} or the name of a registered norm, default="linf"
        Norm of the ball.
    bounds : "auto", None or (low, high), default="auto"
        Box of the data.
    mask : bool array of the samples' shape or indices, default=None
        Features that may move; None means all.
    integer : bool array of the samples' shape or indices, default=None
        Features that are kept on integers.
    time_limit : float, default=1.0
        Seconds of search per sample, as for ``robust_bounds``.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y, sample_weight=None) -> float``, picklable.

    Raises
    ------
    ValueError
        If the norm is unknown, or eps is no radius.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn_robust.certification import make_certified_scorer
    >>> X, y = load_iris(return_X_y=True)
    >>> scorer = make_certified_scorer(0.3)
    >>> scorer
    make_certified_scorer(eps=0.3)
    >>> model = LogisticRegression(max_iter=1000)
    >>> search = GridSearchCV(model, {"C": [0.1, 1.0]}, scoring=scorer).fit(X, y)
    >>> bool(0.5 < search.best_score_ < 1)
    True
    """
    name = check.check_norm(norm)
    if np.ndim(eps) == 0:
        check.check_eps(eps, name, ())
    check.check_number("time_limit", time_limit, strict=True)
    threat = ThreatModel(eps, norm=norm, bounds=bounds, mask=mask, integer=integer)
    return CertifiedScorer(threat, time_limit)


def _takes_weights() -> bool:
    return True


vars(certified_score)["_accept_sample_weight"] = _takes_weights
