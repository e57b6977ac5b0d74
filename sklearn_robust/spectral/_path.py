"""Gaps, errors and margins against the strength of robust training."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import Bunch

from .. import _validation as check

__all__ = ["regularization_path"]

ACCURACIES = ("accuracy", "acc", "score")
LOSSES = ("neg_cross_entropy", "neg_log_loss")

Scores = dict[str, NDArray[Any]]  # of each metric, (n_values, n_splits)


@runtime_checkable
class _FittedSearch(Protocol):
    """A fitted search with its table of results."""

    cv_results_: dict[str, Any]


@runtime_checkable
class _WithScoring(Protocol):
    """A search that says how it scores."""

    scoring: Any


def regularization_path(
    results: Any,
    *,
    param: str = "attack__eps",
    values: ArrayLike | None = None,
    fixed: dict[str, Any] | None = None,
    accuracy: str | None = None,
    loss: str | None = None,
) -> Bunch:
    """Gaps, errors and losses of a sweep over the strength of robust training.

    Parameters
    ----------
    results : fitted GridSearchCV, dict or (train_scores, test_scores)
        The search, its ``cv_results_``, or what :func:`sklearn.model_selection.validation_curve`
        returned. Train scores are needed: ``return_train_score=True``.
    param : str, default="attack__eps"
        Name of the strength, such as "lam" for JacobianRegNet.
    values : array-like, optional
        The strengths, for a validation curve: its ``param_range``.
    fixed : dict, optional
        Values of the other parameters of the search, where these varied as well.
    accuracy, loss : str, optional
        Names of the metrics that are an accuracy and a negative cross-entropy. None finds
        "accuracy", "acc" or "score", and "neg_cross_entropy" or "neg_log_loss". A table or a
        curve does not tell what its "score" is: values from 0 to 1 count as an accuracy.

    Returns
    -------
    path : Bunch
        Columns with one entry per strength, ascending, ready for ``pandas.DataFrame(path)``: each
        the mean over folds, with the standard deviation over folds as ``..._std``. ``values``
        holds the strengths, then come ``train_error``, ``test_error`` and ``error_gap`` (test
        minus train), ``train_loss``, ``test_loss`` and ``loss_gap`` in nats, and ``train_...`` and
        ``test_...`` for every other metric of the search. ``param`` is the parameter's name.

    Raises
    ------
    ValueError
        If train scores are missing, the parameter was not searched, or others varied with it.

    See Also
    --------
    make_regularization_scorer : The scorer to sweep with.
    sklearn_robust.plotting.RegularizationPathDisplay : Draws the path.

    Notes
    -----
    Following [1]_, the gap estimates the generalisation error ``|R - R_m|``, both sides measured on
    natural samples in eval mode. Scorers get the fitted net, so its training loss on perturbed or
    augmented samples is not used.

    References
    ----------
    .. [1] Y. Wen, S. Li and K. Jia, "Towards understanding the regularization of adversarial
       robustness on neural networks", ICML 2020.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn_robust.spectral import regularization_path
    >>> X, y = load_iris(return_X_y=True)
    >>> search = GridSearchCV(
    ...     LogisticRegression(max_iter=1000),
    ...     {"C": [0.01, 1]},
    ...     scoring=["accuracy", "neg_log_loss"],
    ...     refit=False,
    ...     return_train_score=True,
    ... ).fit(X, y)
    >>> path = regularization_path(search, param="C")
    >>> path.error_gap.shape, bool(path.train_loss[0] > path.train_loss[1])
    ((2,), True)
    """
    check.validate(
        locals(),
        param=check.check_text,
        fixed=check.optional(check.check_options),
        accuracy=check.optional(check.check_text),
        loss=check.optional(check.check_text),
    )
    excluded: set[str | None] = set()  # metrics that cannot be the accuracy
    if isinstance(results, tuple) and len(results) == 2:
        strengths, train, test = _curve(results, values)
    else:
        strengths, train, test = _search(results, param, fixed or {})
        excluded = {"score"} if _scoring(results) is not None else excluded
    order = _order(strengths)
    path = Bunch(param=param, values=strengths[order])

    def add(name: str, scores: NDArray[Any]) -> None:  # (n_values, n_splits)
        path[name], path[f"{name}_std"] = scores[order].mean(1), scores[order].std(1)

    loss = _pick(loss, LOSSES, train)
    excluded |= {loss, *_beyond(train, test)}
    accuracy = _pick(accuracy, [name for name in ACCURACIES if name not in excluded], train)
    for metric in sorted(train, key=lambda name: (name != accuracy, name != loss)):
        if metric in (accuracy, loss):
            word, top = ("error", 1) if metric == accuracy else ("loss", 0)
            add(f"train_{word}", top - train[metric])
            add(f"test_{word}", top - test[metric])
            add(f"{word}_gap", train[metric] - test[metric])
        else:
            add(f"train_{metric}", train[metric])
            add(f"test_{metric}", test[metric])
    return path


def _scoring(results: Any) -> Any:
    """How a search scores; None where it does not say."""
    return results.scoring if isinstance(results, _WithScoring) else None


def _order(strengths: NDArray[Any]) -> NDArray[np.intp]:
    """Order of the strengths, ascending; the given one where they cannot be compared."""
    try:
        return np.argsort(strengths, kind="stable")
    except TypeError:
        return np.arange(len(strengths))


def _beyond(train: Scores, test: Scores) -> list[str]:
    """Metrics with values outside [0, 1]."""
    sides = {name: np.concatenate([train[name], test[name]]) for name in train}
    return [name for name, scores in sides.items() if ((scores < 0) | (scores > 1)).any()]


def _pick(chosen: str | None, usual: Iterable[str], metrics: Scores) -> str | None:
    """Name of a metric: the one chosen, else the first of the usual ones, else None."""
    if chosen is None:
        return next((name for name in usual if name in metrics), None)
    if chosen not in metrics:
        raise ValueError(f"There is no metric {chosen!r}; the search has {sorted(metrics)}.")
    return chosen


def _curve(
    scores: tuple[ArrayLike, ...], values: ArrayLike | None
) -> tuple[NDArray[Any], Scores, Scores]:
    """Strengths and scores of a validation curve."""
    train, test = (np.asarray(part, dtype=float) for part in scores)
    strengths = np.atleast_1d(np.asarray(values))
    suits = train.ndim == 2 and len(strengths) == len(train) and train.shape == test.shape
    if values is None or not suits:
        raise ValueError(
            "A validation curve is (train_scores, test_scores), each of shape (n_values, n_splits),"
            f" and needs values=param_range; got shapes {train.shape} and {test.shape} and "
            f"values={values!r}."
        )
    return strengths, {"score": train}, {"score": test}


def _search(results: Any, param: str, fixed: dict[str, Any]) -> tuple[NDArray[Any], Scores, Scores]:
    """Strengths and scores of a search."""
    table = results.cv_results_ if isinstance(results, _FittedSearch) else results
    if not isinstance(table, dict) or "params" not in table:
        raise ValueError(
            f"results is {type(results).__name__}; give a fitted GridSearchCV, its cv_results_, or "
            "the (train_scores, test_scores) of validation_curve."
        )
    rows = [
        row
        for row, params in enumerate(table["params"])
        if all(params.get(name) == value for name, value in fixed.items())
    ]
    strengths = np.asarray(_strengths(table["params"], rows, param, fixed))
    test, train = (_splits(table, rows, side) for side in ("test", "train"))
    if not train:
        raise ValueError(
            "The results have no train scores, and a gap needs them: type "
            "GridSearchCV(..., return_train_score=True) and fit again."
        )
    if "score" in train and isinstance(scoring := _scoring(results), str):
        train, test = {scoring: train["score"]}, {scoring: test["score"]}
    return strengths, train, test


def _strengths(
    everyone: Sequence[dict[str, Any]], rows: list[int], param: str, fixed: dict[str, Any]
) -> list[Any]:
    """Strength of each candidate in these rows, which must be all that distinguishes them."""
    candidates = [everyone[row] for row in rows]
    known = sorted({name for params in everyone for name in params})
    if wrong := next((name for name in (param, *fixed) if name not in known), None):
        raise ValueError(f"The search did not vary {wrong!r}; it varied {known}: give one of them.")
    if not candidates or any(param not in params for params in candidates):
        tried = {name: sorted({str(p.get(name)) for p in everyone}) for name in fixed}
        raise ValueError(
            f"No candidate has {param!r} and fixed={fixed}: the search tried {tried}; give one of "
            "these values."
        )
    strengths = [params[param] for params in candidates]
    if len(set(strengths)) < len(strengths):
        others = [name for name in known if name != param and name not in fixed]
        if not others:
            raise ValueError(
                f"The search has a value of {param!r} twice, {strengths}: give each once."
            )
        raise ValueError(
            f"Several candidates share a value of {param!r}: {others} varied too; choose one value "
            f"of each, as in fixed={{{others[0]!r}: ...}}."
        )
    return strengths


def _splits(table: dict[str, Any], rows: list[int], side: str) -> Scores:
    """Scores (n_values, n_splits) of each metric on one side."""
    prefix, scores = f"mean_{side}_", Scores()
    for metric in (key.removeprefix(prefix) for key in table if key.startswith(prefix)):
        folds: list[NDArray[Any]] = []
        while (key := f"split{len(folds)}_{side}_{metric}") in table:
            folds.append(np.asarray(table[key], dtype=float)[rows])
        scores[metric] = np.stack(folds, 1)
    return scores
