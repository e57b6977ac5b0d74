"""Threat models by column: names and texts of parameters become arrays of the matrix."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _validation as check
from .._norms import Bounds, is_missing
from ._table import Table

__all__ = [
    "ColumnThreat",
    "describe_scales",
    "has_columns",
    "holds_still",
    "moving",
    "moving_place",
    "place_of",
    "resolve",
]


_NAMED = 6  # columns whose scales are told one by one


@dataclass
class ColumnThreat:
    """Parameters of an attack as arrays, one number for each column of a table.

    Attributes
    ----------
    eps : float or array of shape (n_columns,)
        Radius.
    bounds : (lower, upper) or None
        Box.
    mask : bool array of shape (n_columns,)
        Columns that move.
    integer : bool array of shape (n_columns,) or None
        Columns on the grid of integers.
    scales : dict
        Spread by column that an eps such as "0.1 std" was multiplied with, and where it is from.
    """

    eps: Any
    bounds: Bounds
    mask: NDArray[np.bool_]
    integer: NDArray[np.bool_] | None
    scales: dict[Any, tuple[float, str]] = field(default_factory=dict)


def has_columns(params: Mapping[str, Any]) -> bool:
    """Whether parameters speak of columns, so that X is read as a table."""
    if isinstance(params.get("eps"), (dict, str)) or isinstance(params.get("bounds"), dict):
        return True
    if any([params.get(name) is not None for name in ("categorical", "increasing", "relations")]):
        return True
    lists = [params[name] for name in ("mask", "integer") if params.get(name) is not None]
    return bool(lists) and any([_has_names(value) for value in lists])


def holds_still(params: Mapping[str, Any], X: Any) -> bool:
    """Whether parameters hold some columns of an array of rows where they are."""
    shape = np.shape(X)
    if len(shape) != 2:
        return False
    mask: Any = params.get("mask")
    eps: Any = params.get("eps")
    if mask is not None and not np.all(check.check_features("mask", mask, shape[1:])):
        return True
    return np.shape(eps) == shape[1:] and bool(np.any(np.asarray(eps) == 0))


def _has_names(value: Any) -> bool:
    return isinstance(value, (list, tuple, set)) and any([isinstance(v, str) for v in value])


def resolve(params: Mapping[str, Any], table: Table) -> ColumnThreat:
    """Turn what parameters say of columns into arrays.

    Parameters
    ----------
    params : mapping
        ``eps``, ``norm``, ``bounds``, ``mask`` and ``integer`` of an attack.
    table : Table
        Whose columns are meant.

    Returns
    -------
    threat : ColumnThreat
        Arrays of the table's columns.
    """
    mask = _mask(params["mask"], table)
    eps, scales = _radius(params["eps"], params["norm"], mask, table)
    integer = _integers(params["integer"], table)
    if not mask.any() and not params.get("categorical"):
        raise ValueError(
            f"No column of X moves: {_why_still(table)}. Type mask=['age'] or eps={{'age': 2}} for "
            "columns of numbers, or categorical={'job': 'any'} to search categories."
        )
    _warn_of_coarse_columns(eps, mask, table)
    return ColumnThreat(eps, _box(params["bounds"], mask, table), mask, integer, scales)


def _warn_of_coarse_columns(eps: Any, mask: NDArray[np.bool_], table: Table) -> None:
    """Tell of columns of integers that one radius for all columns is too small to move."""
    radius = 8 / 255 if eps is None else eps
    if np.ndim(radius) or radius >= 1 or radius == 0:
        return
    whole = [
        c.name for c, free in zip(table.columns, mask, strict=True) if free and c.kind == "integer"
    ]
    if whole:
        warnings.warn(
            f"The columns {whole[:5]} hold integers, which eps={radius:.3g} does not move: give "
            f"radii by column, such as eps={{{whole[0]!r}: 1}}, or leave them out of mask.",
            stacklevel=2,
        )


def _why_still(table: Table) -> str:
    coded = [c for c in table.columns if c.kind == "code"]
    if not coded:
        return "mask leaves none"
    return f"column {coded[0].name!r} is still because {coded[0].why}"


def moving(params: Mapping[str, Any], table: Table) -> NDArray[np.bool_]:
    """Say which columns the parameters of an attack let move."""
    mask = _mask(params.get("mask"), table)
    eps: Any = params.get("eps")
    if isinstance(eps, Mapping):
        named = [moving_place(name, table, "eps") for name in eps]
        return mask & np.isin(np.arange(len(table.names)), named)
    if np.ndim(eps) and np.shape(eps) == mask.shape:
        return mask & (np.asarray(eps) != 0)
    return mask


def place_of(name: Any, table: Table, parameter: str) -> int:
    """Place of a column by its name or number."""
    for place, known in enumerate(table.names):
        same = type(known) is type(name) or (_is_number(known) and _is_number(name))
        if same and known == name:
            return place
    numbered = any(_is_number(known) for known in table.names)
    if _is_number(name) and not numbered and 0 <= name < len(table.names):
        return int(name)
    raise ValueError(
        f"{parameter} names the column {name!r}, which X does not have; it has "
        f"{[*table.names][:10]}."
    )


def _is_number(name: Any) -> bool:
    return isinstance(name, (int, np.integer)) and not isinstance(name, (bool, np.bool_))


def moving_place(name: Any, table: Table, parameter: str) -> int:
    """Place of a column that has distances."""
    place = place_of(name, table, parameter)
    column = table.columns[place]
    if column.kind == "code":
        raise ValueError(
            f"{parameter} names column {column.name!r}, but {column.why}, so that it moves by no "
            f"distance: leave it out of {parameter}, or type "
            f"categorical={{{column.name!r}: 'any'}}."
        )
    return place


def _flags(features: Any, table: Table, parameter: str) -> NDArray[np.bool_]:
    """Bool array of the columns that a parameter names, in any of its ways."""
    if isinstance(features, str):
        features = [features]
    numbered = table.is_frame and any(_is_number(name) for name in table.names)
    if _has_names(features) or (numbered and all(_is_number(name) for name in np.ravel(features))):
        chosen = [moving_place(name, table, parameter) for name in features]
        return np.isin(np.arange(len(table.names)), chosen)
    flags = check.check_features(parameter, features, (len(table.names),))
    for place in np.flatnonzero(flags & table.still):
        moving_place(int(place) if not table.is_frame else table.names[place], table, parameter)
    return flags


def _mask(mask: Any, table: Table) -> NDArray[np.bool_]:
    if mask is None:
        return ~table.still
    return _flags(mask, table, "mask")


def _integers(integer: Any, table: Table) -> NDArray[np.bool_] | None:
    flags = table.integer.copy()
    if integer is not None:
        flags |= _flags(integer, table, "integer")
    return flags if flags.any() else None


def _radius(
    eps: Any, norm: Any, mask: NDArray[np.bool_], table: Table
) -> tuple[Any, dict[Any, tuple[float, str]]]:
    """Radius of each column, and the spreads that it was measured in."""
    scales: dict[Any, tuple[float, str]] = {}
    if isinstance(eps, Mapping):
        if not eps:
            raise ValueError("eps is {}; give a radius by column, such as eps={'age': 2}.")
        radius = np.zeros(len(table.names))
        for name, value in eps.items():
            place = moving_place(name, table, "eps")
            radius[place] = _one_radius(value, place, table, scales)
        return radius, scales
    if isinstance(eps, str):
        radius = np.zeros(len(table.names))
        for free in np.flatnonzero(mask).tolist():
            radius[free] = _one_radius(eps, free, table, scales)
        return radius, scales
    if np.ndim(eps):
        for held in np.flatnonzero(check.check_eps(eps, norm, mask.shape) * table.still).tolist():
            moving_place(table.names[held], table, "eps")
    return eps, scales


def _one_radius(
    value: Any, place: int, table: Table, scales: dict[Any, tuple[float, str]]
) -> float:
    """Radius of one column, a number or a text such as '0.1 std'."""
    if not isinstance(value, str):
        return float(check.check_eps(check.check_number("eps", value), "linf", ()))
    factor, _, unit = value.strip().partition(" ")
    try:
        share = float(factor)
    except ValueError:
        share = -1.0
    if unit.strip() != "std" or not 0 <= share < np.inf:
        raise ValueError(
            f"eps is {value!r}; give a finite radius of at least 0, or a text such as '0.1 std'."
        )
    spread, origin = spread_of(place, table)
    scales[table.names[place]] = (spread, origin)
    return share * spread


def describe_scales(params: Mapping[str, Any], table: Table) -> str | None:
    """Say which standard deviations a radius such as "0.1 std" was multiplied with; or None."""
    mask = _mask(params.get("mask"), table)
    _, scales = _radius(params.get("eps"), params.get("norm"), mask, table)
    parts = []
    for origin in sorted({origin for _, origin in scales.values()}):
        names = [name for name, (_, source) in scales.items() if source == origin]
        if len(names) > _NAMED:
            names = sorted(names, key=lambda name: scales[name][0])
            names = [names[0], names[-1]]
        listed = [f"{scales[name][0]:.4g} ({name})" for name in names]
        total = sum(source == origin for _, source in scales.values())
        joint = f", smallest and largest of {total}" if total > _NAMED else ""
        parts.append(f"{', '.join(listed)}{joint}, of {origin}")
    return f"eps is in standard deviations: {'; '.join(parts)}." if parts else None


def spread_of(place: int, table: Table) -> tuple[float, str]:
    """Find the standard deviation of a column, and say where it is from."""
    if place in table.spreads:
        return table.spreads[place], "the training data, by StandardScaler"
    values = table.matrix[:, place]
    return float(values[~is_missing(values)].std()), "the samples attacked"


def _box(bounds: Any, mask: NDArray[np.bool_], table: Table) -> Bounds:
    """Box as (lower, upper) arrays of the columns, or None."""
    n = len(table.names)
    values = np.where(is_missing(table.matrix), np.nan, table.matrix)
    if isinstance(bounds, str):
        moving = values[:, mask]
        inside = not np.nanmin(moving, initial=0) < 0 and not np.nanmax(moving, initial=0) > 1
        unit = check.check_bounds(bounds, moving[:0]) is not None and inside
        low, high = (np.zeros(n), np.ones(n)) if unit else (np.full(n, -np.inf), np.full(n, np.inf))
    elif isinstance(bounds, Mapping):
        low, high = np.full(n, -np.inf), np.full(n, np.inf)
        for name, pair in bounds.items():
            place = moving_place(name, table, "bounds")
            low[place], high[place] = _pair(name, pair)
    else:
        box = check.check_bounds(bounds, values[:0])
        sides = (-np.inf, np.inf) if box is None else box
        low, high = (np.broadcast_to(np.asarray(side, float), (n,)).copy() for side in sides)
    low[table.still], high[table.still] = -np.inf, np.inf
    boolean = [column.kind == "boolean" for column in table.columns]
    low[boolean], high[boolean] = np.maximum(low[boolean], 0), np.minimum(high[boolean], 1)
    _check_inside(values, low, high, table)
    return None if np.isinf(low).all() and np.isinf(high).all() else (low, high)


def _pair(name: Any, pair: Any) -> tuple[float, float]:
    try:
        low, high = (float(side) for side in pair)
    except (TypeError, ValueError):
        low, high = np.inf, -np.inf
    if not low <= high:
        raise ValueError(
            f"bounds of column {name!r} is {pair!r}; give (low, high), such as (0, 100)."
        )
    return low, high


def _check_inside(
    values: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    table: Table,
) -> None:
    out = (values < low) | (values > high)
    if out.any():
        row, place = np.argwhere(out)[0]
        raise ValueError(
            f"Row {row} of X holds {values[row, place]:g} in column {table.names[place]!r}, which "
            f"leaves its bounds ({low[place]:g}, {high[place]:g}): widen bounds, or leave the "
            "row out."
        )
