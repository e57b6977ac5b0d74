"""Which columns a fitted estimator reads as categories, and which categories it knows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import OneToOneFeatureMixin
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.naive_bayes import CategoricalNB
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder

__all__ = ["Coding", "coded_columns", "column_places", "scaled_columns", "selected_places"]

_ENCODERS = (OneHotEncoder, OrdinalEncoder, TargetEncoder)
_MEMBERS = ("estimator_", "best_estimator_", "final_estimator_", "estimator")


@dataclass(frozen=True)
class Coding:
    """How an estimator reads a column of categories.

    Attributes
    ----------
    reader : str
        Name of the encoder or classifier.
    categories : list or None
        Categories that it knows, where it tells.
    strict : bool
        Whether another one is an error.
    """

    reader: str
    categories: list[Any] | None = None
    strict: bool = False


def coded_columns(estimator: Any, names: Sequence[Any]) -> dict[int, Coding]:
    """Find the columns that an estimator, or a part of it, reads as categories.

    Parameters
    ----------
    estimator : fitted estimator
        Pipelines, column transformers, unions, searches and ensembles are looked into.
    names : list
        Names of the columns of X.

    Returns
    -------
    codings : dict of int to Coding
        By the column's place.
    """
    found: dict[int, Coding] = {}
    for part, places, _ in _parts(estimator, np.arange(len(names)), list(names)):
        for place, coding in _codings(part, len(places)):
            found.setdefault(int(places[place]), coding)
    return found


def scaled_columns(estimator: Any, names: Sequence[Any]) -> dict[int, float]:
    """Spreads of the training data by column, as StandardScaler measured them."""
    found: dict[int, float] = {}
    for part, places, as_given in _parts(estimator, np.arange(len(names)), list(names)):
        if as_given and isinstance(part, StandardScaler) and vars(part).get("var_") is not None:
            for place, variance in zip(places.tolist(), part.var_.tolist(), strict=True):
                found.setdefault(place, float(np.sqrt(variance)))
    return found


def column_places(columns: Any, names: Sequence[Any]) -> NDArray[np.int64]:
    """Places of columns that are given in any of the ways that ColumnTransformer takes."""
    every = np.arange(len(names))
    if isinstance(columns, slice):
        ends = [columns.start, columns.stop]
        if any(isinstance(end, str) for end in ends):
            start, stop = (None if end is None else [*names].index(end) for end in ends)
            columns = slice(start, None if stop is None else stop + 1, columns.step)
        return every[columns]
    columns = np.atleast_1d(np.asarray(columns))
    if columns.dtype.kind in "OUT":
        return np.array([[*names].index(name) for name in columns.tolist()], dtype=np.int64)
    return every[columns] if columns.size else np.empty(0, dtype=np.int64)


def selected_places(transformer: Any, columns: Any, names: Sequence[Any]) -> NDArray[np.int64]:
    """Places of the columns that a fitted ColumnTransformer takes from those of these names.

    One that was fitted on a frame picks columns of a frame by name, wherever they stand.
    """
    fitted_on = vars(transformer).get("feature_names_in_")
    if fitted_on is None:
        return column_places(columns, names)
    index = column_places(columns, fitted_on)
    known = {name: place for place, name in enumerate(names)}
    wanted = [fitted_on[place] for place in index]
    if known.keys() >= set(wanted):
        return np.array([known[name] for name in wanted], dtype=np.int64)
    return index


def _parts(
    estimator: Any, places: NDArray[np.int64], names: list[Any], as_given: bool = True
) -> Iterator[tuple[Any, NDArray[np.int64], bool]]:
    """Yield each part of an estimator that sees columns of X, their places, and if in X's units."""
    if isinstance(estimator, Pipeline):
        for _, step in estimator.steps:
            if step in (None, "passthrough"):
                continue
            yield from _parts(step, places, names, as_given)
            if not _keeps_columns(step, len(places)):
                return
            as_given = as_given and not isinstance(step, OneToOneFeatureMixin)
    elif isinstance(estimator, ColumnTransformer):
        for _, fitted, columns in getattr(estimator, "transformers_", []):
            if not isinstance(fitted, str):
                index = selected_places(estimator, columns, names)
                yield from _parts(fitted, places[index], [names[i] for i in index], as_given)
    elif isinstance(estimator, FeatureUnion):
        for _, fitted in estimator.transformer_list:
            if not isinstance(fitted, str):
                yield from _parts(fitted, places, names, as_given)
    else:
        yield estimator, places, as_given
        for member, index in _members(estimator):
            seen = np.arange(len(places)) if index is None else index
            yield from _parts(member, places[seen], [names[i] for i in seen], as_given)


def _members(estimator: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the fitted members of a search or an ensemble, with the columns that each sees."""
    known = vars(estimator) if hasattr(estimator, "__dict__") else {}
    subsets = known.get("estimators_features_")
    members = known.get("estimators_", ())
    for number, member in enumerate(members if isinstance(members, (list, tuple)) else ()):
        if hasattr(member, "get_params"):
            yield member, None if subsets is None else subsets[number]
    for one in known.get("calibrated_classifiers_", ()):
        yield one.estimator, None
    for name in _MEMBERS:
        member = known.get(name)
        fitted = name != "estimator" or "estimator_" not in known
        if member is not None and fitted and hasattr(member, "get_params"):
            if name != "final_estimator_":
                yield member, None


def _keeps_columns(step: Any, n: int) -> bool:
    """Whether the columns behind a step are those before it."""
    if hasattr(step, "fit_resample") and not hasattr(step, "transform"):
        return True
    if isinstance(step, SimpleImputer):
        plain = not step.add_indicator
        return plain and len(step.get_feature_names_out()) == n
    return isinstance(step, OneToOneFeatureMixin)


def _codings(part: Any, n: int) -> Iterator[tuple[int, Coding]]:
    """Yield the columns, by their place among those that a part sees, that it reads as codes."""
    name = type(part).__name__
    if isinstance(part, _ENCODERS):
        for place, values in enumerate(vars(part).get("categories_", ())):
            strict = getattr(part, "handle_unknown", "") == "error"
            yield place, Coding(name, list(values.tolist()), strict)
    elif isinstance(part, CategoricalNB):
        for place, count in enumerate(vars(part).get("n_categories_", ())):
            yield place, Coding(name, list(range(count)), strict=True)
    else:
        flags = getattr(part, "is_categorical_", None)  # HistGradientBoosting
        if flags is None:
            kinds = getattr(part, "feature_types", None)  # XGBoost
            flags = None if kinds is None else [kind == "c" for kind in kinds]
        if flags is not None and len(flags) == n:
            yield from ((int(place), Coding(name)) for place in np.flatnonzero(flags))
