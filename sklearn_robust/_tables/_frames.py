"""Frames of pandas and polars, and two-dimensional arrays, behind one interface."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Source", "is_frame", "is_mixed", "open_source"]

_EXACT = 2.0**53  # integers up to here are exact in float64
_KINDS = {"f": "number", "i": "integer", "u": "integer", "b": "boolean"}

Source: TypeAlias = "ArraySource | PandasSource | PolarsSource"


def is_frame(X: Any) -> bool:
    """Whether ``X`` is a frame of pandas or polars."""
    library = type(X).__module__.split(".")[0]
    return library in ("pandas", "polars") and type(X).__name__ == "DataFrame"


def is_mixed(X: Any) -> bool:
    """Whether ``X`` is a frame with columns of other things than numbers, or missing cells."""
    if not is_frame(X):
        return False
    source = open_source(X)
    for place in range(len(source.names)):
        if source.kind(place) == "other" or np.isnan(source.floats(place)).any():
            return True
    return False


def open_source(X: Any) -> Source:
    """Put the interface around a frame, or around what numpy reads as rows and columns."""
    if is_frame(X):
        pandas = type(X).__module__.startswith("pandas")
        return PandasSource(X) if pandas else PolarsSource(X)
    return ArraySource(np.asarray(X))


def _kind_of_objects(values: NDArray[Any]) -> str:
    """Kind of a column of Python objects: numbers, integers, or anything else."""
    known = [v for v in values if v is not None and v == v]
    if not known or not all(_is_number(v) for v in known):
        return "other"
    whole = len(known) == len(values) and all(isinstance(v, numbers.Integral) for v in known)
    return "integer" if whole else "number"


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, (bool, np.bool_))


def _exact_kind(kind: str, values: NDArray[np.float64]) -> str:
    """Integers that float64 cannot hold are kept as they are, behind codes."""
    if kind == "integer" and np.abs(values).max(initial=0) > _EXACT:
        return "other"
    return kind


class ArraySource:
    """Rows and columns of a numpy array.

    Parameters
    ----------
    X : array of shape (n_samples, n_features)
        Numbers, texts or Python objects.
    """

    def __init__(self, X: NDArray[Any]) -> None:
        self.X = X
        self.names: list[Any] = list(range(X.shape[1]))
        self.n_rows = len(X)

    def kind(self, place: int) -> str:
        """Kind of a column: number, integer, boolean or other."""
        kind = self.X.dtype.kind
        if kind == "O":
            return _kind_of_objects(self.X[:, place])
        if kind in "iu" and self.X.dtype.itemsize < 8:
            return "number"  # integers of an array are numbers unless integer= says otherwise
        return {"f": "number", "i": "number", "u": "number", "b": "boolean"}.get(kind, "other")

    def dtype(self, place: int) -> Any:
        """Dtype of a column as numpy knows it, None for objects and texts."""
        return self.X.dtype if self.X.dtype.kind in "fiub" else None

    def floats(self, place: int) -> NDArray[np.float64]:
        """Column as float64, NaN where a value is missing."""
        column = self.X[:, place]
        if column.dtype == object:
            column = np.array([np.nan if v is None else v for v in column], dtype=np.float64)
        return column.astype(np.float64)

    def factorize(self, place: int, more: Sequence[Any]) -> tuple[NDArray[np.int64], Any]:
        """Codes of a column, and what they stand for; ``more`` values are added."""
        return _factorize(self.X[:, place].tolist(), more, self._gather)

    def _gather(self, items: list[Any]) -> NDArray[Any]:
        values = np.empty(len(items), dtype=object)
        values[:] = items
        return values if self.X.dtype == object else values.astype(self.X.dtype)

    def take(self, values: Any, codes: NDArray[np.int64]) -> Any:
        """Return the values of codes as a column."""
        return values[codes]

    def cast(self, place: int, values: NDArray[np.float64]) -> Any:
        """Return float64 numbers as a column of the dtype that it had."""
        if self.X.dtype.kind != "O":
            return values.astype(self.X.dtype)
        if self.kind(place) == "integer":
            return values.astype(np.int64).astype(object)
        return values.astype(object)

    def build(self, columns: list[Any], rows: Any) -> Any:
        """Return columns side by side."""
        out = np.empty((len(columns[0]), len(columns)), dtype=self._out_dtype(columns))
        for place, column in enumerate(columns):
            out[:, place] = column
        return out

    def _out_dtype(self, columns: list[Any]) -> Any:
        if self.X.dtype.kind not in "iu":
            return self.X.dtype
        return self.X.dtype if all(c.dtype.kind in "iu" for c in columns) else np.float64

    def template(self) -> ArraySource:
        """Return the same without its rows."""
        return ArraySource(self.X[:1])


class PandasSource:
    """Rows and columns of a pandas frame.

    Parameters
    ----------
    X : pandas.DataFrame
        Any dtypes but sparse ones.
    """

    def __init__(self, X: Any) -> None:
        self.X = X
        self.names: list[Any] = list(X.columns)
        self.n_rows = len(X)
        for name, dtype in zip(self.names, X.dtypes, strict=True):
            if str(dtype).startswith("Sparse"):
                raise ValueError(
                    f"Column {name!r} of X is sparse ({dtype}), and attacks change every cell: "
                    "type X.sparse.to_dense()."
                )

    def column(self, place: int) -> Any:
        """One column as a series."""
        return self.X.iloc[:, place]

    def kind(self, place: int) -> str:
        """Kind of a column: number, integer, boolean or other."""
        column = self.column(place)
        if column.dtype == object:
            return _kind_of_objects(column.to_numpy())
        if str(column.dtype) == "category":
            return "other"
        kind = _KINDS.get(column.dtype.kind, "other")
        return _exact_kind(kind, self.floats(place)) if kind == "integer" else kind

    def dtype(self, place: int) -> Any:
        """Numpy dtype of a column of numbers."""
        dtype = self.column(place).dtype
        return np.dtype(f"{dtype.kind}{dtype.itemsize}") if dtype.kind in "fiub" else None

    def floats(self, place: int) -> NDArray[np.float64]:
        """Column as float64, NaN where a value is missing."""
        return np.array(self.column(place).to_numpy(dtype=np.float64, na_value=np.nan))

    def factorize(self, place: int, more: Sequence[Any]) -> tuple[NDArray[np.int64], Any]:
        """Codes of a column, and what they stand for; ``more`` values are added."""
        import pandas as pd

        column = self.column(place)
        codes, values = pd.factorize(column, use_na_sentinel=False)
        values = pd.Series(values, dtype=column.dtype)
        known = set(values.dropna().tolist())
        new = [v for v in more if v is not None and v == v and v not in known]
        if str(column.dtype) == "category":
            new = [v for v in new if v in column.cat.categories]
        if new:
            values = pd.concat([values, pd.Series(new, dtype=column.dtype)], ignore_index=True)
        return codes.astype(np.int64), values

    def take(self, values: Any, codes: NDArray[np.int64]) -> Any:
        """Return the values of codes as a column."""
        values = values.array if hasattr(values, "array") else values
        return values.take(codes)

    def cast(self, place: int, values: NDArray[np.float64]) -> Any:
        """Return float64 numbers as a column of the dtype that it had."""
        import pandas as pd

        dtype = self.column(place).dtype
        if isinstance(dtype, np.dtype) and dtype.kind != "O":
            return values if dtype == np.float64 else values.astype(dtype)
        if str(dtype) == "object":
            whole = self.kind(place) == "integer"
            return (values.astype(np.int64) if whole else values).astype(object)
        missing = np.isnan(values)
        objects: Any = values
        if missing.any():
            objects = values.astype(object)
            objects[missing] = None
        if dtype.kind in "iub" and not missing.any():
            objects = values.astype(np.int64 if dtype.kind != "b" else bool)
        return pd.array(objects, dtype=dtype)

    def build(self, columns: list[Any], rows: Any) -> Any:
        """Return columns side by side, under the index of ``rows`` where they are given."""
        import pandas as pd

        index = None if rows is None else self.X.index[rows]
        frame = pd.DataFrame(dict(enumerate(columns)), index=index)
        frame.columns = self.X.columns
        return frame

    def template(self) -> PandasSource:
        """Return the same without its rows."""
        return PandasSource(self.X.iloc[:1])


class PolarsSource:
    """Rows and columns of a polars frame.

    Parameters
    ----------
    X : polars.DataFrame
        Any dtypes.
    """

    def __init__(self, X: Any) -> None:
        self.X = X
        self.names: list[Any] = list(X.columns)
        self.n_rows = len(X)

    def column(self, place: int) -> Any:
        """One column as a series."""
        return self.X.to_series(place)

    def kind(self, place: int) -> str:
        """Kind of a column: number, integer, boolean or other."""
        dtype = self.column(place).dtype
        if dtype.is_float():
            return "number"
        if dtype.is_integer():
            return _exact_kind("integer", np.nan_to_num(self.floats(place)))
        return "boolean" if str(dtype) == "Boolean" else "other"

    def dtype(self, place: int) -> Any:
        """Numpy dtype of a column of numbers."""
        dtype = self.column(place).dtype
        return np.dtype(str(dtype).lower()) if dtype.is_float() else None

    def floats(self, place: int) -> NDArray[np.float64]:
        """Column as float64, NaN where a value is missing."""
        import polars as pl

        return self.column(place).cast(pl.Float64).fill_null(np.nan).to_numpy().copy()

    def factorize(self, place: int, more: Sequence[Any]) -> tuple[NDArray[np.int64], Any]:
        """Codes of a column, and what they stand for; ``more`` values are added."""
        import polars as pl

        column = self.column(place)
        fixed = str(column.dtype).startswith("Enum")
        more = [v for v in more if not fixed or v in column.dtype.categories]
        return _factorize(
            column.to_list(), more, lambda items: pl.Series(items, dtype=column.dtype)
        )

    def take(self, values: Any, codes: NDArray[np.int64]) -> Any:
        """Return the values of codes as a column."""
        return values.gather(codes)

    def cast(self, place: int, values: NDArray[np.float64]) -> Any:
        """Return float64 numbers as a column of the dtype that it had."""
        import polars as pl

        given = pl.Series(values, dtype=pl.Float64)
        if self.column(place).null_count():
            given = given.fill_nan(None)
        return given.cast(self.column(place).dtype)

    def build(self, columns: list[Any], rows: Any) -> Any:
        """Return columns side by side."""
        import polars as pl

        return pl.DataFrame(dict(zip(self.names, columns, strict=True)))

    def template(self) -> PolarsSource:
        """Return the same without its rows."""
        return PolarsSource(self.X[:1])


def _factorize(items: list[Any], more: Sequence[Any], gather: Any) -> tuple[NDArray[Any], Any]:
    """Codes of values in the order of their first appearance; NaN is one value."""
    places: dict[Any, int] = {}
    values: list[Any] = []

    def place(value: Any) -> int:
        key = value if value == value else "a missing value"
        if key not in places:
            places[key] = len(values)
            values.append(value)
        return places[key]

    codes = np.array([place(item) for item in items], dtype=np.int64)
    for value in more:
        if value is not None and value == value:
            place(value)
    return codes, gather(values)
