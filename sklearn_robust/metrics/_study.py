"""Do indicators order networks as robust accuracy does? With the uncertainty of few networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata
from sklearn.utils import Bunch, check_random_state

from .. import _validation as check
from ..attacks import BaseAttack
from ._indicator_scorer import make_indicator_scorer
from ._robust import robust_score

__all__ = ["indicator_study"]

_DEFAULT = ("taylor_radius", "neg_jacobian_l1", "neg_curvature")
_ALL_ORDERS = 7  # networks whose permutations are all tried


def indicator_study(
    estimators: Mapping[Any, Any],
    X: ArrayLike,
    y: ArrayLike,
    *,
    attack: BaseAttack | None = None,
    indicators: Sequence[str] | Mapping[str, Callable[..., float]] = _DEFAULT,
    n_samples: int | None = 100,
    n_bootstrap: int = 2000,
    confidence: float = 0.95,
    random_state: int = 0,
) -> Bunch:
    """Compare indicators of robustness with robust accuracy over several networks.

    Parameters
    ----------
    estimators : dict of str to classifier
        Fitted networks to order, at least four.
    X : array-like of shape (n_samples, ...)
        Test samples.
    y : array-like of shape (n_samples,)
        True labels.
    attack : attack, default=None
        Decides which samples are robust; None is the default of :func:`robust_score`.
    indicators : sequence of str, or dict of str to scorer
        Names of scorers that :func:`make_indicator_scorer` knows, or scorers
        ``(estimator, X, y) -> float`` of which greater is better, by their names.
    n_samples : int or None, default=100
        Number of samples for indicators that are given by their names; None means all.
    n_bootstrap : int, default=2000
        Number of resamples of the networks.
    confidence : float, default=0.95
        Level of the intervals.
    random_state : int, default=0
        Seed of resamples, permutations, and of the indicators' samples.

    Returns
    -------
    study : Bunch
        ``names`` of the networks, ``clean_accuracy``, ``robust_accuracy`` and ``values``, a dict of
        each indicator's numbers, in that order. ``correlations`` has for each indicator ``rho``,
        Spearman's rank correlation with robust accuracy, ``low`` and ``high``, the ends of its
        bootstrap interval, ``p_value`` of a two-sided permutation test of no relation, ``partial``,
        the correlation of what clean accuracy leaves unexplained of both ranks, with
        ``partial_low`` and ``partial_high``, and ``verdict`` in words.

    Raises
    ------
    ValueError
        If there are fewer than four networks, or an indicator is unknown.

    See Also
    --------
    sklearn_robust.plotting.IndicatorStudyDisplay : Draws it.

    Notes
    -----
    The interval is that of percentiles over networks drawn with replacement; those that are all
    alike are left out. With few networks it is wide, and a correlation whose interval holds 0 is no
    evidence of a relation. All permutations are tried for up to seven networks, 10,000 random ones
    beyond. Networks of one data set and one family of training are no random sample of networks: a
    narrow interval says nothing of others. With x, y, z the ranks of indicator, robust and clean
    accuracy, ``partial = (r_xy - r_xz r_yz) / sqrt((1 - r_xz^2) (1 - r_yz^2))``.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_robust.attacks import PGD
    >>> from sklearn_robust.metrics import indicator_study
    >>> X, y = load_iris(return_X_y=True)
    >>> models = {C: LogisticRegression(C=C, max_iter=5000).fit(X, y) for C in (0.01, 0.1, 1, 10)}
    >>> study = indicator_study(
    ...     models, X, y, attack=PGD(eps=0.3, random_state=0), indicators=["neg_jacobian_l1"]
    ... )
    >>> study.correlations["neg_jacobian_l1"].verdict
    'no evidence: the interval holds 0'
    """
    check.validate(
        locals(),
        n_samples=check.optional(check.check_count),
        n_bootstrap=check.check_count,
        random_state=lambda name, value: check.check_count(name, value, low=0),
    )
    check.check_number("confidence", confidence, high=1, strict=True)
    if not isinstance(estimators, Mapping) or len(estimators) < 4:
        raise ValueError(
            f"estimators is {check.shown(estimators)}; give a dict of names and at least four "
            "fitted networks: fewer have no order to speak of."
        )
    scorers = _scorers(indicators, n_samples, random_state)
    codes = np.asarray(y)
    clean = [np.mean(np.asarray(model.predict(X)) == codes) for model in estimators.values()]
    robust = [robust_score(model, X, y, attack=attack) for model in estimators.values()]
    study = Bunch(
        names=[str(name) for name in estimators],
        clean_accuracy=np.array(clean, dtype=np.float64),
        robust_accuracy=np.array(robust, dtype=np.float64),
        values={
            name: np.array([score(model, X, y) for model in estimators.values()], dtype=np.float64)
            for name, score in scorers.items()
        },
    )
    study.n_samples, study.confidence = len(codes), confidence
    study.correlations = {
        name: _correlation(values, study, n_bootstrap, random_state)
        for name, values in study["values"].items()
    }
    return study


def _scorers(indicators: Any, n_samples: int | None, seed: int) -> dict[str, Any]:
    if isinstance(indicators, Mapping):
        for name, scorer in indicators.items():
            check.check_takes(f"indicators[{name!r}]", scorer, "estimator, X, y")
        return {str(name): scorer for name, scorer in indicators.items()}
    names = [indicators] if isinstance(indicators, str) else check.check_names(
        "indicators", indicators, "names of scorers, or a dict of names and scorers"
    )  # fmt: skip
    return {
        name: make_indicator_scorer(name, n_samples=n_samples, random_state=seed) for name in names
    }


def _correlation(values: NDArray[Any], study: Bunch, n_bootstrap: int, seed: int) -> Bunch:
    """Rank correlation of an indicator with robust accuracy, and its uncertainty."""
    rng = check_random_state(seed)
    columns = values, study.robust_accuracy, study.clean_accuracy
    drawn = rng.randint(len(values), size=(n_bootstrap, len(values)))
    tails = [(1 - study.confidence) / 2, (1 + study.confidence) / 2]
    found = Bunch()
    for name, prefix, measure in (("rho", "", _spearman), ("partial", "partial_", _partial)):
        around = measure(*(column[drawn] for column in columns))
        around = around[np.isfinite(around)]
        low, high = np.quantile(around, tails) if len(around) else (np.nan, np.nan)
        found[name] = float(measure(*(column[None] for column in columns))[0])
        found[f"{prefix}low"], found[f"{prefix}high"] = float(low), float(high)
    found.p_value = _p_value(values, study.robust_accuracy, rng)
    found.verdict = _verdict(found)
    return found


def _ranks(x: NDArray[Any]) -> NDArray[np.float64]:
    """Ranks of each row around their mean; NaN for rows that are not finite."""
    ranks = rankdata(x, axis=1) - (x.shape[1] + 1) / 2
    return np.where(np.isfinite(x).all(1, keepdims=True), ranks, np.nan)


def _spearman(
    x: NDArray[Any], y: NDArray[Any], z: NDArray[Any] | None = None
) -> NDArray[np.float64]:
    """Rank correlation of each pair of rows; NaN where one is constant or not finite."""
    a, b = _ranks(x), _ranks(y)
    scale = np.sqrt((a**2).sum(1) * (b**2).sum(1))
    return np.divide((a * b).sum(1), scale, out=np.full(len(a), np.nan), where=scale > 0)


def _partial(x: NDArray[Any], y: NDArray[Any], z: NDArray[Any]) -> NDArray[np.float64]:
    """Rank correlation of rows of x and y without what z explains of both."""
    xy, xz, yz = _spearman(x, y), _spearman(x, z), _spearman(y, z)
    scale = np.sqrt(np.maximum(0, 1 - xz**2) * np.maximum(0, 1 - yz**2))
    left = np.divide(xy - xz * yz, scale, out=np.full(len(xy), np.nan), where=scale > 1e-6)
    return np.where(np.ptp(z, axis=1) == 0, xy, left)  # a constant explains nothing


def _p_value(x: NDArray[Any], y: NDArray[Any], rng: np.random.RandomState) -> float:
    """Share of orders of the networks that correlate at least as strongly."""
    seen = abs(_spearman(x[None], y[None])[0])
    if np.isnan(seen):
        return float("nan")
    if len(x) <= _ALL_ORDERS:
        orders = np.array(list(permutations(range(len(x)))))
    else:
        orders = rng.random_sample((10_000, len(x))).argsort(axis=1)
    found = abs(_spearman(np.broadcast_to(x, orders.shape), y[orders])) >= seen - 1e-12
    extra = len(x) > _ALL_ORDERS  # the order that was seen is one of them
    return float((extra + found.sum()) / (extra + len(orders)))


def _verdict(found: Bunch) -> str:
    if not np.isfinite([found.rho, found.low, found.high]).all():
        return "no evidence: the ranks of one are all alike"
    if found.low <= 0 <= found.high or found.p_value > 0.05:
        holds = found.low <= 0 <= found.high
        return f"no evidence: {'the interval holds 0' if holds else 'chance does as well'}"
    return "orders these networks as robust accuracy does" if found.rho > 0 else (
        "orders these networks the other way round"
    )  # fmt: skip
