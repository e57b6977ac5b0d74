"""A table: what each column of X is, and the way to a matrix of float64 and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._norms import MISSING, is_missing
from ._encoders import Coding, coded_columns, scaled_columns
from ._frames import ArraySource, Source, is_frame, open_source

__all__ = ["Column", "Table", "read_table", "wants_table"]

_COARSE = 1e-4  # steps of float32, as a share of a column's range, that are worth float64


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    name : object
        As the frame spells it, or its number.
    kind : {"number", "integer", "boolean", "code"}
        A column of codes does not move by a distance.
    why : str
        What makes a column one of codes: its dtype, or the encoder that reads it.
    values : object or None
        What each level stands for; None where a level is the number itself.
    levels : array or None
        All codes, sorted, that can stand in the matrix. Categories that are numbers are their own
        codes.
    allowed : array or None
        Those that an attack may choose: the categories that the estimator knows.
    dtype : numpy.dtype or None
        Dtype of a column of numbers.
    """

    name: Any
    kind: str
    why: str = ""
    values: Any = None
    levels: NDArray[np.float64] | None = None
    allowed: NDArray[np.float64] | None = None
    dtype: Any = None


class Table:
    """What the columns of X are, and X as a matrix.

    Parameters
    ----------
    source : Source
        The frame or array.
    estimator : fitted estimator
        Whose encoders say which columns are categories.

    Attributes
    ----------
    names : list
        Names of the columns; numbers from 0 of an array.
    columns : list of Column
        What they are.
    still : bool array of shape (n_columns,)
        Columns of codes, which move by no distance.
    integer : bool array of shape (n_columns,)
        Columns that hold integers or booleans, by their dtype.
    matrix : array of shape (n_samples, n_columns), float64
        The samples: numbers as they are, codes, and ``MISSING`` for cells without a value.
    wide : bool
        Whether float32 is too coarse for a column.
    rounds : bool
        Whether a column holds less than float64.
    spreads : dict of int to float
        Standard deviations of the training data, where a StandardScaler measured them.
    """

    def __init__(self, source: Source, estimator: Any) -> None:
        self.names = list(source.names)
        self.is_frame = is_frame(source.X)
        codings = coded_columns(estimator, self.names)
        read = [_read(source, place, codings.get(place)) for place in range(len(self.names))]
        self.columns = [column for column, _ in read]
        self.matrix = np.stack([values for _, values in read], 1)
        self.still = np.array([column.kind == "code" for column in self.columns])
        kinds = [column.kind in ("integer", "boolean") for column in self.columns]
        self.integer = np.array(kinds, dtype=bool)
        self.has_missing = bool(is_missing(self.matrix).any())
        self.wide = _is_coarse(np.where(is_missing(self.matrix), np.nan, self.matrix))
        self.rounds = any(column.dtype in (np.float32, np.float16) for column in self.columns)
        self.spreads = scaled_columns(estimator, self.names)
        self.source: Source = source

    def __deepcopy__(self, memo: Any) -> Table:
        return self

    def __getstate__(self) -> dict[str, Any]:
        """Leave the samples out, which are sent in parts."""
        return vars(self) | {"matrix": self.matrix[:1], "source": self.source.template()}

    def decode(self, matrix: NDArray[Any], rows: Any = None) -> Any:
        """Return rows of the matrix as a frame, or array, of the dtypes of X.

        Parameters
        ----------
        matrix : array of shape (n_samples, n_columns)
            Rows as of ``matrix``, perturbed.
        rows : index, default=None
            The rows of X that they come from, whose index a pandas frame is given.

        Returns
        -------
        X : frame or array
            Cells that equal those of ``matrix`` have the values of X, bit for bit.
        """
        columns = [self.decode_column(place, matrix[:, place]) for place in range(len(self.names))]
        return self.source.build(columns, rows)

    def select(self, X: Any, places: NDArray[np.int64]) -> Any:
        """Pick columns of a frame or array, in that order."""
        if not self.is_frame:
            return X[:, places]
        return X[[self.names[place] for place in places]]

    def decode_column(self, place: int, values: NDArray[Any]) -> Any:
        """One column of the matrix as a column of X."""
        column = self.columns[place]
        if column.values is not None:
            assert column.levels is not None
            places = np.searchsorted(column.levels, values.astype(np.float64))
            return self.source.take(column.values, places)
        values = values.astype(np.float64)
        missing = is_missing(values)
        if missing.any():
            values = np.where(missing, np.nan, values)
        if column.kind in ("integer", "boolean"):
            values = np.rint(values)
        return self.source.cast(place, values)

    def settle(self, moved: NDArray[np.float64], clean: NDArray[np.float64]) -> NDArray[np.float64]:
        """Round perturbed rows to what their columns can hold, toward the clean ones."""
        out = moved
        for place, column in enumerate(self.columns):
            if column.dtype in (np.float32, np.float16) and column.kind == "number":
                out = moved.copy() if out is moved else out
                out[:, place] = _toward(moved[:, place], clean[:, place], column.dtype)
        return out


def _toward(
    moved: NDArray[np.float64], clean: NDArray[np.float64], dtype: Any
) -> NDArray[np.float64]:
    rounded = moved.astype(dtype)
    over = np.abs(rounded.astype(np.float64) - clean) > np.abs(moved - clean)
    back = np.nextafter(rounded, clean.astype(dtype))
    return np.where(over, back, rounded).astype(np.float64)


def _read(source: Source, place: int, coding: Coding | None) -> tuple[Column, NDArray[np.float64]]:
    """One column, and its part of the matrix."""
    name, kind = source.names[place], source.kind(place)
    if kind == "other":
        return _read_codes(source, place, coding)
    values = source.floats(place)
    _check_size(name, values)
    missing = np.isnan(values)
    if kind in ("integer", "boolean") and np.any(values[~missing] != np.rint(values[~missing])):
        kind = "number"
    values = np.where(missing, MISSING, values)
    if coding is None:
        return Column(name, kind, dtype=source.dtype(place)), values
    known = [v for v in coding.categories or [] if isinstance(v, (int, float)) and v == v]
    _check_known(name, values[~missing].tolist(), coding)
    allowed = np.unique(np.array(known or values[~missing], dtype=np.float64))
    levels = np.unique(np.concatenate([allowed, values]))
    why = f"{coding.reader} reads it as categories"
    return Column(name, "code", why, None, levels, allowed, source.dtype(place)), values


def _read_codes(
    source: Source, place: int, coding: Coding | None
) -> tuple[Column, NDArray[np.float64]]:
    """One column of texts, categories, dates or other objects."""
    name, categories = source.names[place], None if coding is None else coding.categories
    codes, values = source.factorize(place, categories or [])
    items = list(values)
    if coding is not None:
        _check_known(name, [items[code] for code in np.unique(codes)], coding)
    known = {v for v in categories or items if _is_value(v)}
    levels = _levels(items)
    order = np.argsort(levels)
    allowed = [level for level, item in zip(levels, items, strict=True) if item in known]
    values = source.take(values, order)
    why = f"it holds {_dtype_of(source, place)} values"
    column = Column(name, "code", why, values, levels[order], np.unique(allowed))
    return column, levels[codes]


def _is_value(item: Any) -> bool:
    return item is not None and bool(item == item)


def _levels(items: list[Any]) -> NDArray[np.float64]:
    """Codes of categories: numbers are their own, others are counted."""
    known = [item for item in items if _is_value(item)]
    number = (int, float, np.integer, np.floating)
    if not known or not all(isinstance(v, number) and not isinstance(v, bool) for v in known):
        return np.arange(len(items), dtype=np.float64)
    levels = np.array([float(v) if _is_value(v) else MISSING for v in items])
    return levels if len(np.unique(levels)) == len(items) else np.arange(len(items), dtype=float)


def _dtype_of(source: Source, place: int) -> str:
    if isinstance(source, ArraySource):
        return str(source.X.dtype)
    return str(source.column(place).dtype)


def _check_known(name: Any, items: list[Any], coding: Coding) -> None:
    """Refuse a category that an encoder would raise on."""
    if not coding.strict or coding.categories is None:
        return
    known = {v for v in coding.categories if _is_value(v)}
    new = [v for v in items if _is_value(v) and v not in known]
    if new:
        raise ValueError(
            f"Column {name!r} of X holds {new[0]!r}, which {coding.reader} never saw in fit and "
            "refuses: leave those rows out, or fit the encoder with handle_unknown='ignore' or "
            "another way to take them."
        )


def _check_size(name: Any, values: NDArray[np.float64]) -> None:
    if np.isinf(values).any() or is_missing(np.nan_to_num(values)).any():
        raise ValueError(
            f"Input X contains infinity or a value too large for an attack in column {name!r}: "
            "leave such rows out, or rescale the column."
        )


def _is_coarse(matrix: NDArray[np.float64]) -> bool:
    """Whether the steps of float32 are a noticeable share of some column's range."""
    if not matrix.size:
        return False
    low = np.nanmin(np.where(np.isnan(matrix).all(0), 0.0, matrix), axis=0)
    high = np.nanmax(np.where(np.isnan(matrix).all(0), 0.0, matrix), axis=0)
    steps = np.spacing(np.maximum(np.abs(low), np.abs(high)).astype(np.float32))
    return bool(((steps > _COARSE * (high - low)) & (high > low)).any())


def wants_table(X: Any, estimator: Any) -> bool:
    """Whether X is more than plain numbers, for an estimator or by itself.

    Parameters
    ----------
    X : array-like
        Samples.
    estimator : fitted estimator
        Who reads them.

    Returns
    -------
    wanted : bool
        True for frames, texts, missing values, columns that the estimator reads as categories, and
        numbers that float32 is too coarse for.
    """
    if is_frame(X):
        return True
    if not isinstance(X, np.ndarray):
        X = _listed(X)
    if not isinstance(X, np.ndarray) or X.ndim != 2 or not X.size or X.dtype.kind not in "fiubOUT":
        return False
    if X.dtype.kind in "OUT":
        return True
    if coded_columns(estimator, range(X.shape[1])):
        return True
    if X.dtype.kind == "f" and bool(np.isnan(X).any()):
        return True
    return X.dtype.itemsize == 8 and bool(_is_coarse(X.astype(np.float64)))


def _listed(X: Any) -> Any:
    """Return rows that are lists as an array; anything else as it is."""
    if isinstance(X, (list, tuple)) and X and isinstance(X[0], (list, tuple)):
        try:
            return np.asarray(X) if not _has_text(X[0]) else np.asarray(X, dtype=object)
        except ValueError:
            return X
    return X


def _has_text(row: Any) -> bool:
    return any(isinstance(value, str) for value in row)


def read_table(X: Any, estimator: Any) -> Table:
    """Read X for an estimator.

    Parameters
    ----------
    X : frame or array of shape (n_samples, n_features)
        Samples.
    estimator : fitted estimator
        Who reads them.

    Returns
    -------
    table : Table
        X as a matrix, and what its columns are.
    """
    source = open_source(_listed(X))
    if source.X.ndim != 2 if isinstance(source.X, np.ndarray) else False:
        raise ValueError(f"X has shape {source.X.shape}; a table has rows and columns.")
    if not source.n_rows:
        raise ValueError(
            "Found array with 0 sample(s) while a minimum of 1 is required: X is empty."
        )
    return Table(source, estimator)
