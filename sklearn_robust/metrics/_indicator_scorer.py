"""Indicators as scorers: one number per estimator, greater is better."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

from .. import _validation as check
from ._boundary import boundary_distance
from ._divergence import prediction_divergence
from ._hessian_norm import hessian_norm
from ._hessian_sparsity import hessian_sparsity
from ._indicator import curved, pick_samples, second_order, warn_if_constant
from ._indicator_input import IndicatorInput
from ._jacobian import jacobian_norm, jacobian_sparsity
from ._margin import decision_margin
from ._scorer import WeightedScorer
from ._taylor import taylor_bound
from ._taylor_radius import taylor_radius

__all__ = ["IndicatorScorer", "make_indicator_scorer"]

_AGGREGATES: dict[Any, Callable[..., Any]] = {"mean": np.mean, "median": np.median}


def taylor_robust_accuracy(
    estimator: Any, X: ArrayLike, y: ArrayLike, *, eps: ArrayLike, **options: Any
) -> NDArray[np.bool_]:
    """Whether the margin of each sample exceeds its Taylor bound, (n_samples,)."""
    return decision_margin(estimator, X, y) > taylor_bound(estimator, X, y, eps=eps, **options)


def curvature(
    estimator: Any,
    X: ArrayLike,
    y: ArrayLike,
    *,
    of: str = "auto",
    method: str = "auto",
    random_state: int = 0,
) -> NDArray[np.float64]:
    """Mean magnitude of the eigenvalues of each sample's Hessian, (n_samples,)."""
    inputs = IndicatorInput(estimator, X, y)
    return second_order(inputs, curved(inputs, of), method, random_state, {})["curvature"]


def capped_boundary_distance(
    estimator: Any, X: ArrayLike, y: ArrayLike, *, max_distance: float, **options: Any
) -> NDArray[np.float64]:
    """Distance of each sample, ``max_distance`` where no boundary was met, (n_samples, n)."""
    options["max_distance"] = max_distance
    return np.minimum(boundary_distance(estimator, X, y, **options), max_distance)


# Whether more of an indicator means a more robust model.
_GREATER_IS_BETTER: dict[Any, bool] = {
    boundary_distance: True,
    decision_margin: True,
    hessian_norm: False,
    hessian_sparsity: True,
    jacobian_norm: False,
    jacobian_sparsity: True,
    prediction_divergence: False,
    taylor_bound: False,
    taylor_radius: True,
}

# Indicators that do not point where robust models are, and what to score by.
_WITHDRAWN: dict[Any, str] = {
    "decision_margin": "it grows with the scale of the logits, which natural training makes "
    "largest: give 'taylor_radius', the margin over its gradient",
    "hessian_sparsity": "it counts the rank of the Hessian, which says nothing of its size: give "
    "'neg_curvature'",
}
_WITHDRAWN |= {f: _WITHDRAWN[f.__name__] for f in (decision_margin, hessian_sparsity)}

_READY: dict[str, tuple[Callable[..., Any], bool, dict[str, Any]]] = {
    "boundary_distance": (capped_boundary_distance, True, {}),
    "decision_margin": (decision_margin, True, {}),
    "hessian_sparsity": (hessian_sparsity, True, {}),
    "jacobian_sparsity": (jacobian_sparsity, True, {}),
    "neg_curvature": (curvature, False, {}),
    "neg_jacobian_l1": (jacobian_norm, False, {"norm": "l1"}),
    "neg_jacobian_l2": (jacobian_norm, False, {"norm": "l2"}),
    "neg_prediction_divergence": (prediction_divergence, False, {}),
    "taylor_radius": (taylor_radius, True, {}),
    "taylor_robust_accuracy": (taylor_robust_accuracy, True, {}),
}


@dataclass(repr=False)
class IndicatorScorer(WeightedScorer):
    """Scorer ``(estimator, X, y) -> float``; made by :func:`make_indicator_scorer`.

    Parameters
    ----------
    indicator : str or callable
        What it was made from.
    aggregate : "mean", "median" or float
        From one number per sample to one.
    greater_is_better : bool or None
        As it was given.
    n_samples : int or None
        How many samples are looked at.
    random_state : int
        Draws them.
    options : dict
        Arguments of the indicator.
    """

    indicator: Any
    aggregate: Any = "mean"
    greater_is_better: bool | None = None
    n_samples: int | None = None
    random_state: int = 0
    options: dict[str, Any] = field(default_factory=dict)

    def __call__(
        self, estimator: Any, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Aggregate of the indicator, negated if less of it is better; weights are for a mean."""
        function, greater, options = self._resolve()
        inputs = IndicatorInput(estimator, X, y)
        weights = check.check_weights(sample_weight, len(inputs.X))
        if weights is not None and self.aggregate != "mean":
            raise ValueError(
                f"{self!r} takes no sample_weight, because only a mean has weights here: type "
                "aggregate='mean', or leave the weights out."
            )
        warn_if_constant(inputs)
        index = pick_samples(len(inputs.X), self.n_samples, check_random_state(self.random_state))
        # Our own functions take the opened model; others get the estimator itself.
        model = inputs.model if self._is_known() else estimator
        values = np.asarray(function(model, inputs.X[index], np.asarray(y)[index], **options))
        if values.shape not in ((len(index),), (len(index), 1)):
            raise ValueError(
                f"{self!r} gave an array of shape {values.shape} for {len(index)} samples: a "
                "scorer needs an indicator with one number per sample."
            )
        values = values.astype(np.float64).ravel()
        score = self._summary(values, None if weights is None else weights[index])
        return score if greater else -score

    def _is_known(self) -> bool:
        return self.indicator in _READY or self.indicator in _GREATER_IS_BETTER

    def _resolve(self) -> tuple[Callable[..., Any], bool | None, dict[str, Any]]:
        """Return the function, whether more of it is better, and its arguments."""
        function: Callable[..., Any]
        greater: bool | None
        fixed: dict[str, Any]
        if isinstance(self.indicator, str):
            function, greater, fixed = _READY[self.indicator]
        else:
            function, fixed = self.indicator, {}
            greater = _GREATER_IS_BETTER.get(function, self.greater_is_better)
        options = {**fixed, **self.options}
        if "random_state" in inspect.signature(function).parameters:
            options.setdefault("random_state", self.random_state)
        return function, greater, options

    def _summary(
        self, values: NDArray[np.float64], weights: NDArray[np.float64] | None = None
    ) -> float:
        endless = int(np.isinf(values).sum())
        if endless:
            warnings.warn(
                f"{self!r} is infinite for {endless} of {len(values)} samples, where nothing "
                "changes the model's output: the score is NaN, so that no search prefers it.",
                stacklevel=3,
            )
            return np.nan
        if weights is not None:
            return float(np.average(values, weights=weights)) if weights.any() else np.nan
        if self.aggregate in _AGGREGATES:
            return float(_AGGREGATES[self.aggregate](values))
        return float(np.quantile(values, self.aggregate))

    def __repr__(self) -> str:
        default = IndicatorScorer(None)
        names = ("aggregate", "greater_is_better", "n_samples", "random_state")
        given = {n: getattr(self, n) for n in names if getattr(self, n) != getattr(default, n)}
        named = isinstance(self.indicator, FunctionType)
        name = self.indicator.__name__ if named else repr(self.indicator)
        words: list[str] = [
            name,
            *(f"{key}={value!r}" for key, value in {**given, **self.options}.items()),
        ]
        return f"make_indicator_scorer({', '.join(words)})"


def make_indicator_scorer(
    indicator: Any,
    *,
    aggregate: str | float = "mean",
    greater_is_better: bool | None = None,
    n_samples: int | None = None,
    random_state: int = 0,
    **options: Any,
) -> IndicatorScorer:
    """Make a scorer of an indicator, to be reported beside a robust score in a search.

    .. warning::
       An indicator alone must not pick a model: a model that ignores its input has a gradient of
       zero, and penalties that are too strong make one. Score robust accuracy as well, and refit
       by that.

    Parameters
    ----------
    indicator : str or callable
        A ready one: "neg_jacobian_l1", "neg_jacobian_l2", "jacobian_sparsity", "neg_curvature",
        "taylor_radius", "taylor_robust_accuracy" (needs ``eps``), "neg_prediction_divergence",
        "boundary_distance" (needs ``max_distance``). Or one of this package's functions, or any
        ``indicator(estimator, X, y) -> (n_samples,)``.
    aggregate : {"mean", "median"} or float, default="mean"
        From one number per sample to one; a number from 0 to 1 is that quantile.
    greater_is_better : bool, default=None
        Needed for functions of your own; known for all others.
    n_samples : int, default=None
        How many samples to look at; None means all.
    random_state : int, default=0
        Draws them, and seeds indicators that draw random numbers: all candidates of a search are
        then judged alike.
    **options
        Arguments of the indicator.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y, sample_weight=None) -> float``, picklable, greater is better. NaN,
        with a warning, if the indicator of a sample is infinite.

    Raises
    ------
    ValueError
        If the name is unknown, or the direction of a function is.
    TypeError
        If the indicator lacks an argument, or does not know one.

    Warns
    -----
    FutureWarning
        For "decision_margin" and "hessian_sparsity" and the functions of these names, which rank
        natural networks first. Scorers of them will be refused in the release after the next.

    See Also
    --------
    make_robust_scorer : What to refit by.

    Notes
    -----
    Prefer "taylor_radius" and "taylor_robust_accuracy" to bare norms: multiplying the logits by a
    number multiplies the norm of the gradient, but leaves the margin over it alone.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn_robust.attacks import PGD
    >>> from sklearn_robust.metrics import make_indicator_scorer, make_robust_scorer
    >>> X, y = load_iris(return_X_y=True)
    >>> scoring = {
    ...     "robust": make_robust_scorer(PGD(eps=0.2, random_state=0)),
    ...     "radius": make_indicator_scorer("taylor_radius", aggregate="median"),
    ... }
    >>> model = LogisticRegression(max_iter=1000)
    >>> search = GridSearchCV(model, {"C": [0.1, 1.0]}, scoring=scoring, refit="robust", cv=3)
    >>> search.fit(X, y).cv_results_["mean_test_radius"].shape
    (2,)
    """
    check.validate(
        locals(),
        greater_is_better=check.optional(check.check_flag),
        n_samples=check.optional(check.check_count),
    )
    scorer = IndicatorScorer(
        indicator, aggregate, greater_is_better, n_samples, random_state, options
    )
    if isinstance(indicator, str):
        check.check_choice("indicator", indicator, _READY)
    elif not callable(indicator):
        raise TypeError(f"indicator is {indicator!r}; give a function, or one of {sorted(_READY)}.")
    elif indicator not in _GREATER_IS_BETTER and greater_is_better is None:
        raise ValueError(
            f"{scorer!r} does not know its direction: type greater_is_better=True, or False for an "
            "indicator that is small for robust models."
        )
    if greater_is_better is not None and indicator in (*_READY, *_GREATER_IS_BETTER):
        raise ValueError(f"{scorer!r}: the direction of this one is known; leave it out.")
    if indicator in _WITHDRAWN:
        warnings.warn(
            f"{scorer!r} is withdrawn, because greater is not better here: "
            f"{_WITHDRAWN[indicator]}.",
            FutureWarning,
            stacklevel=2,
        )
    if not isinstance(aggregate, str) or aggregate not in _AGGREGATES:
        check.check_number("aggregate", aggregate, high=1)
    if n_samples is not None:
        check.check_count("n_samples", n_samples)
    function, _, options = scorer._resolve()
    try:
        inspect.signature(function).bind(None, None, None, **options)
    except TypeError as error:
        raise TypeError(f"{scorer!r}: {error} of {function.__name__}.") from None
    return scorer
