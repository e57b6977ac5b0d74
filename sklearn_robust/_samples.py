"""Samples as users bring them, arrays, frames, tensors and files of arrays, checked and read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

__all__ = [
    "check_columns",
    "check_sample_shape",
    "check_samples",
    "refuse_bytes",
    "refuse_unread",
    "validate_samples",
]


@runtime_checkable
class _Frame(Protocol):
    """Table with a name and a dtype per column."""

    columns: Any
    dtypes: Any


@runtime_checkable
class _Typed(Protocol):
    """Array, tensor or column with one dtype."""

    dtype: Any


@runtime_checkable
class _ArrayLike(Protocol):
    """Object that numpy can read at once."""

    def __array__(self) -> Any: ...


_READING = {"polars": ("LazyFrame", "X.collect()"), "pyarrow": ("Table", "X.to_pandas()")}


def refuse_unread(X: Any) -> None:
    """Refuse tables that hold no rows yet, or in a form that no estimator reads."""
    kind = type(X)
    name, typed = _READING.get(kind.__module__.split(".")[0], ("", ""))
    if kind.__name__ == name:
        raise ValueError(
            f"X is a {kind.__name__} of {kind.__module__.split('.')[0]}, and models read arrays "
            f"and frames: type {typed}."
        )


def refuse_bytes(X: Any) -> None:
    """Refuse images of bytes, whose values are far above any usual eps."""
    kind = X.dtypes if isinstance(X, _Frame) else X.dtype if isinstance(X, _Typed) else None
    kinds = {str(kind) for kind in np.ravel(np.asarray(kind, dtype=object))}
    if not kinds <= {"uint8", "torch.uint8"} or 0 in X.shape:
        return
    top = int(X.max().max())
    if top > 1:
        raise ValueError(
            f"X is uint8 with values up to {top}: divide by 255 (X / 255) so that pixels "
            "lie in [0, 1], or type X.astype('float32') if these are no images."
        )


def _as_array(X: Any) -> Any:
    if isinstance(X, torch.Tensor):
        X = _tensor_as_array(X)
    elif isinstance(X, _ArrayLike) and not isinstance(X, (np.ndarray, _Frame)):
        X = np.asarray(X) if isinstance(X, (Sequence, _Typed)) else X  # such as a file's array
    refuse_bytes(X)
    return X


def _tensor_as_array(X: torch.Tensor) -> NDArray[Any]:
    """Array of a tensor of any device, dtype and view."""
    if X.layout != torch.strided:
        raise ValueError(f"X is a sparse tensor ({X.layout}): type X.to_dense().")
    X = X.detach().cpu().resolve_conj().resolve_neg()
    return (X.float() if X.dtype == torch.bfloat16 else X).numpy()  # unknown to numpy


def validate_samples(estimator: Any, X: Any, y: Any = "no_validation", **kwargs: Any) -> Any:
    """scikit-learn's ``validate_data`` for samples of any shape, as float32 in C order."""
    if not isinstance(X, np.ndarray):
        refuse_unread(X)
    X = _as_array(X)
    kwargs = {"dtype": np.float32, "allow_nd": True, "order": "C", **kwargs}
    if isinstance(y, torch.Tensor):
        y = y.detach().cpu().numpy()
    try:
        return validate_data(estimator, X, y, **kwargs)
    except ValueError as error:
        _refuse_texts(error)
        raise


def _refuse_texts(error: ValueError) -> None:
    """Say what to do with texts where numbers are read, if that is what an error is about."""
    if "could not convert string" in str(error):
        raise ValueError(
            f"X holds texts, such as {str(error).rpartition(': ')[2]}, where numbers are read: "
            "encode them before the model. Scores, reports, curves and attacks take frames with "
            "texts as they are, if the model does."
        ) from error


def check_samples(
    X: Any, dtype: DTypeLike | list[Any] = np.float32, *, of: Any = None
) -> NDArray[Any]:
    """Return finite samples (n, ...) in C order, or say what is wrong with them.

    The result has dtype ``dtype``: of several, its own where it is among them, else the first.
    The columns of a frame must be those that the estimator ``of`` was fitted on.
    """
    check_columns(X, of)
    X = _as_array(X)
    try:
        return check_array(X, dtype=dtype, order="C", allow_nd=True, input_name="X")
    except ValueError as error:
        _refuse_texts(error)
        if "contains NaN" not in str(error):
            raise
        raise ValueError(
            "Input X contains NaN, and an attack moves numbers: fill the cells, e.g. by "
            "sklearn.impute.SimpleImputer, or leave those samples out."
        ) from error


def check_columns(X: Any, estimator: Any) -> None:
    """Refuse a frame whose columns are not those of ``fit``, unless the estimator takes it.

    A ColumnTransformer picks columns by name, so that others, or another order, are no harm.
    """
    if not isinstance(X, np.ndarray):
        refuse_unread(X)
    wanted = getattr(estimator, "feature_names_in_", None)
    if wanted is None or not isinstance(X, _Frame):
        return
    if [*X.columns] != [*wanted] and not _takes(estimator, X):
        raise ValueError(
            f"X has the columns {[*X.columns][:5]}, but {type(estimator).__name__} was fitted on "
            f"{[*wanted][:5]}, or on another order of them: type X[estimator.feature_names_in_]."
        )


def _takes(estimator: Any, X: Any) -> bool:
    """Whether an estimator predicts for a row of a frame."""
    try:
        estimator.predict(X[:1])
    except Exception:  # whatever it says of the columns
        return False
    return True


def check_sample_shape(X: Any, wanted: Sequence[int] | None, who: str) -> None:
    """Raise unless every sample of ``X`` has the shape the estimator was fitted on."""
    if wanted is not None and tuple(X.shape[1:]) != tuple(wanted):
        raise ValueError(
            f"X has {_describe(X.shape[1:])}, but {who} was fitted on {_describe(wanted)}: pass "
            "samples of that shape, X[:, None] adds a channel axis and X.reshape(...) changes it."
        )


def _describe(shape: Sequence[int]) -> str:
    # The words "n features" are those that scikit-learn's own tools look for.
    return f"{shape[0]} features" if len(shape) == 1 else f"sample shape {tuple(shape)}"
